//! How a run ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// Still running, or died without a word.
    Unfinished,
    /// Every sample of the plan was taken, in its order, and every promise holds
    /// (`docs/results.md`).
    Complete,
    /// Every sample of the plan was taken, in its order, but promises are broken.
    ChecksFailed {
        /// Which: as many words as a table has for them.
        broken: Vec<String>,
    },
    /// The host's events were not those that its agent must send; what was sampled until then
    /// is kept.
    BrokenStream {
        /// What would have been right.
        expected: String,
        /// What came in its place.
        came: String,
    },
    /// It failed; what was sampled until then is kept.
    Failed {
        /// The error, as it was printed.
        message: String,
    },
    /// The user interrupted it.
    Interrupted,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Unfinished => f.write_str("unfinished"),
            Outcome::Complete => f.write_str("complete"),
            Outcome::ChecksFailed { broken } => {
                write!(
                    f,
                    "not complete, promises are broken: {}",
                    broken.join("; ")
                )
            }
            Outcome::BrokenStream { expected, came } => {
                write!(f, "broken event stream: expected {expected}, came {came}")
            }
            Outcome::Failed { message } => write!(f, "failed: {message}"),
            Outcome::Interrupted => f.write_str("interrupted"),
        }
    }
}
