//! Laws about all reasons together: the totals that the guest read, and the time that
//! all cycles must fit into.

use super::counter::{CPUID, Quantity};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{CpuidReading, RunRecord, Sample, Totals};

/// The guest reads the totals just before and just after the single reasons, and
/// every leaf that it reads is a CPUID exit. So the sum over all reasons is at least the
/// total before plus the leaves from there to the count of CPUID exits, and at most the
/// total after minus the leaves from there on. If nothing but these leaves exited
/// meanwhile, both are equalities. Cycles lie between the two totals of cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TotalsCheck {
    /// Readings that came with totals.
    pub readings: usize,
    /// Those whose counts met both bounds exactly.
    pub exact: usize,
    /// Where the law is broken.
    pub unbracketed: Vec<Unbracketed>,
}

/// A sum that does not lie between the totals around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbracketed {
    /// The sample's number.
    pub sample: u32,
    /// What was summed.
    pub quantity: Quantity,
    /// How far the sum is above the total before.
    pub above: i64,
    /// How far it must be at least.
    pub least_above: i64,
    /// How far the sum is below the total after.
    pub below: i64,
    /// How far it must be at least.
    pub least_below: i64,
}

impl TotalsCheck {
    pub(super) fn of(samples: &[Sample], reasons: &ReasonTable) -> TotalsCheck {
        let mut check = TotalsCheck::default();
        for sample in samples {
            let reading = sample.cpuid.as_ref();
            let totals = reading.and_then(|r| Some((r, r.totals.as_ref()?)));
            let Some((reading, totals)) = totals else {
                continue;
            };
            check.readings += 1;
            let Some(counts) = counts(sample, reading, totals, reasons) else {
                continue;
            };
            check.exact += usize::from(counts.is_exact());
            let all = [Some(counts), cycles(sample, reading, totals)];
            let broken = all.into_iter().flatten().filter(Unbracketed::is_broken);
            check.unbracketed.extend(broken);
        }
        check
    }
}

impl Unbracketed {
    fn is_broken(&self) -> bool {
        self.above < self.least_above || self.below < self.least_below
    }

    fn is_exact(&self) -> bool {
        self.above == self.least_above && self.below == self.least_below
    }
}

/// Exits that the table does not know are part of the totals only.
fn unknown(sample: &Sample) -> u64 {
    sample.stats_before.as_ref().map_or(0, |stats| stats.other)
}

fn counts(
    sample: &Sample,
    reading: &CpuidReading,
    totals: &Totals,
    reasons: &ReasonTable,
) -> Option<Unbracketed> {
    let sum = wrapping_sum(&reading.counts).wrapping_add(unknown(sample));
    // Counts are read in the order of slots, right after the total before.
    // What a guest says of `nth` may be anything.
    let own = reasons.slot(reasons.by_mnemonic(CPUID)?.number)? as u64 + 1;
    let cpuid = totals.before.nth.wrapping_add(own);
    let bits = totals.bits;
    Some(Unbracketed {
        sample: sample.number,
        quantity: Quantity::Count,
        above: distance(totals.before.count, sum, bits),
        least_above: own as i64,
        below: distance(sum, totals.after.count, bits),
        least_below: totals.after.nth.wrapping_sub(cpuid) as i64,
    })
}

fn cycles(sample: &Sample, reading: &CpuidReading, totals: &Totals) -> Option<Unbracketed> {
    if unknown(sample) > 0 {
        return None;
    }
    let sum = wrapping_sum(reading.cycles.as_ref()?);
    Some(Unbracketed {
        sample: sample.number,
        quantity: Quantity::Cycles,
        above: distance(totals.before.cycles?, sum, 64),
        least_above: 0,
        below: distance(sum, totals.after.cycles?, 64),
        least_below: 0,
    })
}

fn wrapping_sum(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

/// From one counter value to another, where only so many low bits are known.
fn distance(from: u64, to: u64, bits: u32) -> i64 {
    let difference = to.wrapping_sub(from);
    if bits == 32 {
        i64::from(difference as u32 as i32)
    } else {
        difference as i64
    }
}

/// The cycles of all reasons are time that passed on some vCPU since the agent
/// started: they cannot be more than that time on all vCPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// The sample's number.
    pub sample: u32,
    /// Cycles of all reasons.
    pub cycles: u128,
    /// Cycles that had passed, on all vCPUs.
    pub passed: u128,
}

impl Overrun {
    /// Whether a sample's cycles fit; `None` if it holds too little to tell.
    pub(super) fn of(sample: &Sample, record: &RunRecord) -> Option<Result<(), Overrun>> {
        let last = match (&sample.stats_after, &sample.cpuid, &sample.stats_before) {
            (Some(stats), _, _) | (None, None, Some(stats)) => stats.cycles.as_ref(),
            (None, Some(cpuid), _) => cpuid.cycles.as_ref(),
            (None, None, None) => None,
        };
        let start = record.agent_started?.host_tsc;
        let passed = sample.clocks.host_end_tsc?.saturating_sub(start);
        let fits = Overrun {
            sample: sample.number,
            cycles: last?.iter().map(|&cycles| u128::from(cycles)).sum(),
            passed: u128::from(passed) * u128::from(record.vcpus()?),
        };
        Some(if fits.cycles <= fits.passed {
            Ok(())
        } else {
            Err(fits)
        })
    }
}
