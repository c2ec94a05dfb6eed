//! Rules that cannot be meant for the runs that were given, as errors.

use super::rules::{PhaseChoice, Rule};
use crate::compare::CellCounts;
use exitlab_base::error::Error;

pub(super) fn no_baseline(rule: &Rule, head: &CellCounts, none: bool) -> Error {
    let (what, cure) = match none {
        true => (
            "no baseline is given".to_owned(),
            "add baseline = \"FILE\" to the rules, or give --base FILE; `exitlab baseline save` \
             makes one",
        ),
        false => (
            format!("the baseline has no cell {}", head.key),
            "add it: exitlab baseline update FILE RUN",
        ),
    };
    Error::Config {
        message: format!(
            "{}: rule `{}` needs a baseline: {what}",
            rule.place, rule.title
        ),
        cure: cure.to_owned(),
    }
}

pub(super) fn no_phase_in_baseline(rule: &Rule, head: &CellCounts, phase: &str) -> Error {
    Error::Config {
        message: format!(
            "{}: rule `{}`: the baseline of {} has no phase `{phase}`",
            rule.place, rule.title, head.key
        ),
        cure: "update the baseline: exitlab baseline update".to_owned(),
    }
}

pub(super) fn no_such_phase(rule: &Rule, cells: &[&CellCounts]) -> Error {
    let phase = match &rule.scope.phase {
        PhaseChoice::Named(name) => name.as_str(),
        PhaseChoice::Each => "any",
    };
    let mut known: Vec<&str> = cells.iter().flat_map(|cell| cell.phase_names()).collect();
    known.sort_unstable();
    known.dedup();
    Error::Config {
        message: format!(
            "{}: rule.phase = \"{phase}\": no run has this phase (rule `{}`)",
            rule.place, rule.title
        ),
        cure: format!(
            "choose from {}; `idle` is every idle interval",
            known.join(", ")
        ),
    }
}
