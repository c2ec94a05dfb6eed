//! Every figure that is derived from raw samples. Pure: the same samples give the
//! same report.
//!
//! ```text
//! RunRecord ─┐
//!            ├─► CountTable ─► Observations · TimeTable ─┐
//! counts.csv ┘                                           ├─► Report ─► export
//! RunRecord ─────► Checks · SamplingCost ────────────────┘
//! ```

mod checks;
mod observations;
mod parse;
mod report;
mod sampling;
mod table;
mod time;
mod totals;
mod trace;

pub(crate) use parse::STATUS_WORDS;

pub use checks::{Checks, Decrease, Disagreement, Quantity, ReadingCost, SumMismatch};
pub use observations::{Counted, Grown, Observations, RelativeGrowth};
pub use report::{Report, Subject};
pub use sampling::{Rise, SamplingCost};
pub use table::{Column, CountTable, Row, rate};
pub use time::{Phase, TimeRow, TimeTable, tsc_hz};
pub use totals::{Overrun, TotalsCheck, Unbracketed};
pub use trace::{TraceCheck, TraceMismatch, Traced};

#[cfg(test)]
pub(crate) mod fixture;
