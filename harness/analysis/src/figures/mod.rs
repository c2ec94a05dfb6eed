//! Every figure that is derived from raw samples. Pure: the same samples give the
//! same figures.
//!
//! ```text
//! RunRecord ─┬─► CountTable ─► Observations · TimeTable ─┐
//!            └─► Checks · SamplingCost ──────────────────┴─► RunFigures ─► export
//! ```

mod checks;
mod clocks;
mod counter;
mod details;
mod durations;
mod log;
mod observations;
mod possible;
mod run;
mod sampling;
mod table;
mod time;
mod totals;
mod trace;
mod within;

pub use checks::{Checks, Class, Decrease, Disagreement, Law, ReadingCost, SumMismatch};
pub use clocks::{Bound, ClockBreach, ClockCheck, Reading};
pub use counter::Quantity;
pub(crate) use details::Decoder;
pub use details::{Detail, DetailRow, DetailSum, Details, Kind};
pub use durations::{
    Bounds, DurationCheck, DurationRow, Durations, MOST_LONGER, Misfit, Open, Span, Spread,
};
pub use log::{LogCheck, LogMismatch, Unlogged};
pub use observations::{Counted, Grown, Observations, RelativeGrowth};
pub use possible::Excess;
pub use run::{RunFigures, Subject};
pub use sampling::{Rise, SamplingCost};
pub(crate) use table::rate;
pub use table::{Column, CountTable, Row};
pub use time::{PhaseTime, TimeRow, TimeTable};
pub use totals::{Overrun, TotalsCheck, Unbracketed};
pub use trace::{TraceCheck, TraceMismatch, Traced};
pub use within::Within;

#[cfg(test)]
pub(crate) mod fixture;
