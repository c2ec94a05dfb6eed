//! The verdict for people, everywhere.

use super::judgement::{Judgement, Outcome};
use exitlab_base::foreign::{cell, line};

impl Outcome {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Failed => "failed",
            Outcome::Undecided => "undecided",
            Outcome::Passed => "passed",
        }
    }
}

/// Every case that did not pass with what it says, what was allowed, and the verdict.
pub fn plain(judgement: &Judgement) -> String {
    let mut sides = format!("gate {}: {}", judgement.rules, judgement.head);
    if let Some(base) = &judgement.base {
        sides += &format!(" against {base}");
    }
    let mut text = format!("{}\n", line(&sides));
    for compared in &judgement.compared {
        text += &format!("  {}\n", line(compared));
    }
    let mut cases: Vec<_> = judgement.cases.iter().collect();
    cases.sort_by_key(|case| case.outcome);
    for case in cases {
        if case.outcome == Outcome::Passed && case.details.is_empty() {
            continue;
        }
        let word = case.outcome.word().to_uppercase();
        let (rule, phase) = (cell(&case.rule), cell(&case.phase));
        let title = format!("{word}: {rule} · {phase} · {} ({})", case.cell, case.place);
        text += &format!("\n{}\n", line(&title));
        for detail in &case.details {
            text += &format!("  {}\n", line(detail));
        }
    }
    text + &format!("\n{}\n", sentence(judgement))
}

/// `Verdict: failed. 10 passed, 1 failed, 0 undecided.`
pub(super) fn sentence(judgement: &Judgement) -> String {
    let count = |outcome| judgement.count(outcome);
    format!(
        "Verdict: {}. {} passed, {} failed, {} undecided.",
        judgement.outcome().word(),
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::Undecided)
    )
}
