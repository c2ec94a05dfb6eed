//! Cases that no count decides: what has expired, and what there is nothing to judge by.

use jiff::civil::Date;

use super::judgement::{Case, Outcome};
use super::rules::{Allow, Rule, Rules};
use crate::compare::{CellCounts, Difference, Side};
use exitlab_base::foreign::cell;
use exitlab_model::platform::PlatformKind;

/// Allowances that hold no longer: each fails by itself, so that nobody forgets it.
pub(super) fn expired(rules: &Rules, today: Date) -> Vec<Case> {
    let case = |allow: &Allow| Case {
        cell: "allowances".to_owned(),
        phase: "all".to_owned(),
        rule: "an allowance holds until its date".to_owned(),
        place: allow.place.clone(),
        outcome: Outcome::Failed,
        details: vec![format!(
            "expired on {}: {}; renew it, or remove it and update the baseline",
            allow.until, allow.because
        )],
        counts: 0,
    };
    rules
        .allows
        .iter()
        .filter(|allow| allow.until < today)
        .map(case)
        .collect()
}

/// A rule that no run was given for says neither yes nor no.
pub(super) fn without_cells(rule: &Rule) -> Case {
    let platform = rule
        .scope
        .platform
        .map_or("an instruction set that has it", PlatformKind::name);

    Case {
        cell: "no run".to_owned(),
        phase: "all".to_owned(),
        rule: rule.title.clone(),
        place: rule.place.clone(),
        outcome: Outcome::Undecided,
        details: vec![format!(
            "no run of {platform} was given; --platform judges the rules of one platform only"
        )],
        counts: 0,
    }
}

/// Cells of unlike plans: what their counts differ in is what the plans differ in.
pub(super) fn unlike(head: &CellCounts, differences: &[Difference], rule: &Rule) -> Case {
    let say = |value: &Option<String>| value.as_deref().map_or("none".to_owned(), cell);
    let told = |d: &Difference| format!("{}: {} → {}", d.name, say(&d.base), say(&d.head));
    let mut details = vec![
        "the base and the run are of unlike plans, so their counts say nothing of each other; \
         what may differ is said by may_differ = [KEY, …] in the rules"
            .to_owned(),
    ];
    details.extend(differences.iter().map(told));
    Case {
        cell: head.key.to_string(),
        phase: "all".to_owned(),
        rule: "base and run are of one plan".to_owned(),
        place: rule.place.clone(),
        outcome: Outcome::Undecided,
        details,
        counts: 0,
    }
}

/// Cells of which there is no good run. Of others repeats are left, which are judged.
pub(super) fn lost(head: &Side, rules: &Rules) -> Vec<Case> {
    let place = rules.rules.first().map(|rule| rule.place.clone());
    let place = place.unwrap_or_else(|| rules.name.clone());
    let gone = head.left_out.iter().filter(|run| {
        let key = run.key.as_ref();
        key.is_none_or(|key| head.cell(key).is_none())
    });
    let case = |run: &crate::compare::LeftOut| Case {
        cell: run
            .key
            .as_ref()
            .map_or("no run".to_owned(), ToString::to_string),
        phase: "all".to_owned(),
        rule: "there is a good run of each cell".to_owned(),
        place: place.clone(),
        outcome: Outcome::Undecided,
        details: vec![run.why.clone()],
        counts: 0,
    };
    gone.map(case).collect()
}
