//! The kernel's tracepoint against KVM's statistics: what both counted at the same
//! standstill of the guest.

use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::Sample;

/// What was compared, and where the two disagree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceCheck {
    /// Samples in which the tracepoint's counts were compared with the census.
    pub samples: usize,
    /// Reason numbers compared in each of them, undefined ones included.
    pub reasons: usize,
    /// Counts that differ.
    pub mismatches: Vec<TraceMismatch>,
}

/// What the tracepoint and KVM's statistics both count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// One reason: the tracepoint against the census.
    Reason(u32),
    /// What no table defines: the tracepoint against the census.
    Other,
    /// All exits: the tracepoint against KVM's own count.
    All,
}

/// A count of the tracepoint that is not that of KVM's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceMismatch {
    /// The sample's number.
    pub sample: u32,
    /// What was counted.
    pub what: Traced,
    /// Events of the tracepoint.
    pub trace: u128,
    /// The statistics' count.
    pub stats: u128,
}

impl TraceCheck {
    /// Compares the readings of a sample, if it has them. Where KVM `emulates` the guest now
    /// and then, its own count contains rounds that are no exits, so it may be higher.
    pub(super) fn add(&mut self, sample: &Sample, emulates: bool, reasons: &ReasonTable) {
        let Some(trace) = &sample.trace else { return };
        let slots = trace.counts.len().max(trace.stats.counts.len());
        self.samples += 1;
        self.reasons = self.reasons.max(slots);
        let count = |counts: &[u64], slot: usize| counts.get(slot).copied().unwrap_or(0).into();
        let by_reason = (0..slots).map(|slot| {
            (
                Traced::Reason(reasons.number(slot)),
                count(&trace.counts, slot),
                count(&trace.stats.counts, slot),
            )
        });
        let events = trace.counts.iter().chain([&trace.other]);
        let all = events.map(|&n| u128::from(n)).sum();
        let rest = [
            (Traced::Other, trace.other.into(), trace.stats.other.into()),
            (Traced::All, all, trace.stats.exits.into()),
        ];
        let mismatch = |(what, trace, stats): (Traced, u128, u128)| TraceMismatch {
            sample: sample.number,
            what,
            trace,
            stats,
        };
        let differ = by_reason
            .chain(rest)
            .filter(|(what, trace, stats)| match what {
                Traced::All if emulates => trace > stats,
                _ => trace != stats,
            });
        self.mismatches.extend(differ.map(mismatch));
    }
}
