//! Clearing up after an agent that was killed, on a machine that is used as it is.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::remote::Remote;
use exitlab_base::error::{Error, Result};

/// How long clearing up may take.
const SWEEP: Duration = Duration::from_secs(20);

/// What clears up after an agent that was killed, on a machine that is used as it is.
#[derive(Debug)]
pub enum Aftermath {
    /// Nothing: the machine is gone.
    None,
    /// Agents of this machine.
    Here {
        /// The agent's program.
        agent: PathBuf,
        /// Where agents work.
        place: PathBuf,
    },
    /// Agents of another machine.
    There {
        /// The machine.
        remote: Box<Remote>,
        /// The agent's program there.
        binary: PathBuf,
        /// Where agents work there.
        agents: PathBuf,
    },
}

impl Aftermath {
    /// Clears up. What fails does no harm: the next agent there does the same.
    pub async fn clear(&self) {
        let cleared = match self {
            Aftermath::None => Ok(()),
            Aftermath::Here { agent, place } => sweep(agent, place).await,
            Aftermath::There {
                remote,
                binary,
                agents,
            } => remote.sweep(binary, agents).await,
        };
        if let Err(error) = cleared {
            tracing::warn!("{error}");
        }
    }
}

/// Clears up after agents of this machine that were killed.
async fn sweep(agent: &Path, place: &Path) -> Result<()> {
    let mut command = Command::new(agent);
    command.arg("--sweep").arg(place).stdin(Stdio::null());
    command.kill_on_drop(true);
    let status = tokio::time::timeout(SWEEP, command.status());
    let failed = |why: String| Error::Experiment {
        stage: "host".to_owned(),
        message: format!("failed to clear up below {}: {why}", place.display()),
        tail: Vec::new(),
        cure: "the next run here clears up as well".to_owned(),
    };
    match status.await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(status.to_string())),
        Ok(Err(error)) => Err(Error::io("run", agent)(error)),
        Err(_) => Err(failed(format!("not done within {} s", SWEEP.as_secs()))),
    }
}
