//! How a command ended that did what it was asked. A verdict is no error: nothing failed, and
//! what was found out is the answer. It has an exit code of its own, and words, too.

use exitlab_analysis::gate::{Judgement, Outcome};
use exitlab_base::error::{exit_code, told};

/// The end of a command, after everything else was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to say.
    Well,
    /// A kernel's exit census breaks rules.
    Conformance {
        /// How many.
        broken: usize,
        /// Of how many that were judged.
        judged: usize,
    },
    /// Of several kernels, some break rules or could not be tried.
    Graded {
        /// How many break rules.
        broken: usize,
        /// How many could not be tried to the end.
        untried: usize,
        /// Of how many.
        kernels: usize,
    },
    /// A gate found regressions.
    Regression {
        /// How many cases failed.
        failed: usize,
        /// Of how many that were judged.
        judged: usize,
    },
    /// A gate found no regression, but could not decide all cases.
    Undecided {
        /// How many cases are undecided.
        undecided: usize,
        /// Of how many that were judged.
        judged: usize,
    },
    /// A bisection ended before the first bad commit was known.
    Hidden {
        /// How many commits it may be.
        suspects: usize,
    },
}

impl Ended {
    /// By what a gate judged.
    pub fn of(judgement: &Judgement) -> Ended {
        let judged = judgement.cases.len();
        match judgement.outcome() {
            Outcome::Passed => Ended::Well,
            Outcome::Failed => Ended::Regression {
                failed: judgement.count(Outcome::Failed),
                judged,
            },
            Outcome::Undecided => Ended::Undecided {
                undecided: judgement.count(Outcome::Undecided),
                judged,
            },
        }
    }

    /// The exit code of the process (`docs/exit-codes.md`).
    pub fn exit_code(self) -> u8 {
        match self {
            Ended::Well => exit_code::SUCCESS,
            // The worst row decides: a trial that could not be made.
            Ended::Graded { untried: 1.., .. } => exit_code::EXPERIMENT,
            Ended::Conformance { .. } | Ended::Graded { .. } | Ended::Regression { .. } => {
                exit_code::REGRESSION
            }
            Ended::Undecided { .. } | Ended::Hidden { .. } => exit_code::UNDECIDED,
        }
    }

    /// What is said at last, and what can be done about it; nothing where all is well.
    pub fn for_people(self) -> Option<String> {
        let (words, cure) = match self {
            Ended::Well => return None,
            Ended::Conformance { broken, judged } => (
                format!("{broken} of {judged} rules are broken"),
                "see what each broken rule looks like, above; docs/conformance.md explains them",
            ),
            Ended::Graded {
                broken,
                untried,
                kernels,
            } => (
                format!(
                    "of {kernels} kernels, {broken} break rules and {untried} could not be tried \
                     to the end"
                ),
                "see each kernel's line, above, and its page, which can be handed back; \
                 docs/conformance.md explains rules and reasons",
            ),
            Ended::Regression { failed, judged } => (
                format!("the gate failed: {failed} of {judged} cases"),
                "see each failed case, above; what is meant to change goes into the baseline \
                 (exitlab baseline update) or into an [[allow]] with because and until",
            ),
            Ended::Undecided { undecided, judged } => (
                format!("the gate is undecided: {undecided} of {judged} cases"),
                "see what each undecided case needs, above: more repeats, a rule that fits the \
                 noise, or runs of the platforms that the rules name",
            ),
            Ended::Hidden { suspects } => (
                format!("skipped commits hide the first bad one: it is one of {suspects}"),
                "see why each was skipped, above and in steps.json: repair what does not build \
                 (kernel.patches), or give what was undecided more repeats",
            ),
        };
        Some(told(&words, &[], cure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_a_code_and_words() {
        let ends = [
            Ended::Well,
            Ended::Conformance {
                broken: 1,
                judged: 2,
            },
            Ended::Graded {
                broken: 8,
                untried: 0,
                kernels: 10,
            },
            Ended::Graded {
                broken: 0,
                untried: 9,
                kernels: 10,
            },
            Ended::Regression {
                failed: 3,
                judged: 4,
            },
            Ended::Undecided {
                undecided: 5,
                judged: 6,
            },
            Ended::Hidden { suspects: 7 },
        ];
        let text: Vec<String> = ends
            .iter()
            .map(|end| {
                let words = end.for_people().unwrap_or_else(|| "nothing\n".to_owned());
                format!("{}: {words}", end.exit_code())
            })
            .collect();
        insta::assert_snapshot!(text.concat(), @r"
        0: nothing
        1: exitlab: 1 of 2 rules are broken
          cure: see what each broken rule looks like, above; docs/conformance.md explains them
        1: exitlab: of 10 kernels, 8 break rules and 0 could not be tried to the end
          cure: see each kernel's line, above, and its page, which can be handed back; docs/conformance.md explains rules and reasons
        5: exitlab: of 10 kernels, 0 break rules and 9 could not be tried to the end
          cure: see each kernel's line, above, and its page, which can be handed back; docs/conformance.md explains rules and reasons
        1: exitlab: the gate failed: 3 of 4 cases
          cure: see each failed case, above; what is meant to change goes into the baseline (exitlab baseline update) or into an [[allow]] with because and until
        6: exitlab: the gate is undecided: 5 of 6 cases
          cure: see what each undecided case needs, above: more repeats, a rule that fits the noise, or runs of the platforms that the rules name
        6: exitlab: skipped commits hide the first bad one: it is one of 7
          cure: see why each was skipped, above and in steps.json: repair what does not build (kernel.patches), or give what was undecided more repeats
        ");
    }
}
