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
//! Cells of unlike plans (`alike`) are compared, but not judged. `docs/regression.md` has the formulas and their sources.

mod alike;
mod below;
mod comparison;
mod counts;
mod exact;
mod facts;
mod interval;
mod moved;
mod noisy;
mod pair;
mod percent;
mod permutation;
mod plan_key;
mod random;
mod resample;
mod verdict;

pub(crate) use alike::unlike;
pub use below::{Below, Item, Tally, Told};
pub use comparison::{CellComparison, Comparison, Finding, compare};
pub(crate) use counts::UNKNOWN_REASON;
pub(crate) use counts::channels as channels_of;
pub use counts::{CellCounts, CellKey, PhaseCounts, Series};
pub(crate) use facts::ATTEMPTS;
pub use facts::{Difference, Facts};
pub use interval::Interval;
pub use moved::{Move, Moved};
pub(crate) use moved::{moved, unknown as unknown_below};
pub use noisy::Tested;
pub(crate) use noisy::Tests;
pub use pair::{LeftOut, Side};
pub(crate) use pair::{Pair, pairs, unpaired};
pub use percent::Percent;
pub(crate) use permutation::Tail;
pub(crate) use plan_key::is_of;
pub use resample::{Benchmark, benchmark};
pub use verdict::{Settings, Verdict};

#[cfg(test)]
pub(crate) mod fixture;
