//! The line from the conductor on a machine that exitlab did not boot: standard input. Its
//! first line is the task; after that the conductor gives a sign of life every few seconds.
//! When the signs stop, or the line breaks, the agent clears up and goes.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;

use super::failure::Failure;
use exitlab_model::order::{END, LONGEST, Task};

/// How long the agent goes on without one.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agent's end of the line.
pub struct Leash {
    lines: UnboundedReceiver<String>,
    end: watch::Sender<bool>,
}

impl Leash {
    /// Takes hold of standard input.
    pub fn hold() -> Leash {
        let (send, lines) = unbounded_channel();
        // A thread and not a task: at the agent's end nothing waits for a read that may
        // never return.
        std::thread::spawn(move || {
            let mut input = BufReader::new(std::io::stdin());
            loop {
                let mut line = String::new();
                let read = (&mut input).take(LONGEST).read_line(&mut line);
                if !matches!(read, Ok(length) if length > 0) || send.send(line).is_err() {
                    return;
                }
            }
        });
        Leash {
            lines,
            end: watch::Sender::new(false),
        }
    }

    /// The task.
    pub async fn task(&mut self) -> Result<Task, Failure> {
        let failure = |why: String| {
            let message = format!("failed to read the plan from standard input: {why}");
            Failure::new(Stage::Host, FailureKind::Host, message)
        };
        let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        let line = line.ok().flatten();
        let line = line.ok_or_else(|| failure("nothing came".to_owned()))?;
        serde_json::from_str(&line).map_err(|e| failure(e.to_string()))
    }

    /// Whether the conductor has asked for the good end.
    pub fn end(&self) -> watch::Receiver<bool> {
        self.end.subscribe()
    }

    /// Returns when there is nobody left to work for, with the reason.
    pub async fn let_go(&mut self) -> Failure {
        let why = tokio::select! {
            why = self.silence() => why,
            () = signalled() => "it was told to stop",
        };
        let message = format!("the agent stopped: {why}");
        Failure::new(Stage::Host, FailureKind::Host, message)
    }

    async fn silence(&mut self) -> &'static str {
        loop {
            match tokio::time::timeout(PATIENCE, self.lines.recv()).await {
                Ok(Some(line)) if line.trim() == END => drop(self.end.send_replace(true)),
                Ok(Some(_)) => {}
                Ok(None) => return "the conductor is gone",
                Err(_) => return "the conductor gave no sign of life for a minute",
            }
        }
    }
}

/// Returns when this process is asked to end.
async fn signalled() {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        // Without handlers a signal ends the process by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
