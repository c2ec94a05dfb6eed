//! The counts that a rule judges in one phase of one cell.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::rules::{Allow, Limit, ReasonChoice, Rule};
use crate::compare::{CellCounts, Item, PhaseCounts, Tally, moved};
use crate::export::{changed, moved_lines, reason_title};

/// One count that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    /// What it counts, for people.
    pub label: String,
    /// Its numbers in the base, one for each repeat; empty if the rule needs no base.
    pub base: Vec<u64>,
    /// Its numbers in the head, one for each repeat.
    pub head: Vec<u64>,
    /// What moved within it, if it changed.
    pub why: Vec<String>,
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
        let each = || {
            judged
                .iter()
                .flat_map(|&reason| self.each(reason, rule))
                .collect()
        };
        let together = |label: &str| vec![self.together(label, &judged, rule)];
        let counts = match (&rule.scope.reasons, rule.limit) {
            // Sums can be equal where their parts are not.
            (_, Limit::Exact) | (ReasonChoice::Each, _) => each(),
            (ReasonChoice::Total, _) => together("all reasons together"),
            (ReasonChoice::Class(class), _) => together(&format!("class {class}")),
            (ReasonChoice::Number(_) | ReasonChoice::Named(_), _) => each(),
        };
        (counts, left_out)
    }

    /// What a rule judges of one reason.
    fn each(&self, reason: u32, rule: &Rule) -> Vec<Count> {
        let Some(choice) = &rule.below else {
            return vec![self.single(reason)];
        };
        let title = reason_title(reason, self.head.isa);
        let count = |label: String, of: &dyn Fn(&Item, &Tally) -> bool| {
            self.count(label, Vec::new(), &|cell, phase| {
                items(cell, phase, reason, of)
            })
        };
        let chosen = |item: &Item, tally: &Tally| choice.has(item, tally.name.as_deref());
        if rule.limit != Limit::Exact {
            return vec![count(format!("{title}, {}", choice.words()), &chosen)];
        }
        let phases = self
            .base
            .iter()
            .map(|(_, phase)| *phase)
            .chain([self.phase]);
        let found = phases.flat_map(|phase| phase.below.of(reason));
        let found: BTreeSet<&Item> = found
            .filter(|(item, tally)| chosen(item, tally))
            .map(|(item, _)| item)
            .collect();
        let one = |item: &Item| {
            let label = format!("{title}, {}", item.spelling);
            count(label, &|other, _| other == item)
        };
        found.into_iter().map(one).collect()
    }

    /// Several reasons as one count.
    fn together(&self, label: &str, judged: &BTreeSet<u32>, rule: &Rule) -> Count {
        let of = |cell: &CellCounts, phase: &PhaseCounts, reason: u32| match &rule.below {
            None => phase.exits(reason, cell.repeats),
            Some(choice) => items(cell, phase, reason, &|item, tally| {
                choice.has(item, tally.name.as_deref())
            }),
        };
        let sum = |cell: &CellCounts, phase: &PhaseCounts| {
            let series = judged.iter().map(|&reason| of(cell, phase, reason));
            added(series, cell.repeats)
        };
        let label = match &rule.below {
            None => label.to_owned(),
            Some(choice) => format!("{label}, {}", choice.words()),
        };
        let why = match &rule.below {
            None => self.moved_within(judged),
            Some(_) => Vec::new(),
        };
        self.count(label, why, &sum)
    }

    fn single(&self, reason: u32) -> Count {
        let count = self.count(
            reason_title(reason, self.head.isa),
            Vec::new(),
            &|cell, phase| phase.exits(reason, cell.repeats),
        );
        let why = match count.base == count.head {
            true => Vec::new(),
            false => self.moved_below(reason),
        };
        Count { why, ..count }
    }

    fn count(
        &self,
        label: String,
        why: Vec<String>,
        of: &dyn Fn(&CellCounts, &PhaseCounts) -> Vec<u64>,
    ) -> Count {
        let base = self.base.map(|(cell, phase)| of(cell, phase));
        Count {
            label,
            base: base.unwrap_or_default(),
            head: of(self.head, self.phase),
            why,
        }
    }

    fn moved_below(&self, reason: u32) -> Vec<String> {
        let moved = self
            .base
            .map(|base| moved(base, (self.head, self.phase), reason));
        moved_lines(&moved.unwrap_or_default())
    }

    /// Which of several reasons moved the farthest, and what moved below that one.
    fn moved_within(&self, judged: &BTreeSet<u32>) -> Vec<String> {
        let Some((cell, phase)) = self.base else {
            return Vec::new();
        };
        let mean = |values: Vec<u64>| {
            let sum: u128 = values.iter().map(|&value| u128::from(value)).sum();
            sum as f64 / values.len().max(1) as f64
        };
        let change = |reason: u32| {
            let head = mean(self.phase.exits(reason, self.head.repeats));
            head - mean(phase.exits(reason, cell.repeats))
        };
        let changes = judged.iter().map(|&reason| (reason, change(reason)));
        let mut changes: Vec<(u32, f64)> = changes.filter(|(_, change)| *change != 0.0).collect();
        changes.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        let mut lines: Vec<String> = Vec::new();
        if let Some((farthest, _)) = changes.first() {
            lines.push(changed(&changes, |reason| {
                reason_title(reason, self.head.isa)
            }));
            let below = self.moved_below(*farthest);
            lines.extend(below.iter().map(|line| format!("  {line}")));
        }
        lines
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
    /// Whether it is nothing in the head.
    pub(super) fn is_none(&self) -> bool {
        self.head.iter().all(|&exits| exits == 0)
    }

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

/// How often something below a reason was, in each repeat.
fn items(
    cell: &CellCounts,
    phase: &PhaseCounts,
    reason: u32,
    of: &dyn Fn(&Item, &Tally) -> bool,
) -> Vec<u64> {
    let found = phase.below.of(reason);
    let found = found.filter(|(item, tally)| of(item, tally));
    added(found.map(|(_, tally)| tally.counts.clone()), cell.repeats)
}

/// The sums of series, repeat by repeat.
fn added(series: impl Iterator<Item = Vec<u64>>, repeats: usize) -> Vec<u64> {
    series.fold(vec![0; repeats], |mut sum, more| {
        for (sum, more) in sum.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
        sum
    })
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
