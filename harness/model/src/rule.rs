//! The rules that an exit census must keep, and what breaking each looks like.

use serde::{Deserialize, Serialize};

/// A rule. Ten of them name a mistake that is made in practice, and carry its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// There is a census at all.
    Present,
    /// The right answer in the right registers.
    Answers,
    /// Nothing left over in any register.
    Registers,
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
    /// Counting prints nothing and keeps no memory.
    Quiet,
    /// Cycles run from VM exit to VM entry.
    Cycles,
    /// The totals are the sums.
    Totals,
    /// `KVM_GET_STATS_FD` says the same as the leaves.
    Statistics,
    /// Defined, enabled, not enabled: from the controls in force.
    Status,
    /// All leaf maps answer alike.
    LeafMaps,
    /// The leaves can be switched off.
    SwitchedOff,
    /// Any index is answered safely.
    Range,
}

impl Rule {
    /// Every rule, in the order in which they are judged: what others rest on comes first,
    /// and late what may bring down the host.
    pub const ALL: [Rule; 16] = [
        Rule::Present,
        Rule::Answers,
        Rule::Registers,
        Rule::Shortcuts,
        Rule::FastPaths,
        Rule::NoneLost,
        Rule::PerVm,
        Rule::BasicReason,
        Rule::Quiet,
        Rule::Cycles,
        Rule::Totals,
        Rule::Statistics,
        Rule::Status,
        Rule::SwitchedOff,
        Rule::Range,
        Rule::LeafMaps,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Present => "present",
            Rule::Answers => "answers",
            Rule::Registers => "registers",
            Rule::Shortcuts => "shortcuts",
            Rule::FastPaths => "fast-paths",
            Rule::NoneLost => "none-lost",
            Rule::PerVm => "per-vm",
            Rule::BasicReason => "basic-reason",
            Rule::Quiet => "quiet",
            Rule::Cycles => "cycles",
            Rule::Totals => "totals",
            Rule::Statistics => "statistics",
            Rule::Status => "status",
            Rule::LeafMaps => "leaf-maps",
            Rule::SwitchedOff => "switched-off",
            Rule::Range => "range",
        }
    }

    /// The number of the mistake that breaks it, if it is one of the ten.
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
            Rule::Answers => "counts, cycles and both empty answers are in their registers",
            Rule::Registers => "no register carries anything left over",
            Rule::Shortcuts => "exits that KVM dispatches by a shortcut are counted",
            Rule::FastPaths => "exits that a fast path handles are counted",
            Rule::NoneLost => "four vCPUs at once lose no count",
            Rule::PerVm => "a guest sees the exits of its own VM only",
            Rule::BasicReason => "a failed VM entry counts under its basic reason",
            Rule::Quiet => "exits print nothing and keep no memory",
            Rule::Cycles => "cycles run from VM exit to the next VM entry",
            Rule::Totals => "the totals are the sums over all reasons",
            Rule::Statistics => "KVM's statistics say the same as the leaves",
            Rule::Status => "enabled is what the controls in force allow",
            Rule::LeafMaps => "the three leaf maps answer alike",
            Rule::SwitchedOff => "with the leaves off, KVM answers as unpatched",
            Rule::Range => "every index is answered, and none shows foreign data",
        }
    }

    /// The mistake that a broken rule looks like.
    pub fn looks_like(self) -> &'static str {
        match self {
            Rule::Present => "an unpatched kernel, other leaf numbers, or leaves switched off",
            Rule::Answers => {
                "ecx confused with eax, ebx swapped with ecx, or the answers for undefined and \
                 not enabled swapped"
            }
            Rule::Registers => "registers returned without being set",
            Rule::Shortcuts => "counting after the dispatch shortcuts of the exit handler",
            Rule::FastPaths => "counting in the exit handler, which fast paths never reach",
            Rule::NoneLost => "counters of 32 bits, or shared between vCPUs without care",
            Rule::PerVm => "one global array for all VMs, never reset",
            Rule::BasicReason => "the full reason word as index, with bit 31 of a failed entry",
            Rule::Quiet => "a printk or an allocation on every exit",
            Rule::Cycles => "time taken only around the exit handler",
            Rule::Totals => "a total kept apart from the counts, and not at the same place",
            Rule::Statistics => "two sets of counters, counted at different places",
            Rule::Status => "a list of enabled reasons written by hand",
            Rule::LeafMaps => "leaf numbers mixed up between the maps",
            Rule::SwitchedOff => "leaves that are answered although they are switched off",
            Rule::Range => "an index from the guest used before its range is checked",
        }
    }

    /// The rules that must hold for this one to be judged: where they do not, what it
    /// would find is their mistake and not its own.
    pub fn rests_on(self) -> &'static [Rule] {
        match self {
            Rule::Present => &[],
            Rule::Answers | Rule::Quiet => &[Rule::Present],
            Rule::Registers | Rule::Shortcuts | Rule::NoneLost | Rule::PerVm => &[Rule::Answers],
            Rule::FastPaths => &[Rule::Shortcuts],
            Rule::BasicReason | Rule::Cycles => &[Rule::FastPaths],
            Rule::Totals => &[Rule::FastPaths, Rule::PerVm],
            Rule::Statistics => &[Rule::FastPaths, Rule::PerVm, Rule::NoneLost],
            Rule::Status => &[Rule::Registers, Rule::PerVm],
            Rule::SwitchedOff => &[Rule::Answers, Rule::PerVm],
            Rule::Range => &[Rule::Registers],
            Rule::LeafMaps => &[Rule::Range, Rule::Totals],
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
    },
    /// It could not be judged.
    NotJudged {
        /// Why.
        because: String,
    },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_rests_on_is_judged_before_it() {
        for (at, rule) in Rule::ALL.iter().enumerate() {
            for needed in rule.rests_on() {
                assert!(Rule::ALL[..at].contains(needed), "{rule:?} {needed:?}");
            }
        }
    }

    #[test]
    fn every_mistake_has_one_rule() {
        let mut numbers: Vec<u8> = Rule::ALL.iter().filter_map(|rule| rule.mistake()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<u8>>());
    }
}
