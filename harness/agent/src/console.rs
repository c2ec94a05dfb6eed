//! Lines that the guest's console and QEMU print: handed on one by one, and the last few
//! kept for error messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use exitlab_base::bounded::{Admission, Allowance, Lines};

/// How many lines a [`Tail`] keeps.
const KEPT: usize = 20;

/// Longest line that is kept whole, bytes.
const LONGEST: usize = 1000;

/// Most that is handed on of one stream, bytes: an emulated host takes a minute and a half for
/// so much on its serial port.
const MOST: u64 = 1 << 20;

/// Most bytes that are read at once.
const CHUNK: usize = 8192;

/// The last lines of something.
#[derive(Debug, Clone)]
pub struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    closed: watch::Sender<bool>,
}

impl Default for Tail {
    fn default() -> Tail {
        Tail {
            lines: Arc::default(),
            closed: watch::Sender::new(false),
        }
    }
}

impl Tail {
    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Adds a line; the oldest goes when there are too many.
    pub fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// There will be no more.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Waits until there will be no more.
    pub async fn closed(&self) {
        // The sender lives as long as this value.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a stream until it ends: `see` is shown every line, `tail` has the last ones, and the
/// first of them, up to a bound, are handed on, with a word in the place of the others.
pub fn follow(
    mut stream: impl AsyncRead + Send + Unpin + 'static,
    tail: Tail,
    mut see: impl FnMut(&str) + Send + 'static,
    mut hand_on: impl FnMut(String) + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (mut lines, mut allowance) = (Lines::new(LONGEST), Allowance::new(MOST));
        let mut take = |line: String| {
            let line = clean(&line);
            see(&line);
            tail.push(line.clone());
            match allowance.admit(line.len()) {
                Admission::Kept => hand_on(line),
                Admission::Full => hand_on(allowance.full()),
                Admission::Counted => {}
            }
        };
        let mut chunk = vec![0; CHUNK];
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            lines.feed(&chunk[..length], &mut take);
        }
        lines.finish(&mut take);
        if let Some(word) = allowance.left_out() {
            hand_on(word);
        }
        tail.close();
    })
}

/// A console line without its end and control characters.
fn clean(line: &str) -> String {
    line.trim_end()
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen and handed on of a stream, and its tail.
    async fn followed(
        stream: impl AsyncRead + Send + Unpin + 'static,
    ) -> (usize, Vec<String>, Tail) {
        let (seen, counts) = std::sync::mpsc::channel();
        let (sender, receiver) = std::sync::mpsc::channel();
        let tail = Tail::default();
        let see = move |_: &str| seen.send(()).unwrap();
        let hand_on = move |line| sender.send(line).unwrap();
        follow(stream, tail.clone(), see, hand_on).await.unwrap();
        tail.closed().await;
        (counts.iter().count(), receiver.iter().collect(), tail)
    }

    #[tokio::test]
    async fn lines_are_handed_on_and_the_last_ones_kept() {
        let text: String = (0..30).map(|n| format!("line {n}\u{1b}\r\n")).collect();
        let stream = std::io::Cursor::new(text.into_bytes());
        let (seen, handed_on, tail) = followed(stream).await;
        assert_eq!((seen, handed_on.len()), (30, 30));
        assert_eq!(handed_on[0], "line 0");
        assert_eq!(tail.lines().first().unwrap(), "line 10");
        assert_eq!(tail.lines().last().unwrap(), "line 29");
    }

    #[tokio::test]
    async fn a_flood_is_seen_counted_and_not_kept() {
        let text = "x".repeat(63) + "\n";
        let stream = std::io::Cursor::new(text.repeat(1 << 17).into_bytes());
        let (seen, handed_on, tail) = followed(stream).await;
        assert_eq!(seen, 1 << 17);
        assert!(handed_on.len() < 10_000, "{}", handed_on.len());
        let [.., full, last] = &handed_on[..] else {
            panic!("no lines");
        };
        assert!(full.contains("1024 KiB were printed here"), "{full}");
        assert!(last.contains("lines of 7"), "{last}");
        assert_eq!(tail.lines().len(), KEPT);
    }

    #[tokio::test]
    async fn a_flood_without_an_end_of_line_is_one_short_line() {
        let stream = tokio::io::repeat(b'x').take(50 << 20);
        let (seen, handed_on, _) = followed(stream).await;
        assert_eq!((seen, handed_on.len()), (1, 1));
        assert!(handed_on[0].len() < 1100);
        let more = format!("[{} bytes more]", (50 << 20) - LONGEST);
        assert!(handed_on[0].ends_with(&more), "{}", handed_on[0]);
    }
}
