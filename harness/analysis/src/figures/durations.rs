//! How long exits took, by reason and phase: from the tracepoint `kvm_exit` to the next
//! `kvm_entry` of the same vCPU.

mod check;
mod spread;

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub use check::{DurationCheck, MOST_LONGER, Misfit, Open};
pub use spread::{Bounds, Spread};

use exitlab_model::reasons::{Class, Isa, ReasonTable};
use exitlab_model::record::{self, RunRecord, TraceReading};

/// The times of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// Each phase, in order; and all of them together, if there are several.
    pub spans: Vec<Span>,
    /// Why none were taken, where the host's kernel lacks what it takes.
    pub lacks: Option<String>,
}

/// From one sample to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Index of the sample at its end.
    pub to: usize,
    /// Number of the sample at its begin; 0 for the guest's first instruction.
    pub since: u32,
    /// Reasons that happened: those in which the guest works, then those in which it waits;
    /// of each, those that took the most time first.
    pub rows: Vec<DurationRow>,
}

/// The times of one reason in one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationRow {
    /// Basic exit reason (VMX) or exit code (SVM); none for all that no table defines.
    pub reason: Option<u32>,
    /// Whether the guest waits by it (HLT, MWAIT, PAUSE): then time is that until something
    /// happened.
    pub waits: bool,
    /// The times.
    pub spread: Spread,
    /// Exits of the reason, by the tracepoint at the same moments.
    pub exits: u64,
}

impl DurationRow {
    /// Exits without a time; negative where there are more times.
    pub fn open(&self) -> i128 {
        i128::from(self.exits) - i128::from(self.spread.count())
    }
}

impl Span {
    /// Whether it is of all phases together.
    pub fn is_whole(&self) -> bool {
        self.to > 0 && self.since == 0
    }

    /// All reasons by which the guest waits, or all others.
    pub fn all(&self, waits: bool) -> Option<DurationRow> {
        let rows: Vec<&DurationRow> = self.rows.iter().filter(|r| r.waits == waits).collect();
        (!rows.is_empty()).then(|| DurationRow {
            reason: None,
            waits,
            spread: Spread::of_all(rows.iter().map(|row| &row.spread)),
            exits: rows
                .iter()
                .fold(0, |sum, row| sum.saturating_add(row.exits)),
        })
    }
}

impl Durations {
    /// Those of a run; none where they were not asked for.
    pub fn of(record: &RunRecord, reasons: &ReasonTable) -> Option<Durations> {
        let readings = readings(record)?;
        let (_, first) = readings.first()?;
        let mut spans = Vec::new();
        if first.lacks.is_none() {
            let times = readings.len();
            let phases = (0..times).map(|to| (to.checked_sub(1), to));
            let whole = (times > 1).then(|| (None, times - 1));
            let ends: Vec<(Option<usize>, usize)> = phases.chain(whole).collect();
            let span = |(from, to)| span(record, &readings, reasons, from, to);
            spans = ends.into_iter().map(span).collect();
        }
        Some(Durations {
            spans,
            lacks: first.lacks.clone(),
        })
    }

    /// The span of the whole run.
    pub fn whole(&self) -> Option<&Span> {
        self.spans.last()
    }
}

/// What each sample says of counts and times, if all of them do.
fn readings(record: &RunRecord) -> Option<Vec<(&TraceReading, &record::Durations)>> {
    let readings = record.samples.iter().map(|sample| {
        let trace = sample.trace.as_ref()?;
        Some((trace, trace.durations.as_ref()?))
    });
    readings.collect()
}

/// Times by reason, up to a sample.
fn spreads(durations: &record::Durations, reasons: &ReasonTable) -> BTreeMap<Option<u32>, Spread> {
    let mut spreads: BTreeMap<_, Spread> = BTreeMap::new();
    for bucket in &durations.buckets {
        let spread = spreads.entry(known(bucket.reason, reasons)).or_default();
        spread.add((bucket.least, bucket.most), bucket.count, bucket.sum);
    }
    spreads
}

/// Times of one reason, up to a sample.
pub(super) fn spread_of(
    durations: &record::Durations,
    reason: u32,
    reasons: &ReasonTable,
) -> Spread {
    let mut spread = Spread::default();
    for bucket in &durations.buckets {
        if known(bucket.reason, reasons) == Some(reason) {
            spread.add((bucket.least, bucket.most), bucket.count, bucket.sum);
        }
    }
    spread
}

