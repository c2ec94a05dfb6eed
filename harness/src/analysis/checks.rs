//! Whether a run's counters agree with one another. Four laws hold for a census that
//! misses nothing, and a fifth where the kernel's tracepoint was counted, too; each that is
//! broken is reported with its numbers.

use super::sampling::{Rise, SamplingCost};
use crate::record::{Channel, Sample, StatsReading};

/// The reason of CPUID exits: the ones that reading a census by CPUID causes.
const CPUID: u32 = 10;

/// The outcome of all checks over the samples of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// Samples in which `cpuid` was compared with the `stats` readings on both sides.
    pub compared_samples: usize,
    /// Reason numbers compared in each of them, undefined ones included.
    pub compared_reasons: usize,
    /// Law 1, `stats ≤ cpuid ≤ stats-after` for every reason: where it is broken.
    pub disagreements: Vec<Disagreement>,
    /// Law 2, a reading causes as many CPUID exits as it reads leaves: one entry for
    /// each sample that can tell, good or bad.
    pub reading_costs: Vec<ReadingCost>,
    /// `stats` readings whose sum was compared.
    pub summed_readings: usize,
    /// Law 3, all reasons together are KVM's own count of exits: where it is broken.
    pub sum_mismatches: Vec<SumMismatch>,
    /// Pairs of consecutive readings of one channel.
    pub followed_readings: usize,
    /// Law 4, no count ever decreases: where it is broken.
    pub decreases: Vec<Decrease>,
    /// Samples in which the tracepoint's counts were compared with the census.
    pub traced_samples: usize,
    /// Reason numbers compared in each of them, undefined ones included.
    pub traced_reasons: usize,
    /// Law 5, the tracepoint counted the same at the same standstill: where it is broken.
    pub trace_mismatches: Vec<TraceMismatch>,
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

/// A reason on which the channels disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The sample's number.
    pub sample: u32,
    /// Basic exit reason.
    pub reason: u32,
    /// `stats` before.
    pub before: Option<u64>,
    /// `cpuid`.
    pub cpuid: u64,
    /// `stats` after.
    pub after: Option<u64>,
}

/// CPUID exits across one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingCost {
    /// The sample's number.
    pub sample: u32,
    /// Leaves that were read.
    pub leaves: u64,
    /// CPUID exits from `stats` to `stats-after`.
    pub exits: u64,
    /// Every reason that rose across the reading: where the difference comes from.
    pub rises: Vec<Rise>,
}

impl ReadingCost {
    /// CPUID exits that no leaf explains; negative if some were not counted.
    pub fn difference(&self) -> i128 {
        i128::from(self.exits) - i128::from(self.leaves)
    }
}

/// A `stats` reading whose parts do not make its whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumMismatch {
    /// The sample's number.
    pub sample: u32,
    /// True for `stats-after`, false for `stats`.
    pub after: bool,
    /// Sum over all reasons and `other`.
    pub sum: u128,
    /// KVM's own count.
    pub exits: u64,
}

/// A count that went down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decrease {
    /// Number of the sample with the lower count.
    pub sample: u32,
    /// Basic exit reason.
    pub reason: u32,
    /// The channel.
    pub channel: Channel,
    /// The count of the reading before.
    pub from: u64,
    /// The count.
    pub to: u64,
}

impl Checks {
    /// Checks every law on every sample that has the readings for it.
    pub fn of(samples: &[Sample]) -> Checks {
        let mut checks = Checks::default();
        for sample in samples {
            checks.agreement(sample);
            checks.sums(sample);
            checks.trace(sample);
        }
        checks.reading_costs = samples.iter().filter_map(reading_cost).collect();
        checks.monotony(Channel::Cpuid, &cpuid_series(samples));
        checks.monotony(Channel::Stats, &stats_series(samples));
        checks.monotony(Channel::Trace, &trace_series(samples));
        checks
    }

    /// True if no law is broken.
    pub fn hold(&self) -> bool {
        self.disagreements.is_empty()
            && self.reading_costs.iter().all(|cost| cost.difference() == 0)
            && self.sum_mismatches.is_empty()
            && self.decreases.is_empty()
            && self.trace_mismatches.is_empty()
    }

