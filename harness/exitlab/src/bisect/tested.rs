//! What came of a commit.

use std::path::PathBuf;

use serde::Serialize;

/// What a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It keeps the rules.
    Good,
    /// It breaks them.
    Bad,
    /// Neither can be said.
    Skip,
}

impl Decision {
    /// Its word, which is Git's, too.
    pub fn word(self) -> &'static str {
        match self {
            Decision::Good => "good",
            Decision::Bad => "bad",
            Decision::Skip => "skip",
        }
    }
}

/// A commit that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tested {
    /// Its whole hash.
    pub commit: String,
    /// The first line of its message.
    pub subject: String,
    /// What came of it.
    pub decision: Decision,
    /// Why, in one line.
    pub why: String,
    /// The results; none of what was not built. Those of an earlier commit if the kernels
    /// are the same byte for byte.
    pub results: Option<PathBuf>,
    /// Digests of its kernels.
    pub kernels: Vec<String>,
}
