//! What sampling itself costs: exits between the `stats` readings around a census.

use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{Sample, StatsReading};

/// New exits of one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rise {
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// How many.
    pub exits: u64,
}

/// Exits while one sample was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplingCost {
    /// The sample's number.
    pub sample: u32,
    /// Reasons that happened, by ascending number.
    pub rises: Vec<Rise>,
    /// Sum over all reasons.
    pub total: u64,
}

impl SamplingCost {
    /// The cost of one sample; `None` unless `stats` was read before and after.
    pub fn of(sample: &Sample, reasons: &ReasonTable) -> Option<SamplingCost> {
        let (before, after) = (sample.stats_before.as_ref()?, sample.stats_after.as_ref()?);
        let rises = rises(before, after, reasons);
        let total = rises
            .iter()
            .map(|rise| rise.exits)
            .fold(0, u64::saturating_add);
        Some(SamplingCost {
            sample: sample.number,
            rises,
            total,
        })
    }

    /// Exits of one reason.
    pub fn exits(&self, reason: u32) -> u64 {
        self.rises
            .iter()
            .find(|rise| rise.reason == reason)
            .map_or(0, |rise| rise.exits)
    }
}

fn rises(before: &StatsReading, after: &StatsReading, reasons: &ReasonTable) -> Vec<Rise> {
    let slots = after.counts.iter().enumerate().map(|(slot, &now)| {
        let then = before.counts.get(slot).copied().unwrap_or(0);
        // A decrease is no rise; the checks report it.
        Rise {
            reason: reasons.number(slot),
            exits: now.saturating_sub(then),
        }
    });
    slots.filter(|rise| rise.exits > 0).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    #[test]
    fn cost_is_the_rise_across_the_reading() {
        let mut sample = fixture::record().samples.remove(0);
        let cost = SamplingCost::of(&sample, ReasonTable::vmx()).unwrap();
        let rises: Vec<_> = cost
            .rises
            .iter()
            .map(|rise| (rise.reason, rise.exits))
            .collect();
        assert_eq!(rises, [(10, 88), (12, 2), (32, 3)]);
        assert_eq!((cost.total, cost.exits(10), cost.exits(11)), (93, 88, 0));
        sample.stats_after = None;
        assert_eq!(SamplingCost::of(&sample, ReasonTable::vmx()), None);
    }
}
