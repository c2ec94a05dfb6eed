//! Every figure that is derived from raw samples. Pure: the same samples give the
//! same report.
//!
//! ```text
//! RunRecord ─┐
//!            ├─► CountTable ─► Observations ─┐
//! counts.csv ┘                               ├─► Report ─► export
//! samples ───────► Checks · SamplingCost ────┘
//! ```

mod checks;
mod observations;
mod parse;
mod report;
mod sampling;
mod table;

pub(crate) use parse::STATUS_WORDS;

pub use checks::{Checks, Decrease, Disagreement, ReadingCost, SumMismatch, TraceMismatch, Traced};
pub use observations::{Counted, Grown, Observations, RelativeGrowth};
pub use report::{Report, Subject};
pub use sampling::{Rise, SamplingCost};
pub use table::{Column, CountTable, Row, rate};

#[cfg(test)]
pub(crate) mod fixture;
