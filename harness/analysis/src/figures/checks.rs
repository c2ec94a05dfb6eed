//! Whether a run's samples are those of its plan, and whether clocks and counters agree with
//! one another. Every law is named in [`Law`], which says what a breach of it means; each that
//! is broken is reported with its numbers.

mod law;

pub use law::{Class, Law};

use super::clocks::ClockCheck;
use super::counter::{CPUID, Quantity};
use super::details::Details;
use super::durations::{DurationCheck, Durations};
use super::log::LogCheck;
use super::possible::Excess;
use super::sampling::{Rise, SamplingCost};
use super::totals::{Overrun, TotalsCheck};
use super::trace::TraceCheck;
use exitlab_model::planned;
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{Channel, RunRecord, Sample, StatsReading};

/// The outcome of all checks over the samples of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checks {
    /// How many samples the plan asks for; absent where the plan is not known.
    pub planned: Option<usize>,
    /// Samples are those of the plan: where they are not, what was expected, and what came.
    pub unplanned: Option<(String, String)>,
    /// Clocks run forwards, and reach each planned moment.
    pub clocks: ClockCheck,
    /// Samples whose counts were held against the cycles that had passed.
    pub possible_samples: usize,
    /// Counts are possible: where there were more exits than cycles.
    pub excesses: Vec<Excess>,
    /// Samples in which `cpuid` was compared with the `stats` readings on both sides.
    pub compared_samples: usize,
    /// Reason numbers compared in each of them, undefined ones included.
    pub compared_reasons: usize,
    /// Whether their cycles were compared, too.
    pub compared_cycles: bool,
    /// `stats ≤ cpuid ≤ stats-after` for every reason: where it is broken.
    pub disagreements: Vec<Disagreement>,
    /// A reading causes as many CPUID exits as it reads leaves: one entry for
    /// each sample that can tell, good or bad.
    pub reading_costs: Vec<ReadingCost>,
    /// `stats` readings whose sum was compared.
    pub summed_readings: usize,
    /// How many of KVM's own exits at the end were rounds in which it emulated the guest
    /// instead of entering it; absent where it never does.
    pub emulated: Option<u128>,
    /// All reasons together are KVM's own count of exits, or less than it where it
    /// emulates the guest now and then: where it is broken.
    pub sum_mismatches: Vec<SumMismatch>,
    /// Pairs of consecutive readings of one channel.
    pub followed_readings: usize,
    /// No count and no cycles ever decrease: where it is broken.
    pub decreases: Vec<Decrease>,
    /// The totals that the guest read enclose the sum over its reasons.
    pub totals: TotalsCheck,
    /// Samples whose cycles were held against the time that had passed.
    pub timed_samples: usize,
    /// The cycles of all reasons fit into the time that passed: where it is broken.
    pub overruns: Vec<Overrun>,
    /// The tracepoint counted the same at the same standstill.
    pub trace: TraceCheck,
    /// How often details are not what they must be: sums that differ, and histograms that
    /// lost something.
    pub wrong_details: usize,
    /// Times are those of the exits that were counted.
    pub durations: DurationCheck,
    /// The log of single exits has as many as were counted.
    pub log: LogCheck,
}

/// A reason on which the channels disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The sample's number.
    pub sample: u32,
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// What they disagree on.
    pub quantity: Quantity,
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
    /// Numbers of single reasons that were read: each takes a leaf.
    pub numbers: u64,
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

    /// Whether there were fewer exits than leaves, or fewer leaves than numbers.
    pub fn is_impossible(&self) -> bool {
        self.exits < self.leaves || self.leaves < self.numbers
    }

    /// Whether there were more exits than leaves.
    pub fn is_dearer(&self) -> bool {
        self.exits > self.leaves && !self.is_impossible()
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
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// What went down.
    pub quantity: Quantity,
    /// The channel.
    pub channel: Channel,
    /// The count of the reading before.
    pub from: u64,
    /// The count.
    pub to: u64,
}

