//! What came of a gate.

use super::limit::Kept;

/// What came of one case. The order is that of what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A rule is broken.
    Failed,
    /// Neither is known.
    Undecided,
    /// The rule is kept.
    Passed,
}

/// One rule in one phase of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The cell, for people; of an allowance, where it is.
    pub cell: String,
    /// The phase's name.
    pub phase: String,
    /// The rule's title.
    pub rule: String,
    /// `gate.toml:12`
    pub place: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why: what broke the rule or could not be decided, and what was allowed.
    pub details: Vec<String>,
    /// How many counts were judged.
    pub counts: usize,
}

/// All verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The file of rules.
    pub rules: String,
    /// What was judged against; `None` if no rule needs it.
    pub base: Option<String>,
    /// What was judged.
    pub head: String,
    /// What was compared with what, a line for each cell.
    pub compared: Vec<String>,
    /// The cases, by rule.
    pub cases: Vec<Case>,
}

impl Judgement {
    /// How many cases came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.cases
            .iter()
            .filter(|case| case.outcome == outcome)
            .count()
    }

    /// The worst outcome of all.
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.cases.iter().map(|case| case.outcome);
        outcomes.min().unwrap_or(Outcome::Undecided)
    }
}

impl Case {
    /// Takes in what came of each count, and why that may be: what breaks the rule is told first.
    pub(super) fn take(&mut self, kept: Vec<(Kept, &[String])>) {
        let mut broken = Vec::new();
        let mut unknown = Vec::new();
        for (kept, why) in kept {
            let (lines, what) = match kept {
                Kept::Yes => continue,
                Kept::No(what) => (&mut broken, what),
                Kept::Unknown(what) => (&mut unknown, what),
            };
            lines.push(what);
            lines.extend(why.iter().map(|line| format!("  {line}")));
        }
        self.outcome = match (broken.is_empty(), unknown.is_empty()) {
            (false, _) => Outcome::Failed,
            (true, false) => Outcome::Undecided,
            (true, true) => Outcome::Passed,
        };
        let allowed = std::mem::take(&mut self.details);
        self.details = [broken, unknown, allowed].concat();
    }
}
