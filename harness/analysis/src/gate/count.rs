//! The counts that a rule judges in one phase of one cell.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::rules::{Allow, Limit, ReasonChoice, Rule};
use crate::compare::{CellCounts, PhaseCounts};
use crate::export::reason_title;

/// One count that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    /// What it counts, for people.
    pub label: String,
    /// Its numbers in the base, one for each repeat; empty if the rule needs no base.
    pub base: Vec<u64>,
    /// Its numbers in the head, one for each repeat.
    pub head: Vec<u64>,
}

/// One phase of a pair of cells, as a rule sees it.
pub(super) struct View<'a> {
    pub head: &'a CellCounts,
    pub phase: &'a PhaseCounts,
    pub base: Option<(&'a CellCounts, &'a PhaseCounts)>,
    pub allows: &'a [Allow],
    pub today: Date,
}

impl View<'_> {
    /// Every count of a rule, and what is left out of it because it is allowed.
    pub(super) fn counts(&self, rule: &Rule) -> (Vec<Count>, Vec<String>) {
        let isa = self.head.isa;
        let base = self
            .base
            .into_iter()
            .flat_map(|(_, phase)| phase.reasons.keys());
        let mut reasons: BTreeSet<u32> = base.chain(self.phase.reasons.keys()).copied().collect();
        reasons.retain(|&reason| rule.scope.reasons.has(reason, isa));
        let (allowed, judged): (BTreeSet<u32>, BTreeSet<u32>) = reasons
            .into_iter()
            .partition(|&reason| self.allowed(reason).is_some());
        let left_out = allowed
            .iter()
            .filter_map(|&reason| self.left_out(reason))
            .collect();
        let together = |label: String| {
            let sum = |cell: &CellCounts, phase: &PhaseCounts| -> Vec<u64> {
                let series: Vec<Vec<u64>> = judged
                    .iter()
                    .map(|&reason| phase.exits(reason, cell.repeats))
                    .collect();
                (0..cell.repeats)
                    .map(|at| series.iter().map(|numbers| numbers[at]).sum())
                    .collect()
            };
            vec![Count {
                label,
                base: self
                    .base
                    .map_or_else(Vec::new, |(cell, phase)| sum(cell, phase)),
                head: sum(self.head, self.phase),
            }]
        };
        let each = || judged.iter().map(|&reason| self.single(reason)).collect();
        let counts = match (&rule.scope.reasons, rule.limit) {
            // Sums can be equal where their parts are not.
            (_, Limit::Exact) | (ReasonChoice::Each, _) => each(),
            (ReasonChoice::Total, _) => together("all reasons together".to_owned()),
            (ReasonChoice::Class(class), _) => together(format!("class {class}")),
            (ReasonChoice::Number(_) | ReasonChoice::Named(_), _) => each(),
        };
        (counts, left_out)
    }

    fn single(&self, reason: u32) -> Count {
        let base = self
            .base
            .map(|(cell, phase)| phase.exits(reason, cell.repeats));
        Count {
            label: reason_title(reason, self.head.isa),
            base: base.unwrap_or_default(),
            head: self.phase.exits(reason, self.head.repeats),
        }
    }

    /// The allowance that still holds for a reason in this phase.
    fn allowed(&self, reason: u32) -> Option<&Allow> {
        self.allows.iter().find(|allow| {
            self.today <= allow.until
                && allow.scope.concerns(&self.head.key.platform)
                && allow.scope.phase.has(&self.phase.name)
                && allow.scope.reasons.has(reason, self.head.isa)
        })
    }

    /// What to say of an allowed reason; nothing if it did not change.
    fn left_out(&self, reason: u32) -> Option<String> {
        let allow = self.allowed(reason)?;
        let count = self.single(reason);
        (count.base != count.head).then(|| {
            format!(
                "allowed until {}: {} ({}): {}",
                allow.until,
                count.label,
                count.change(),
                allow.because
            )
        })
    }
}

impl Count {
    /// `888 → 889, +1`, or without a base `889`.
    pub(super) fn change(&self) -> String {
        let head = number(&self.head);
        if self.base.is_empty() {
            return head;
        }
        let mean = |values: &[u64]| values.iter().sum::<u64>() as f64 / values.len().max(1) as f64;
        let (before, now) = (mean(&self.base), mean(&self.head));
        let change = now - before;
        let sign = if change > 0.0 { "+" } else { "" };
        let part = match before > 0.0 && change != 0.0 {
            true => format!(", {sign}{:.2} %", change / before * 100.0),
            false => String::new(),
        };
        let change = match change.fract() == 0.0 {
            true => format!("{change:.0}"),
            false => format!("{change:.1}"),
        };
        format!("{} → {head}, {sign}{change}{part}", number(&self.base))
    }
}

fn number(values: &[u64]) -> String {
    match values {
        [first, others @ ..] if others.iter().all(|other| other == first) => first.to_string(),
        values => {
            let least = values.iter().min().copied().unwrap_or(0);
            let most = values.iter().max().copied().unwrap_or(0);
            format!("{least}…{most}")
        }
    }
}