impl Checks {
    /// Checks every law on every sample that has the readings for it.
    pub fn of(record: &RunRecord, reasons: &ReasonTable) -> Checks {
        let details = Details::of(record, reasons);
        let durations = Durations::of(record, reasons);
        Checks::with(record, reasons, (details.as_ref(), durations.as_ref()))
    }

    /// The same, of a record whose details and times are known.
    pub(super) fn with(
        record: &RunRecord,
        reasons: &ReasonTable,
        (details, durations): (Option<&Details>, Option<&Durations>),
    ) -> Checks {
        let samples = &record.samples;
        let planned = record.plan.samples();
        let mut checks = Checks {
            planned: planned.as_ref().map(Vec::len),
            unplanned: planned
                .as_ref()
                .and_then(|planned| planned::mismatch(planned, samples)),
            clocks: ClockCheck::of(record, planned.as_deref().unwrap_or_default()),
            totals: TotalsCheck::of(samples, reasons),
            trace: TraceCheck::of(record, reasons),
            wrong_details: details.map_or(0, |found| found.wrong().len() + found.lost.len()),
            durations: DurationCheck::of(durations, record, reasons),
            log: LogCheck::of(record, reasons),
            emulated: record.emulates.then_some(0),
            ..Checks::default()
        };
        for sample in samples {
            for quantity in Quantity::ALL {
                checks.agreement(sample, quantity, reasons);
            }
            checks.sums(sample);
            if let Some(possible) = Excess::of(sample, record) {
                checks.possible_samples += 1;
                checks.excesses.extend(possible.err());
            }
            if let Some(fits) = Overrun::of(sample, record) {
                checks.timed_samples += 1;
                checks.overruns.extend(fits.err());
            }
        }
        let costs = samples.iter().filter_map(|s| reading_cost(s, reasons));
        checks.reading_costs = costs.collect();
        for channel in [Channel::Cpuid, Channel::Stats, Channel::Trace] {
            for quantity in Quantity::ALL {
                checks.monotony(channel, quantity, samples, reasons);
            }
        }
        checks
    }

    /// How often a law is broken.
    pub fn breaches(&self, law: Law) -> usize {
        let costs = |is: fn(&ReadingCost) -> bool| {
            let costs = self.reading_costs.iter();
            costs.filter(|cost| is(cost)).count()
        };
        match law {
            Law::Plan => usize::from(self.unplanned.is_some()),
            Law::Clocks => self.clocks.breaches.len(),
            Law::Possible => self.excesses.len(),
            Law::Agreement => self.disagreements.len(),
            Law::LeastPrice => costs(ReadingCost::is_impossible),
            Law::Price => costs(ReadingCost::is_dearer),
            Law::Sum => self.sum_mismatches.len(),
            Law::Monotony => self.decreases.len(),
            Law::Totals => self.totals.unbracketed.len(),
            Law::Time => self.overruns.len(),
            Law::Tracepoint => self.trace.mismatches.len(),
            Law::Unseen => self.trace.missed.len(),
            Law::Details => self.wrong_details,
            Law::Durations => self.durations.misfits.len() + self.durations.lost.len(),
            Law::Untimed => self.durations.untimed.len(),
            Law::Clocked => self.durations.overlong.len() + usize::from(self.durations.is_far()),
            Law::Log => self.log.mismatches.len(),
            Law::WholeLog => usize::from(self.log.left_out > 0),
        }
    }

    /// The laws of a class that are broken.
    pub fn broken(&self, class: Class) -> Vec<Law> {
        let laws = Law::ALL.into_iter();
        laws.filter(|law| law.class() == class && self.breaches(*law) > 0)
            .collect()
    }

    /// True if no law is broken.
    pub fn hold(&self) -> bool {
        Law::ALL.iter().all(|law| self.breaches(*law) == 0)
    }

