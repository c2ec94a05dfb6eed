//! Where `git bisect run` asks what a commit is, and gets an answer.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};

use super::tested::Decision;
use exitlab_base::error::{Error, Result};

impl Decision {
    /// As `git bisect run` takes it.
    fn exit_code(self) -> u8 {
        match self {
            Decision::Good => 0,
            Decision::Bad => 1,
            Decision::Skip => 125,
        }
    }

    fn of_word(word: &str) -> Option<Decision> {
        [Decision::Good, Decision::Bad, Decision::Skip]
            .into_iter()
            .find(|decision| decision.word() == word)
    }
}

/// The side that answers: a socket in a directory that only this user may enter.
#[derive(Debug)]
pub struct Questions {
    listener: UnixListener,
    place: tempfile::TempDir,
}

impl Questions {
    /// Opens a questions. Not below the results: a socket's path may not be long.
    pub fn open() -> Result<Questions> {
        let place = tempfile::Builder::new()
            .prefix("exitlab-bisect-")
            .tempdir()
            .map_err(Error::io("create", std::env::temp_dir()))?;
        let path = place.path().join("socket");
        Ok(Questions {
            listener: UnixListener::bind(&path).map_err(Error::io("create", path))?,
            place,
        })
    }

    /// Where to ask.
    pub fn path(&self) -> PathBuf {
        self.place.path().join("socket")
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) -> Result<Asked> {
        let accepted = self.listener.accept().await;
        let (stream, _) = accepted.map_err(Error::io("read", self.path()))?;
        Ok(Asked(stream))
    }
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Asked(UnixStream);

impl Asked {
    /// Answers it. That nobody waits any more shows elsewhere: `git bisect run` has ended.
    pub async fn answer(mut self, decision: Decision) {
        let line = format!("{}\n", decision.word());
        if let Err(error) = self.0.write_all(line.as_bytes()).await {
            tracing::warn!("git bisect run does not wait for its answer: {error}");
        }
    }
}

/// Asks at `socket` what the present commit is, and says it as an exit code. Without an
/// answer it is one with which `git bisect run` gives up.
pub fn ask(socket: &Path) -> u8 {
    /// More than 127: not good, not bad, not skipped.
    const GIVE_UP: u8 = 255;
    let answer = || {
        let stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Decision::of_word(line.trim())
    };
    answer().map_or(GIVE_UP, Decision::exit_code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn an_answer_is_an_exit_code_and_no_answer_is_one_too() {
        let questions = Questions::open().unwrap();
        let asked = |socket: PathBuf| tokio::task::spawn_blocking(move || ask(&socket));
        for (decision, code) in [
            (Decision::Good, 0),
            (Decision::Bad, 1),
            (Decision::Skip, 125),
        ] {
            let code_of = asked(questions.path());
            questions.asked().await.unwrap().answer(decision).await;
            assert_eq!(code_of.await.unwrap(), code);
        }
        let unanswered = asked(questions.path());
        drop(questions.asked().await.unwrap());
        assert_eq!(unanswered.await.unwrap(), 255);
        let gone = questions.path();
        drop(questions);
        assert_eq!(asked(gone).await.unwrap(), 255);
    }
}
