//! What a phase's command leaves running in the guest when it ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of processes that a phase's command started and that outlive it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeftBehind {
    /// They are part of the phase: it ends with the last of them.
    #[default]
    Wait,
    /// They are ended before the phase's sample is taken.
    End,
    /// The experiment fails.
    Refuse,
}

impl LeftBehind {
    /// As in a configuration, and as `exit-sampler run` takes it.
    pub fn word(self) -> &'static str {
        match self {
            LeftBehind::Wait => "wait",
            LeftBehind::End => "end",
            LeftBehind::Refuse => "refuse",
        }
    }
}

/// What the command of a phase left running in the guest when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remainder {
    /// The phase.
    pub phase: String,
    /// How many processes, over all runs of the command.
    pub processes: u64,
    /// The command lines of the first of them.
    pub commands: Vec<String>,
    /// Whether they were waited for or ended.
    pub fate: LeftBehind,
}