    fn agreement(&mut self, sample: &Sample, quantity: Quantity, reasons: &ReasonTable) {
        let read = sample.cpuid.as_ref().and_then(|r| quantity.of_cpuid(r));
        let Some(read) = read else { return };
        let bound = |reading: &Option<StatsReading>| {
            let values = quantity.of_stats(reading.as_ref()?)?;
            Some(values.to_vec())
        };
        let (before, after) = (bound(&sample.stats_before), bound(&sample.stats_after));
        // A sample read on one side only can break the law, not confirm it.
        if before.is_some() && after.is_some() {
            match quantity {
                Quantity::Count => self.compared_samples += 1,
                Quantity::Cycles => self.compared_cycles = true,
            }
            self.compared_reasons = self.compared_reasons.max(read.len());
        }
        let of_slot = |values: &Option<Vec<u64>>, slot: usize| {
            let values = values.as_ref()?;
            Some(values.get(slot).copied().unwrap_or(0))
        };
        for (slot, &cpuid) in read.iter().enumerate() {
            let (before, after) = (of_slot(&before, slot), of_slot(&after, slot));
            if before.is_some_and(|n| n > cpuid) || after.is_some_and(|n| n < cpuid) {
                self.disagreements.push(Disagreement {
                    sample: sample.number,
                    reason: reasons.number(slot),
                    quantity,
                    before,
                    cpuid,
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
                ..
            }) = reading
            else {
                continue;
            };
            self.summed_readings += 1;
            let sum: u128 = counts.iter().chain([other]).map(|&n| u128::from(n)).sum();
            let rest = u128::from(*exits).checked_sub(sum);
            match (&mut self.emulated, rest) {
                (Some(emulated), Some(rest)) => *emulated = rest,
                (None, Some(0)) => {}
                _ => {
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
    }

    fn monotony(
        &mut self,
        channel: Channel,
        quantity: Quantity,
        samples: &[Sample],
        reasons: &ReasonTable,
    ) {
        for pair in series(channel, quantity, samples).windows(2) {
            if quantity == Quantity::Count {
                self.followed_readings += 1;
            }
            let ((_, then), (sample, now)) = (pair[0], pair[1]);
            let values = then.iter().zip(now).enumerate();
            let fallen = values.filter(|(_, (from, to))| to < from);
            self.decreases
                .extend(fallen.map(|(slot, (&from, &to))| Decrease {
                    sample,
                    reason: reasons.number(slot),
                    quantity,
                    channel,
                    from,
                    to,
                }));
        }
    }
}

fn reading_cost(sample: &Sample, reasons: &ReasonTable) -> Option<ReadingCost> {
    let reading = sample.cpuid.as_ref()?;
    let cycles = reading.cycles.as_ref().map_or(0, Vec::len);
    let cost = SamplingCost::of(sample, reasons)?;
    Some(ReadingCost {
        sample: cost.sample,
        leaves: reading.leaves,
        numbers: (reading.counts.len() + cycles) as u64,
        exits: cost.exits(reasons.by_mnemonic(CPUID)?.number),
        rises: cost.rises,
    })
}

/// The readings of a channel in the order in which they were taken, with the numbers of
/// their samples.
fn series(channel: Channel, quantity: Quantity, samples: &[Sample]) -> Vec<(u32, &[u64])> {
    let readings = samples.iter().flat_map(|sample| {
        let values = match channel {
            Channel::Cpuid => vec![sample.cpuid.as_ref().and_then(|r| quantity.of_cpuid(r))],
            Channel::Stats => [&sample.stats_before, &sample.stats_after]
                .map(|reading| quantity.of_stats(reading.as_ref()?))
                .to_vec(),
            Channel::Trace => vec![sample.trace.as_ref().and_then(|r| quantity.of_trace(r))],
        };
        let values = values.into_iter().flatten();
        values.map(|values| (sample.number, values))
    });
    readings.collect()
}

#[cfg(test)]
mod tests;
