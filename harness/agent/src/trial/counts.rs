//! The counts of a VM at a moment, and what rose between two moments.
//!
//! Only what rises is judged: what a kernel has counted before, of this VM or of others, is
//! for the rule of VMs alone.

use std::collections::{BTreeMap, BTreeSet};

use super::guest::Answer;
use super::shape::Shape;
use super::stats::Statistics;

/// All counts of a VM at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    by_reason: BTreeMap<u32, u32>,
    total: u32,
    statistics: Statistics,
}

/// What rose between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rise {
    /// By reason.
    pub by_reason: BTreeMap<u32, u64>,
    /// Of the total, as its own leaf says.
    pub total: u64,
    before: Statistics,
    after: Statistics,
}

impl Counts {
    /// The answers to one reading of each reason in `order`, and of the total after them.
    pub fn new(shape: &Shape, order: &[u32], answers: &[Answer], statistics: Statistics) -> Counts {
        let counts = order.iter().zip(answers);
        Counts {
            by_reason: counts.map(|(r, a)| (*r, shape.count(a))).collect(),
            // One leaf may answer both totals; whatever the register of a count is, this is
            // where counts are.
            total: answers.get(order.len()).map_or(0, |a| shape.count(a)),
            statistics,
        }
    }

    /// The same without some reasons.
    pub fn without(mut self, reasons: &BTreeSet<u32>) -> Counts {
        self.by_reason.retain(|reason, _| !reasons.contains(reason));
        self
    }

    /// What rose since then. Counters of 32 bits may wrap between.
    pub fn since(&self, before: &Counts) -> Rise {
        let rise = |(reason, after): (&u32, &u32)| {
            let before = before.by_reason.get(reason)?;
            Some((*reason, after.wrapping_sub(*before).into()))
        };
        Rise {
            by_reason: self.by_reason.iter().filter_map(rise).collect(),
            total: self.total.wrapping_sub(before.total).into(),
            before: before.statistics.clone(),
            after: self.statistics.clone(),
        }
    }
}

impl Rise {
    /// All counts together.
    pub fn sum(&self) -> u64 {
        self.by_reason.values().sum()
    }

    /// The count of a reason.
    pub fn of(&self, reason: u32) -> u64 {
        self.by_reason.get(&reason).copied().unwrap_or_default()
    }

    /// What KVM's own statistic of that name says, if there is one.
    pub fn said(&self, name: &str) -> Option<u64> {
        let before = self.before.counter(name)?;
        Some(self.after.counter(name)?.saturating_sub(before))
    }

    /// KVM's own `exits`; 0 of a KVM that does not count them.
    pub fn exits(&self) -> u64 {
        self.said("exits").unwrap_or_default()
    }

    /// What rose in each bucket of a histogram, if there is one of that name.
    pub fn histogram(&self, name: &str) -> Option<Vec<u64>> {
        let before = self.before.histogram(name)?;
        let after = self.after.histogram(name)?;
        let rise = after.iter().zip(before);
        Some(
            rise.map(|(after, before)| after.saturating_sub(*before))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: &[u32]) -> Counts {
        let answer = |value: &u32| Answer {
            eax: *value,
            ebx: 0,
            ecx: 0,
            edx: 0,
        };
        let answers: Vec<Answer> = values.iter().map(answer).collect();
        let order = [7, 8, 10];
        Counts::new(&Shape::default(), &order, &answers, Statistics::default())
    }

    #[test]
    fn what_was_counted_before_is_no_part_of_a_rise_and_counters_may_wrap() {
        let (before, after) = (counts(&[5, u32::MAX, 100, 900]), counts(&[5, 1, 130, 933]));
        let rise = after.since(&before);
        assert_eq!((rise.of(7), rise.of(8), rise.of(10)), (0, 2, 30));
        assert_eq!((rise.sum(), rise.total, rise.exits()), (32, 33, 0));
        assert_eq!(rise.said("exits"), None);
    }

    #[test]
    fn a_reason_that_never_rests_is_in_no_sum() {
        let left = counts(&[5, 9, 100, 900]).without(&BTreeSet::from([8]));
        let rise = left.since(&counts(&[4, 0, 90, 800]));
        assert_eq!((rise.of(8), rise.sum()), (0, 11));
    }
}
