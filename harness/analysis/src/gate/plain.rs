//! The verdict for people, everywhere.

use super::judge::{Judgement, Outcome};

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
    let mut text = format!("gate {}: {}", judgement.rules, judgement.head);
    if let Some(base) = &judgement.base {
        text += &format!(" against {base}");
    }
    text += "\n";
    for line in &judgement.provenance {
        text += &format!("  {line}\n");
    }
    let mut cases: Vec<_> = judgement.cases.iter().collect();
    cases.sort_by_key(|case| case.outcome);
    for case in cases {
        if case.outcome == Outcome::Passed && case.details.is_empty() {
            continue;
        }
        let word = case.outcome.word().to_uppercase();
        text += &format!(
            "\n{word}: {} · {} · {} ({})\n",
            case.rule, case.phase, case.cell, case.place
        );
        for detail in &case.details {
            text += &format!("  {detail}\n");
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