/// The reason that the tracepoint's field stands for, if a table defines it.
fn known(field: u64, reasons: &ReasonTable) -> Option<u32> {
    let number = match reasons.isa() {
        Isa::Vmx => field & 0xffff,
        Isa::Svm => field,
    };
    let number = u32::try_from(number).ok()?;
    reasons.slot(number).map(|_| number)
}

/// Exits by reason, up to a sample.
fn exits(trace: &TraceReading, reasons: &ReasonTable) -> BTreeMap<Option<u32>, u64> {
    let counts = trace.counts.iter().enumerate();
    let counts = counts.map(|(slot, count)| (Some(reasons.number(slot)), *count));
    let all = counts.chain([(None, trace.other)]);
    all.filter(|(_, count)| *count > 0).collect()
}

fn span(
    record: &RunRecord,
    readings: &[(&TraceReading, &record::Durations)],
    reasons: &ReasonTable,
    from: Option<usize>,
    to: usize,
) -> Span {
    let at = |at: Option<usize>| {
        let reading = at.and_then(|at| readings.get(at));
        let of = |(trace, durations): &(&TraceReading, &record::Durations)| {
            (exits(trace, reasons), spreads(durations, reasons))
        };
        reading.map(of).unwrap_or_default()
    };
    let ((then, before), (now, after)) = (at(from), at(Some(to)));
    let mut rows: Vec<DurationRow> = now
        .iter()
        .map(|(reason, exits)| {
            let none = Spread::default();
            let of = |spreads: &BTreeMap<Option<u32>, Spread>| spreads.get(reason).cloned();
            let spread = of(&after).unwrap_or_default();
            DurationRow {
                reason: *reason,
                waits: waits(*reason, reasons),
                // What became less is told by the check.
                spread: spread
                    .since(before.get(reason).unwrap_or(&none))
                    .unwrap_or(spread),
                exits: exits.saturating_sub(then.get(reason).copied().unwrap_or(0)),
            }
        })
        .filter(|row| row.exits > 0 || row.spread.count() > 0)
        .collect();
    rows.sort_by_key(|row| (row.waits, Reverse(row.spread.sum()), row.reason));
    let number = |at: usize| record.samples.get(at).map_or(0, |sample| sample.number);
    Span {
        to,
        since: from.map_or(0, number),
        rows,
    }
}

fn waits(reason: Option<u32>, reasons: &ReasonTable) -> bool {
    let reason = reason.and_then(|reason| reasons.get(reason));
    reason.is_some_and(|reason| reason.class == Class::Idle)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    #[test]
    fn phases_come_to_the_whole_and_waiting_is_apart() {
        let record = fixture::timed();
        let durations = Durations::of(&record, record.reasons()).unwrap();
        let ends: Vec<_> = durations.spans.iter().map(|s| (s.since, s.to)).collect();
        assert_eq!(ends, [(0, 0), (1, 1), (2, 2), (0, 2)]);
        let whole = durations.whole().unwrap();
        assert!(whole.is_whole() && !durations.spans[0].is_whole());
        let waiting = whole.all(true).unwrap();
        assert_eq!(whole.rows.last().unwrap().reason, Some(12));
        for row in &whole.rows {
            let phases = durations.spans[..3].iter().flat_map(|span| &span.rows);
            let phases: Vec<_> = phases.filter(|r| r.reason == row.reason).collect();
            let all = Spread::of_all(phases.iter().map(|row| &row.spread));
            assert_eq!(all, row.spread);
            assert_eq!(phases.iter().map(|row| row.exits).sum::<u64>(), row.exits);
        }
        assert_eq!(waiting.open(), 3);
        assert_eq!(whole.all(false).unwrap().open(), 0);
    }

    #[test]
    fn without_times_there_are_none_and_what_lacks_is_said() {
        let record = fixture::detailed();
        assert_eq!(Durations::of(&record, record.reasons()), None);
        let mut record = fixture::timed();
        for sample in &mut record.samples {
            let trace = sample.trace.as_mut().unwrap();
            trace.durations = Some(record::Durations::lacking("no event".to_owned()));
        }
        let durations = Durations::of(&record, record.reasons()).unwrap();
        assert_eq!(durations.lacks.as_deref(), Some("no event"));
        assert_eq!(durations.whole(), None);
    }
}
