//! Lines that the guest's console and QEMU print: handed on one by one, and the last few
//! kept for error messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::task::JoinHandle;

/// How many lines a [`Tail`] keeps.
const KEPT: usize = 20;

/// Longest line that is kept whole, bytes.
const LONGEST: usize = 1000;

/// The last lines of something.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Adds a line; the oldest goes when there are too many.
    pub fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Follows a stream until it ends, and hands on every line.
pub fn follow(
    stream: impl AsyncRead + Send + Unpin + 'static,
    mut hand_on: impl FnMut(String) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes).await, Ok(n) if n > 0) {
            hand_on(clean(&bytes));
            bytes.clear();
        }
    })
}

/// A console line without its end, control characters and excess length.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    text.trim_end()
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_handed_on_and_the_last_ones_kept() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let text: String = (0..30).map(|n| format!("line {n}\u{1b}\r\n")).collect();
        let tail = Tail::default();
        let stream = std::io::Cursor::new(text.into_bytes());
        let kept = tail.clone();
        follow(stream, move |line| {
            kept.push(line.clone());
            sender.send(line).unwrap();
        })
        .await
        .unwrap();
        assert_eq!(receiver.iter().count(), 30);
        assert_eq!(tail.lines().first().unwrap(), "line 10");
        assert_eq!(tail.lines().last().unwrap(), "line 29");
    }
}