    fn agreement(&mut self, sample: &Sample) {
        let Some(cpuid) = &sample.cpuid else { return };
        // A sample read on one side only can break the law, not confirm it.
        if sample.stats_before.is_some() && sample.stats_after.is_some() {
            self.compared_samples += 1;
            self.compared_reasons = self.compared_reasons.max(cpuid.counts.len());
        }
        for (reason, &count) in (0..).zip(&cpuid.counts) {
            let (before, after) = (
                count_of(sample.stats_before.as_ref(), reason),
                count_of(sample.stats_after.as_ref(), reason),
            );
            if before.is_some_and(|n| n > count) || after.is_some_and(|n| n < count) {
                let sample = sample.number;
                self.disagreements.push(Disagreement {
                    sample,
                    reason,
                    before,
                    cpuid: count,
                    after,
                });
            }
        }
    }

    fn sums(&mut self, sample: &Sample) {
        for (after, reading) in [(false, &sample.stats_before), (true, &sample.stats_after)] {
            let Some(StatsReading {
                counts,
                other,
                exits,
            }) = reading
            else {
                continue;
            };
            self.summed_readings += 1;
            let sum = counts.iter().chain([other]).map(|&n| u128::from(n)).sum();
            if sum != u128::from(*exits) {
                let sample = sample.number;
                self.sum_mismatches.push(SumMismatch {
                    sample,
                    after,
                    sum,
                    exits: *exits,
                });
            }
        }
    }

    fn trace(&mut self, sample: &Sample) {
        let Some(trace) = &sample.trace else { return };
        let reasons = trace.counts.len().max(trace.stats.counts.len());
        self.traced_samples += 1;
        self.traced_reasons = self.traced_reasons.max(reasons);
        let count = |counts: &[u64], reason: usize| counts.get(reason).copied().unwrap_or(0);
        let by_reason = (0..reasons).map(|reason| {
            let trace_count = count(&trace.counts, reason);
            let stats_count = count(&trace.stats.counts, reason);
            (
                Traced::Reason(reason as u32),
                trace_count.into(),
                stats_count.into(),
            )
        });
        let events = trace.counts.iter().chain([&trace.other]);
        let all = events.map(|&n| u128::from(n)).sum();
        let rest = [
            (Traced::Other, trace.other.into(), trace.stats.other.into()),
            (Traced::All, all, trace.stats.exits.into()),
        ];
        let differ = by_reason
            .chain(rest)
            .filter(|(_, trace, stats)| trace != stats);
        let sample = sample.number;
        self.trace_mismatches
            .extend(differ.map(|(what, trace, stats)| TraceMismatch {
                sample,
                what,
                trace,
                stats,
            }));
    }

    fn monotony(&mut self, channel: Channel, series: &[(u32, &[u64])]) {
        for pair in series.windows(2) {
            self.followed_readings += 1;
            let ((_, then), (sample, now)) = (pair[0], pair[1]);
            let counts = (0..).zip(then.iter().zip(now));
            self.decreases
                .extend(counts.filter(|(_, (from, to))| to < from).map(
                    |(reason, (&from, &to))| Decrease {
                        sample,
                        reason,
                        channel,
                        from,
                        to,
                    },
                ));
        }
    }
}

fn count_of(reading: Option<&StatsReading>, reason: u32) -> Option<u64> {
    Some(reading?.counts.get(reason as usize).copied().unwrap_or(0))
}

fn reading_cost(sample: &Sample) -> Option<ReadingCost> {
    let leaves = sample.cpuid.as_ref()?.leaves;
    let cost = SamplingCost::of(sample)?;
    Some(ReadingCost {
        sample: cost.sample,
        leaves,
        exits: cost.exits(CPUID),
        rises: cost.rises,
    })
}

fn cpuid_series(samples: &[Sample]) -> Vec<(u32, &[u64])> {
    samples
        .iter()
        .filter_map(|s| Some((s.number, &*s.cpuid.as_ref()?.counts)))
        .collect()
}

fn trace_series(samples: &[Sample]) -> Vec<(u32, &[u64])> {
    samples
        .iter()
        .filter_map(|s| Some((s.number, &*s.trace.as_ref()?.counts)))
        .collect()
}

