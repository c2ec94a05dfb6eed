//! What a command answers that runs to its end: bounded, however much it prints.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::bounded::Kept;

/// Bytes that are kept of the beginning of each stream.
const HEAD: usize = 256 << 10;

/// Bytes that are kept of its end.
const TAIL: usize = 4 << 10;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Answer {
    /// Runs `command` to its end. Dropping the future ends the command.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or waited for.
    pub async fn of(mut command: Command) -> std::io::Result<Answer> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr, status) = tokio::join!(all(out), all(err), child.wait());
        Ok(Answer {
            status: status?,
            stdout,
            stderr,
        })
    }
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Kept::new(HEAD, TAIL);
    let Some(mut stream) = stream else {
        return String::new();
    };
    let mut chunk = vec![0; 8192];
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        kept.feed(&chunk[..length]);
    }
    kept.text()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_on_either_stream_is_counted() {
        let script = "yes & exec yes >&2";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let flood = tokio::time::timeout(std::time::Duration::from_secs(1), Answer::of(command));
        assert!(flood.await.is_err(), "the deadline comes through a flood");

        let mut command = Command::new("sh");
        command.args(["-c", "yes | head -c 9000000; echo done >&2; exit 3"]);
        let answer = Answer::of(command).await.unwrap();
        assert_eq!(answer.status.code(), Some(3));
        assert_eq!(answer.stderr, "done\n");
        assert!(answer.stdout.len() < HEAD + TAIL + 100);
        assert!(answer.stdout.contains(" bytes left out]"));
    }
}
