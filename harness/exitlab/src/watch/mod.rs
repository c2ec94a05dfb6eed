//! `exitlab watch`: the exits of a run or of a VM, live, or a recorded run played back.
//! It reads what the run writes down anyway (`events.jsonl`): the guest is not asked anything
//! more, and nothing is counted twice.

mod action;
mod below;
mod draw;
mod feed;
mod kept;
mod keys;
mod moment;
mod plain;
mod terminal;
mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use exitlab_analysis::reading::results_of;
use exitlab_base::error::{Error, Result};
use exitlab_base::process::Supervised;

pub use feed::Feed;
pub use plain::follow;
pub use terminal::{is_there, show};
pub use view::View;

/// How long what counts for us may take to end.
const GRACE: Duration = Duration::from_secs(20);

/// Whether this names a results directory, or a file in one.
pub fn results_named(target: &str) -> Option<PathBuf> {
    let dir = results_of(Path::new(target));
    dir.is_dir().then_some(dir)
}

/// What is fed into the view, and what keeps it going.
#[derive(Debug)]
pub struct Source {
    /// What is read.
    pub feed: Feed,
    /// The `exitlab attach` that counts for us; none where somebody else's run is looked at.
    pub counter: Option<Supervised>,
}

impl Source {
    /// Whether nothing more is written.
    ///
    /// # Errors
    /// If what counts for us has failed, with what it said.
    pub fn is_over(&mut self) -> Result<bool> {
        let Some(counter) = &mut self.counter else {
            return Ok(!self.feed.is_going_on());
        };
        match counter.try_exited()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(_) => Err(Error::Experiment {
                stage: "watching".to_owned(),
                message: "what counts the VM has ended".to_owned(),
                tail: counter.tail(),
                cure: "see what it said, above".to_owned(),
            }),
        }
    }

    /// Ends what counts for us, which takes its tracing away.
    pub async fn end(self) -> Result<()> {
        match self.counter {
            Some(counter) => counter.stop(GRACE).await.map(drop),
            None => Ok(()),
        }
    }
}
