//! What can go wrong with a trial.

/// Why a trial cannot go on; lower-case fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The host's kernel went wrong, by its own word: what was tried did it.
    Ill(String),
    /// Something that is not the census' fault.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Failed(why)
    }
}

/// A step of the trial.
pub type Result<T> = std::result::Result<T, Trouble>;