fn stats_series(samples: &[Sample]) -> Vec<(u32, &[u64])> {
    let readings = samples.iter().flat_map(|sample| {
        let both = [&sample.stats_before, &sample.stats_after];
        both.into_iter()
            .flatten()
            .map(|reading| (sample.number, &*reading.counts))
    });
    readings.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::analysis::fixture;
    use crate::record::TraceReading;

    /// The fixture's checks after one change to its second sample.
    fn after(change: impl FnOnce(&mut Sample)) -> Checks {
        let mut samples = fixture::record().samples;
        change(&mut samples[1]);
        Checks::of(&samples)
    }

    #[test]
    fn a_good_run_holds() {
        let checks = Checks::of(&fixture::record().samples);
        assert!(checks.hold(), "{checks:?}");
        assert_eq!((checks.compared_samples, checks.compared_reasons), (3, 86));
        assert_eq!(
            (checks.summed_readings, checks.followed_readings),
            (6, 2 + 5)
        );
        assert_eq!(checks.reading_costs.len(), 3);
    }

    #[test]
    fn channels_that_disagree_are_listed() {
        let checks = after(|sample| sample.cpuid.as_mut().unwrap().counts[48] = 8671);
        let expected = Disagreement {
            sample: 2,
            reason: 48,
            before: Some(8672),
            cpuid: 8671,
            after: Some(8672),
        };
        assert_eq!(checks.disagreements, [expected]);
        let checks = after(|sample| sample.cpuid.as_mut().unwrap().counts[49] = 875);
        assert_eq!(checks.disagreements.len(), 1);
        let one_sided = after(|sample| sample.stats_after = None);
        assert!(one_sided.disagreements.is_empty() && one_sided.compared_samples == 2);
    }

    #[test]
    fn cpuid_exits_beyond_the_leaves_are_a_difference() {
        let checks = after(|sample| sample.cpuid.as_mut().unwrap().leaves = 80);
        let differences: Vec<_> = checks
            .reading_costs
            .iter()
            .map(ReadingCost::difference)
            .collect();
        assert_eq!(differences, [0, 6, 0]);
        assert!(!checks.hold());
    }

    #[test]
    fn a_sum_that_misses_exits_is_reported() {
        let checks = after(|sample| sample.stats_after.as_mut().unwrap().exits += 7);
        let [mismatch] = &checks.sum_mismatches[..] else {
            panic!("{checks:?}")
        };
        assert!(mismatch.after && mismatch.sum + 7 == u128::from(mismatch.exits));
    }

    #[test]
    fn a_count_that_falls_is_reported_by_channel() {
        let checks = after(|sample| sample.stats_before.as_mut().unwrap().counts[12] = 20);
        let expected = Decrease {
            sample: 2,
            reason: 12,
            channel: Channel::Stats,
            from: 21,
            to: 20,
        };
        assert_eq!(checks.decreases, [expected]);
    }

    #[test]
    fn a_tracepoint_that_counted_otherwise_is_reported_by_reason() {
        let trace = |sample: &Sample| {
            let stats = sample.stats_before.clone().unwrap();
            TraceReading {
                counts: stats.counts.clone(),
                other: 0,
                stats,
            }
        };
        let good = after(|sample| sample.trace = Some(trace(sample)));
        assert_eq!((good.traced_samples, good.traced_reasons), (1, 86));
        assert!(good.hold(), "{good:?}");

        let bad = after(|sample| {
            let mut trace = trace(sample);
            trace.counts[48] += 1;
            trace.other = 2;
            sample.trace = Some(trace);
        });
        let found: Vec<_> = bad.trace_mismatches.iter().map(|m| m.what).collect();
        assert_eq!(found, [Traced::Reason(48), Traced::Other, Traced::All]);
        let off = |at: usize| bad.trace_mismatches[at].trace - bad.trace_mismatches[at].stats;
        assert_eq!((off(0), off(1), off(2)), (1, 2, 3));
        assert!(!bad.hold());
    }

    #[test]
    fn nothing_to_compare_is_not_a_failure() {
        assert_eq!(Checks::of(&[]), Checks::default());
        assert!(Checks::default().hold());
    }
}
