//! Whether a census can be: a VM exit takes more than a cycle, so there are fewer exits than
//! cycles since the agent started, on all vCPUs.

use exitlab_model::record::{RunRecord, Sample, StatsReading};

/// A sample with more exits than cycles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// The sample's number.
    pub sample: u32,
    /// Exits: the most of all channels, all reasons together.
    pub exits: u128,
    /// Cycles that had passed, on all vCPUs.
    pub passed: u128,
}

impl Excess {
    /// Whether a sample's counts are possible; `None` if it holds too little to tell.
    pub(super) fn of(sample: &Sample, record: &RunRecord) -> Option<Result<(), Excess>> {
        let start = record.agent_started?.host_tsc;
        let passed = sample.clocks.host_end_tsc?.saturating_sub(start);
        let excess = Excess {
            sample: sample.number,
            exits: most(sample)?,
            passed: u128::from(passed) * u128::from(record.vcpus()?),
        };
        Some(match excess.exits <= excess.passed {
            true => Ok(()),
            false => Err(excess),
        })
    }
}

/// The most exits that a channel says of a sample; none if it has no channel.
fn most(sample: &Sample) -> Option<u128> {
    let sum = |counts: &[u64]| counts.iter().map(|&n| u128::from(n)).sum::<u128>();
    let stats = |reading: &StatsReading| {
        let failed = reading.failed_entries.unwrap_or(0).into();
        let counted = sum(&reading.counts) + u128::from(reading.other);
        counted.max(reading.exits.into()).max(failed)
    };
    let readings = [&sample.stats_before, &sample.stats_after];
    let mut all: Vec<u128> = readings.into_iter().flatten().map(stats).collect();
    if let Some(cpuid) = &sample.cpuid {
        all.push(sum(&cpuid.counts).max(cpuid.leaves.into()));
    }
    if let Some(trace) = &sample.trace {
        all.push(trace.sum());
        all.extend(trace.stats.as_ref().map(stats));
        all.extend(trace.exits.map(|own| u128::from(own.least)));
    }
    all.into_iter().max()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    #[test]
    fn more_exits_than_cycles_cannot_be() {
        let record = fixture::record();
        let mut sample = record.samples[0].clone();
        assert_eq!(Excess::of(&sample, &record), Some(Ok(())));
        sample.stats_before = None;
        sample.stats_after = None;
        sample.cpuid.as_mut().unwrap().counts[3] = u64::MAX;
        let excess = Excess::of(&sample, &record).unwrap().unwrap_err();
        assert!(excess.exits > u128::from(u64::MAX), "{excess:?}");
        sample.cpuid = None;
        assert_eq!(Excess::of(&sample, &record), None);
    }
}
