//! The kernel's tracepoint against KVM's statistics: what both counted of the same exits.

use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::tracepoint::may_miss;
use exitlab_model::record::{RunRecord, Sample, TraceReading};

/// What was compared, and where the two disagree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceCheck {
    /// Samples with a reading of the tracepoint.
    pub samples: usize,
    /// Those of them whose sum was compared with KVM's own count of exits.
    pub own: usize,
    /// Reason numbers compared with the census in each of them, undefined ones included; 0
    /// where there is no census.
    pub reasons: usize,
    /// Counts that differ.
    pub mismatches: Vec<TraceMismatch>,
    /// Exits that a tracepoint did not see that is in a place where not all come by.
    pub missed: Vec<TraceMismatch>,
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
    /// Exits for which the histogram had no room.
    Dropped,
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
    /// The statistics' count: the nearest one that is possible.
    pub stats: u128,
}

impl TraceCheck {
    /// Compares the readings of a run.
    pub(super) fn of(record: &RunRecord, reasons: &ReasonTable) -> TraceCheck {
        let mut check = TraceCheck::default();
        let misses = may_miss(reasons.isa(), &record.provenance.host_kernel);
        for sample in &record.samples {
            check.add(sample, record.emulates, misses, reasons);
        }
        check
    }

    /// Compares the readings of a sample, if it has them. Where KVM `emulates` the guest now
    /// and then, its own count contains rounds that are no exits, so it may be higher.
    fn add(&mut self, sample: &Sample, emulates: bool, misses: bool, reasons: &ReasonTable) {
        let Some(trace) = &sample.trace else { return };
        self.samples += 1;
        let mut differ = self.by_reason(trace, reasons);
        if let Some((least, most)) = trace.own() {
            self.own += 1;
            let least = if emulates { 0 } else { u128::from(least) };
            let nearest = trace.sum().clamp(least, u128::from(most).max(least));
            differ.push((Traced::All, trace.sum(), nearest));
        }
        let mismatch = |(what, trace, stats)| TraceMismatch {
            sample: sample.number,
            what,
            trace,
            stats,
        };
        let differ = differ
            .into_iter()
            .filter(|(_, trace, stats)| trace != stats);
        let (missed, wrong): (Vec<_>, Vec<_>) =
            differ.partition(|(_, trace, stats)| misses && trace < stats);
        self.missed.extend(missed.into_iter().map(mismatch));
        self.mismatches.extend(wrong.into_iter().map(mismatch));
        if trace.dropped > 0 {
            let dropped = (Traced::Dropped, trace.dropped.into(), 0);
            self.mismatches.push(mismatch(dropped));
        }
    }

    /// Every reason by the tracepoint and by the census, where there is one.
    fn by_reason(
        &mut self,
        trace: &TraceReading,
        reasons: &ReasonTable,
    ) -> Vec<(Traced, u128, u128)> {
        let Some(stats) = &trace.stats else {
            return Vec::new();
        };
        let slots = trace.counts.len().max(stats.counts.len());
        self.reasons = self.reasons.max(slots);
        let count = |counts: &[u64], slot: usize| counts.get(slot).copied().unwrap_or(0).into();
        let by_reason = (0..slots).map(|slot| {
            (
                Traced::Reason(reasons.number(slot)),
                count(&trace.counts, slot),
                count(&stats.counts, slot),
            )
        });
        let other = (Traced::Other, trace.other.into(), stats.other.into());
        by_reason.chain([other]).collect()
    }
}
