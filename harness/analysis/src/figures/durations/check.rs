//! Whether times are those of the exits that were counted, and fit into the census's cycles.

use std::collections::BTreeMap;

use super::{Durations, Span, Spread, exits, readings, spreads};
use crate::figures::time::tsc_hz;
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::tracepoint::may_miss_entries;
use exitlab_model::record::{self, RunRecord, TraceReading};

/// What was compared, and what does not fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DurationCheck {
    /// Samples with times.
    pub samples: usize,
    /// Exits without a time up to the last of them.
    pub open: i128,
    /// Exits for whose times there was no room: sample, and how many.
    pub lost: Vec<(u32, u64)>,
    /// What cannot be.
    pub misfits: Vec<Misfit>,
    /// Phases with more exits without a time than there are vCPUs, on a kernel whose tracepoint
    /// of VM entries misses some.
    pub untimed: Vec<Open>,
    /// Samples whose times were held against the census's cycles.
    pub clocked: usize,
    /// By how much the census's time of an exit is longer, nanoseconds: the mean over all exits
    /// up to the first sample.
    pub longer: Option<f64>,
    /// Times that do not fit into the census's: sample, reason, nanoseconds of both.
    pub overlong: Vec<(u32, Option<u32>, u128, u128)>,
}

/// Exits without a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Number of the sample at the phase's end.
    pub sample: u32,
    /// How many there are.
    pub open: i128,
    /// How many there may be: one of each vCPU.
    pub most: u64,
}

/// Times that cannot be those of the exits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// More times than exits: sample, reason, times, exits.
    More(u32, Option<u32>, u64, u64),
    /// Exits without a time that are no vCPU's last one.
    Open(Open),
    /// Times that became fewer, or a sum that so many of them cannot have: sample, reason.
    Impossible(u32, Option<u32>),
}

/// By how much both clocks may differ: the trace clock's frequency is the kernel's first
/// measure of the TSC, and the host's clock may be steered (at most 0.05 %, adjtimex(2)).
const TOLERANCE: f64 = 0.01;

/// By how much the census's time of an exit may be longer, nanoseconds, in the mean. It is taken
/// outside of both tracepoints; between them lie some 4,000 instructions, most of which add an
/// entry to the histograms.
pub const MOST_LONGER: f64 = 100_000.0;

impl DurationCheck {
    /// Holds the times of a run against its counts.
    pub fn of(
        durations: Option<&Durations>,
        record: &RunRecord,
        reasons: &ReasonTable,
    ) -> DurationCheck {
        let mut check = DurationCheck::default();
        let Some(durations) = durations.filter(|d| d.lacks.is_none()) else {
            return check;
        };
        let misses = may_miss_entries(&record.provenance.host_kernel);
        let vcpus = record.vcpus().unwrap_or(u64::MAX);
        for span in durations.spans.iter().filter(|span| !span.is_whole()) {
            check.span(record, span, vcpus, misses);
        }
        let hz = tsc_hz(record);
        let mut before = BTreeMap::new();
        let readings = readings(record).unwrap_or_default();
        check.samples = readings.len();
        for (sample, (trace, told)) in record.samples.iter().zip(readings) {
            let lost = told.dropped.saturating_add(told.unsent);
            if lost > 0 {
                check.lost.push((sample.number, lost));
            }
            let now = spreads(told, reasons);
            check.possible(sample.number, &before, &now);
            let cycles = trace.stats.as_ref().and_then(|stats| stats.cycles.as_ref());
            if let (Some(cycles), Some(hz)) = (cycles, hz) {
                let ns = |cycles: u64| cycles as f64 / hz * 1e9;
                let clocked = cycles.iter().map(|cycles| ns(*cycles)).collect::<Vec<_>>();
                check.clocked(sample.number, &now, &clocked, reasons);
            }
            check.open = open(trace, told, reasons);
            before = now;
        }
        check
    }

    fn span(&mut self, record: &RunRecord, span: &Span, vcpus: u64, misses: bool) {
        let sample = record.samples.get(span.to).map_or(0, |s| s.number);
        let more = span.rows.iter().filter(|row| row.open() < 0);
        self.misfits
            .extend(more.map(|r| Misfit::More(sample, r.reason, r.spread.count(), r.exits)));
        let open: i128 = span.rows.iter().map(|row| row.open().max(0)).sum();
        if open > i128::from(vcpus) {
            let most = vcpus;
            let open = Open { sample, open, most };
            match misses {
                true => self.untimed.push(open),
                false => self.misfits.push(Misfit::Open(open)),
            }
        }
    }

