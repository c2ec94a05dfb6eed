//! Something wrong in a configuration, and all of it as one error.

use crate::error::Error;

/// What is wrong with a value and what to do about it; who holds the value adds where.
#[derive(Debug)]
pub struct Wrong {
    /// A lower-case fragment.
    pub what: String,
    /// What to do.
    pub cure: String,
}

impl Wrong {
    /// What is wrong, and what to do about it.
    pub fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Wrong {
            what: what.into(),
            cure: cure.into(),
        }
    }

    /// The same at a place of the configuration.
    pub fn at(self, place: impl Into<String>, key: impl Into<String>) -> Problem {
        Problem {
            place: place.into(),
            key: key.into(),
            wrong: self,
        }
    }
}

/// One thing that is wrong at one place.
#[derive(Debug)]
pub struct Problem {
    /// `experiment.toml:12: guest.vcpus = 17`
    place: String,
    /// `guest.vcpus`; empty if it concerns no single key.
    key: String,
    wrong: Wrong,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.wrong.what)
    }
}

/// All problems as one error. `problems` is not empty.
pub fn as_error(problems: Vec<Problem>) -> Error {
    if let [only] = problems.as_slice() {
        return Error::Config {
            message: only.to_string(),
            cure: only.wrong.cure.clone(),
        };
    }
    let message = format!(
        "{} problems in the configuration:\n  {}",
        problems.len(),
        problems
            .iter()
            .map(Problem::to_string)
            .collect::<Vec<_>>()
            .join("\n  ")
    );
    let cure = problems
        .iter()
        .map(named_cure)
        .collect::<Vec<_>>()
        .join("\n  ");
    Error::Config { message, cure }
}

/// The cure with its key, since in a list it no longer stands beside its problem.
fn named_cure(problem: &Problem) -> String {
    match problem.key.as_str() {
        "" => problem.wrong.cure.clone(),
        key => format!("{key}: {}", problem.wrong.cure),
    }
}
