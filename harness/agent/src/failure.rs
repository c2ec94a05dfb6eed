//! How an experiment fails on the host.

use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;

/// A failure with its stage and the last lines of what died or never answered.
#[derive(Debug)]
pub struct Failure {
    /// Where it happened.
    pub stage: Stage,
    /// What kind it is.
    pub kind: FailureKind,
    /// What happened, a lower-case fragment.
    pub message: String,
    /// Last console lines.
    pub tail: Vec<String>,
}

impl Failure {
    /// A failure without a console.
    pub fn new(stage: Stage, kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure {
            stage,
            kind,
            message: message.into(),
            tail: Vec::new(),
        }
    }

    /// The last event of a failed run.
    pub fn into_event(self) -> Event {
        let Failure {
            stage,
            kind,
            message,
            tail,
        } = self;
        Event::Failed {
            stage,
            kind,
            message,
            tail,
        }
    }
}
