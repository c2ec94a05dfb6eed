//! What a counter of a reading counts, and where it is found there.

use exitlab_model::record::{CpuidReading, StatsReading, TraceReading};

/// The reason of the exits that reading a census by CPUID causes.
pub(super) const CPUID: &str = "CPUID";

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// VM exits.
    Count,
    /// Cycles from VM exit to VM entry.
    Cycles,
}

impl Quantity {
    pub(super) const ALL: [Quantity; 2] = [Quantity::Count, Quantity::Cycles];

    pub(super) fn of_stats(self, reading: &StatsReading) -> Option<&[u64]> {
        match self {
            Quantity::Count => Some(&reading.counts),
            Quantity::Cycles => reading.cycles.as_deref(),
        }
    }

    /// The tracepoint counts events only.
    pub(super) fn of_trace(self, reading: &TraceReading) -> Option<&[u64]> {
        match self {
            Quantity::Count => Some(&reading.counts),
            Quantity::Cycles => None,
        }
    }

    pub(super) fn of_cpuid(self, reading: &CpuidReading) -> Option<&[u64]> {
        match self {
            Quantity::Count => Some(&reading.counts),
            Quantity::Cycles => reading.cycles.as_deref(),
        }
    }
}