    fn possible(&mut self, sample: u32, before: &Spreads, now: &Spreads) {
        let none = Spread::default();
        let then = |reason| before.get(reason).unwrap_or(&none);
        let wrong = now.iter().filter(|(reason, spread)| {
            let new = spread.since(then(reason));
            !new.is_some_and(|new| new.is_possible())
        });
        let gone = before.keys().filter(|reason| !now.contains_key(*reason));
        let all = wrong.map(|(reason, _)| reason).chain(gone);
        self.misfits
            .extend(all.map(|reason| Misfit::Impossible(sample, *reason)));
    }

    /// The times up to a sample, and the census's of each slot, nanoseconds.
    fn clocked(&mut self, sample: u32, now: &Spreads, census: &[f64], reasons: &ReasonTable) {
        self.clocked += 1;
        for (reason, spread) in now {
            let slot = reason.and_then(|reason| reasons.slot(reason));
            let Some(census) = slot.and_then(|slot| census.get(slot)) else {
                continue;
            };
            // Each time is rounded to a nanosecond.
            let most = census * (1.0 + TOLERANCE) + spread.count() as f64;
            if spread.sum() as f64 > most {
                let found = (sample, *reason, spread.sum(), census.max(0.0) as u128);
                self.overlong.push(found);
            }
        }
        // Later ones hold pauses of samples, which no time does.
        if self.clocked == 1 {
            let all = Spread::of_all(now.values());
            let longer = census.iter().sum::<f64>() - all.sum() as f64;
            self.longer = (all.count() > 0).then(|| longer / all.count() as f64);
        }
    }

    /// Whether the census's time of an exit is longer than both can be apart.
    pub fn is_far(&self) -> bool {
        self.longer.is_some_and(|longer| longer > MOST_LONGER)
    }
}

type Spreads = BTreeMap<Option<u32>, Spread>;

fn open(trace: &TraceReading, told: &record::Durations, reasons: &ReasonTable) -> i128 {
    let exits = exits(trace, reasons).into_values().map(i128::from);
    let times = spreads(told, reasons).into_values();
    exits.sum::<i128>() - times.map(|spread| i128::from(spread.count())).sum::<i128>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    fn check(change: impl FnOnce(&mut RunRecord)) -> DurationCheck {
        let mut record = fixture::timed();
        change(&mut record);
        let durations = Durations::of(&record, record.reasons());
        DurationCheck::of(durations.as_ref(), &record, record.reasons())
    }

    fn told(record: &mut RunRecord, at: usize) -> &mut record::Durations {
        let trace = record.samples[at].trace.as_mut().unwrap();
        trace.durations.as_mut().unwrap()
    }

    #[test]
    fn times_are_as_many_as_exits_but_for_one_of_each_vcpu_in_each_phase() {
        let right = check(|_| {});
        assert_eq!((right.samples, right.open, right.clocked), (3, 3, 3));
        assert_eq!(
            (&right.misfits[..], &right.overlong[..]),
            (&[][..], &[][..])
        );
        assert!(
            (900.0..1100.0).contains(&right.longer.unwrap()),
            "{right:?}"
        );

        let fewer = |record: &mut RunRecord| {
            let bucket = &mut told(record, 0).buckets[0];
            let each = bucket.sum / bucket.count;
            bucket.count -= 2;
            bucket.sum -= 2 * each;
        };
        let found = check(fewer);
        let (sample, open, most) = (1, 3, 1);
        let open = Open { sample, open, most };
        // And the next phase has more times than exits.
        assert_eq!(found.misfits[0], Misfit::Open(open.clone()));
        assert!(matches!(
            found.misfits[1],
            Misfit::More(2, Some(1), 103, 101)
        ));
        let older = check(|record| {
            fewer(record);
            record.provenance.host_kernel = "6.1.0-56-cloud-amd64".to_owned();
        });
        assert_eq!(older.untimed, [open]);
    }

    #[test]
    fn what_cannot_be_is_found() {
        let less = check(|record| told(record, 2).buckets[0].count -= 700);
        let first = Some(1);
        assert!(less.misfits.contains(&Misfit::Impossible(3, first)));
        let lost = check(|record| told(record, 1).dropped = 7);
        assert_eq!(lost.lost, [(2, 7)]);
        let shorter = check(|record| {
            let stats = record.samples[1].trace.as_mut().unwrap().stats.as_mut();
            stats.unwrap().cycles.as_mut().unwrap()[1] /= 2;
        });
        let (sample, reason, ..) = shorter.overlong[0];
        assert_eq!((sample, reason), (2, first));
        let far = check(|record| {
            let stats = record.samples[0].trace.as_mut().unwrap().stats.as_mut();
            stats.unwrap().cycles.as_mut().unwrap()[30] *= 50;
        });
        assert!(far.is_far() && !check(|_| {}).is_far());
    }
}
