//! The rules that an exit census must keep, and what was found of each.

mod death;

pub use death::{Illness, illness_in};

use serde::{Deserialize, Serialize};

/// A rule. Ten of them are about a mistake that is made in practice, and carry its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// There is a census at all.
    Present,
    /// Every leaf of the form is answered.
    Leaves,
    /// The right answer in the right registers.
    Answers,
    /// Nothing left over in any register.
    Registers,
    /// Counting prints nothing and allocates nothing.
    Quiet,
    /// Reasons that KVM dispatches by a shortcut are counted.
    Shortcuts,
    /// Exits that a fast path handles are counted.
    FastPaths,
    /// No count is lost between vCPUs.
    NoneLost,
    /// A VM sees its own exits only.
    PerVm,
    /// A failed VM entry counts under its basic reason.
    BasicReason,
    /// Cycles run from VM exit to VM entry.
    Cycles,
    /// The totals are the sums.
    Totals,
    /// `KVM_GET_STATS_FD` says the same as the leaves.
    Statistics,
    /// Defined, enabled, not enabled: from the controls in force.
    Status,
    /// The reasons that count as defined are those of a manual.
    ReasonTable,
    /// All leaf maps answer alike.
    LeafMaps,
    /// The leaves can be switched off.
    SwitchedOff,
    /// Any index is answered safely.
    Range,
}

impl Rule {
    /// Every rule, in the order in which they are judged: first whether there is anything to
    /// judge, early what makes all readings slow, and late what may bring down the host.
    pub const ALL: [Rule; 18] = [
        Rule::Present,
        Rule::Leaves,
        Rule::Quiet,
        Rule::Answers,
        Rule::Registers,
        Rule::Shortcuts,
        Rule::FastPaths,
        Rule::NoneLost,
        Rule::PerVm,
        Rule::BasicReason,
        Rule::Cycles,
        Rule::Totals,
        Rule::Statistics,
        Rule::Status,
        Rule::ReasonTable,
        Rule::SwitchedOff,
        Rule::Range,
        Rule::LeafMaps,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Present => "present",
            Rule::Leaves => "leaves",
            Rule::Answers => "answers",
            Rule::Registers => "registers",
            Rule::Quiet => "quiet",
            Rule::Shortcuts => "shortcuts",
            Rule::FastPaths => "fast-paths",
            Rule::NoneLost => "none-lost",
            Rule::PerVm => "per-vm",
            Rule::BasicReason => "basic-reason",
            Rule::Cycles => "cycles",
            Rule::Totals => "totals",
            Rule::Statistics => "statistics",
            Rule::Status => "status",
            Rule::ReasonTable => "reason-table",
            Rule::LeafMaps => "leaf-maps",
            Rule::SwitchedOff => "switched-off",
            Rule::Range => "range",
        }
    }

    /// The number of the mistake that it is about, if it is one of the ten. What a kernel
    /// that breaks it did may be something else: [`Finding::mistake`].
    pub fn mistake(self) -> Option<u8> {
        Some(match self {
            Rule::FastPaths => 1,
            Rule::Shortcuts => 2,
            Rule::Registers => 3,
            Rule::Range => 4,
            Rule::BasicReason => 5,
            Rule::NoneLost => 6,
            Rule::PerVm => 7,
            Rule::Answers => 8,
            Rule::Quiet => 9,
            Rule::Cycles => 10,
            _ => return None,
        })
    }

    /// What the rule demands, in one clause.
    pub fn demand(self) -> &'static str {
        match self {
            Rule::Present => "the leaves answer as an exit census",
            Rule::Leaves => "every leaf of the form is answered",
            Rule::Answers => "counts, cycles and both empty answers are in their registers",
            Rule::Registers => "no register carries anything left over",
            Rule::Quiet => "exits print nothing and allocate nothing",
            Rule::Shortcuts => "exits that KVM dispatches by a shortcut are counted",
            Rule::FastPaths => "exits that a fast path handles are counted",
            Rule::NoneLost => "vCPUs at once lose no count, and share no answer",
            Rule::PerVm => "a guest sees the exits of its own VM only",
            Rule::BasicReason => "a failed VM entry counts under its basic reason",
            Rule::Cycles => "cycles run from VM exit to the next VM entry",
            Rule::Totals => "the totals are the sums over all reasons",
            Rule::Statistics => "KVM's statistics say the same as the leaves",
            Rule::Status => "enabled is what the controls in force allow",
            Rule::ReasonTable => "the defined reasons are those of a manual",
            Rule::LeafMaps => "the three leaf maps answer alike",
            Rule::SwitchedOff => "with the leaves off, KVM answers as unpatched",
            Rule::Range => "every index is answered, and none shows foreign data",
        }
    }
}

/// What was found of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds {
        /// What was seen.
        seen: String,
    },
    /// It does not hold.
    Broken {
        /// What was seen, and what should have been.
        seen: String,
        /// What was done wrong, where what was seen tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        looks_like: Option<String>,
        /// The number of the mistake that this is, where it is one of the ten.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mistake: Option<u8>,
    },
    /// It could not be judged.
    NotJudged {
        /// Why.
        because: String,
    },
}

impl Verdict {
    /// Broken, and nothing tells by what.
    pub fn broken(seen: impl Into<String>) -> Verdict {
        Verdict::Broken {
            seen: seen.into(),
            looks_like: None,
            mistake: None,
        }
    }
}

/// A rule and what was found of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What was found.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Finding {
    /// What was done wrong, where what was seen tells it.
    pub fn looks_like(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Broken { looks_like, .. } => looks_like.as_deref(),
            _ => None,
        }
    }

    /// The number of the mistake that was seen, if it is one of the ten.
    pub fn mistake(&self) -> Option<u8> {
        match self.verdict {
            Verdict::Broken { mistake, .. } => mistake,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_judged_once_and_what_may_kill_the_host_late() {
        let mut rules = Rule::ALL.to_vec();
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), Rule::ALL.len());
        assert_eq!(Rule::ALL[0], Rule::Present);
        assert!(Rule::ALL[16..].contains(&Rule::Range));
    }

    #[test]
    fn a_finding_of_an_older_report_names_no_mistake() {
        let text = r#"{"rule":"per-vm","verdict":"broken","seen":"2012"}"#;
        let finding: Finding = serde_json::from_str(text).expect("a finding");
        assert_eq!((finding.mistake(), finding.looks_like()), (None, None));
    }

    #[test]
    fn every_mistake_has_one_rule() {
        let mut numbers: Vec<u8> = Rule::ALL.iter().filter_map(|rule| rule.mistake()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<u8>>());
    }
}
