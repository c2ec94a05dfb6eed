//! What can go wrong while a rule is judged, and what that says of the rule.

use exitlab_model::rule::{Illness, Rule, Verdict};

/// Why a rule's story did not come to its end; lower-case fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The host's kernel went wrong, by its own word: what was tried did it.
    Ill(Illness),
    /// What was tried never came back.
    Hung {
        /// How long it was waited for, and what its thread does.
        how: String,
        /// Whether the thread kept its processor busy in the kernel.
        busy: bool,
    },
    /// A virtual machine ended in a way that nothing it did explains.
    Stopped(String),
    /// The host is never quiet enough for what was to be seen.
    Noisy(String),
    /// Something that is not the census' fault.
    Failed(String),
}

impl Trouble {
    /// In words.
    pub fn told(&self) -> String {
        match self {
            Trouble::Ill(illness) => illness.told(),
            Trouble::Hung { how, .. } => how.clone(),
            Trouble::Stopped(why) | Trouble::Noisy(why) | Trouble::Failed(why) => why.clone(),
        }
    }

    /// The verdict on the rule that was being judged.
    pub fn verdict(self, rule: Rule) -> Verdict {
        match self {
            Trouble::Ill(illness) => illness.verdict(rule),
            Trouble::Hung { how, busy } => Verdict::Broken {
                seen: how,
                looks_like: busy.then(|| "a loop in the kernel that does not end".to_owned()),
                mistake: None,
            },
            Trouble::Stopped(how) => Verdict::broken(how),
            Trouble::Noisy(because) | Trouble::Failed(because) => Verdict::NotJudged { because },
        }
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Failed(why)
    }
}

/// A step of the trial.
pub type Result<T> = std::result::Result<T, Trouble>;
