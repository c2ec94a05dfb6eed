//! Did this change alter the exits? Two sides, cell by cell, phase by phase, reason by
//! reason. Pure; `crate::reading` reads the files.
//!
//! ```text
//! results directory ─┐
//! matrix, filtered ──┼─► Side ─┐  pair      exact │ noisy
//! baseline file ─────┘         ├───────► Pair ───────────► Comparison ─► export
//!                        Side ─┘
//! ```
//!
//! `docs/regression.md` has the formulas and their sources.

mod comparison;
mod counts;
mod exact;
mod facts;
mod interval;
mod noisy;
mod pair;
mod percent;
mod permutation;
mod random;
mod resample;
mod verdict;

pub use comparison::{CellComparison, Comparison, Finding, compare};
pub(crate) use counts::channels as channels_of;
pub use counts::{CellCounts, CellKey, PhaseCounts, Series, UNKNOWN_REASON};
pub use exact::unequal_repeats;
pub use facts::{Difference, Facts};
pub use interval::{Interval, relative_interval};
pub use noisy::{Tested, Tests};
pub use pair::{Pair, Side, pairs, unpaired};
pub use percent::Percent;
pub use permutation::{Tail, least_p, least_repeats, permutation_p};
pub use resample::{Benchmark, benchmark};
pub use verdict::{Settings, Verdict};

#[cfg(test)]
pub(crate) mod fixture;
