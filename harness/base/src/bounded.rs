//! Streams without end. Whatever a guest, a host, a compiler or another machine prints is kept
//! up to a bound; the rest is counted, and a word says so where it would have been.

use std::collections::VecDeque;

/// A text of at most `most` characters; a longer one says how many more it had.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((cut, _)) => {
            let more = text[cut..].chars().count();
            format!("{}… [{more} characters more]", &text[..cut])
        }
    }
}

/// Cuts a stream into lines of bounded length. A line without end costs no memory.
#[derive(Debug)]
pub struct Lines {
    longest: usize,
    line: Vec<u8>,
    /// How much of the line did not fit, bytes.
    more: u64,
}

impl Lines {
    /// Lines of at most `longest` bytes.
    pub fn new(longest: usize) -> Lines {
        Lines {
            longest,
            line: Vec::new(),
            more: 0,
        }
    }

    /// Takes in what came, and hands on each line that ended, without its end.
    pub fn feed(&mut self, bytes: &[u8], mut on_line: impl FnMut(String)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = text.len().min(self.longest - self.line.len());
            self.line.extend_from_slice(&text[..room]);
            self.more += (text.len() - room) as u64;
            if ends {
                on_line(self.take());
            }
        }
    }

    /// Hands on what came after the last end of a line.
    pub fn finish(&mut self, mut on_line: impl FnMut(String)) {
        if !self.line.is_empty() {
            on_line(self.take());
        }
    }

    /// How much of a line that has not ended came so far, bytes.
    pub fn pending(&self) -> u64 {
        self.line.len() as u64 + self.more
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.line);
        let line = crate::foreign::bytes(&bytes);
        let line = line.trim_end_matches('\r');
        match std::mem::take(&mut self.more) {
            0 => line.to_owned(),
            more => format!("{line}… [{more} bytes more]"),
        }
    }
}

/// The beginning and the end of a stream; what is between them is counted.
#[derive(Debug)]
pub struct Kept {
    most_head: usize,
    most_tail: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How much fell out between head and tail, bytes.
    left_out: u64,
}

impl Kept {
    /// The first `head` and the last `tail` bytes.
    pub fn new(head: usize, tail: usize) -> Kept {
        Kept {
            most_head: head,
            most_tail: tail,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
        }
    }

    /// Takes in what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        let room = bytes.len().min(self.most_head - self.head.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend(&bytes[room..]);
        let over = self.tail.len().saturating_sub(self.most_tail);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }

    /// What is kept, with a word in the place of what is not.
    pub fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.left_out > 0 {
            let word = format!("\n[exitlab: {} bytes left out]\n", self.left_out);
            bytes.extend_from_slice(word.as_bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is kept.
    Kept,
    /// It is the first that is not: here a word belongs.
    Full,
    /// It is counted.
    Counted,
}

/// How much of a stream of lines is kept.
#[derive(Debug)]
pub struct Allowance {
    most: u64,
    used: u64,
    lines: u64,
    bytes: u64,
}

/// What a line costs beside its text, bytes: also lines of nothing come to an end.
const LINE: u64 = 64;

impl Allowance {
    /// Lines of `most` bytes altogether, each with what it costs beside its text.
    pub fn new(most: u64) -> Allowance {
        Allowance {
            most,
            used: 0,
            lines: 0,
            bytes: 0,
        }
    }

    /// What becomes of the next line, of so many bytes. After the first that is not kept,
    /// none is.
    pub fn admit(&mut self, length: usize) -> Admission {
        let cost = length as u64 + LINE;
        if self.lines == 0 && self.used + cost <= self.most {
            self.used += cost;
            return Admission::Kept;
        }
        self.lines += 1;
        self.bytes += length as u64;
        match self.lines {
            1 => Admission::Full,
            _ => Admission::Counted,
        }
    }

    /// The word where the first line is missing.
    pub fn full(&self) -> String {
        format!(
            "[exitlab: {} KiB were printed here; what follows is counted and not kept]",
            self.most >> 10
        )
    }

    /// The last word: how much was not kept. None if all was.
    pub fn left_out(&self) -> Option<String> {
        let (lines, bytes) = (self.lines, self.bytes);
        (lines > 0).then(|| format!("[exitlab: {lines} lines of {bytes} bytes were not kept]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(longest: usize, chunks: &[&[u8]]) -> Vec<String> {
        let (mut cutter, mut all) = (Lines::new(longest), Vec::new());
        for chunk in chunks {
            cutter.feed(chunk, |line| all.push(line));
        }
        cutter.finish(|line| all.push(line));
        all
    }

    #[test]
    fn a_stream_is_cut_into_lines_wherever_it_is_torn() {
        assert_eq!(
            lines(9, &[b"one\r\ntw", b"o\n\nlast"]),
            ["one", "two", "", "last"]
        );
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_says_how_long_it_was() {
        let mut cutter = Lines::new(10);
        for _ in 0..100_000 {
            cutter.feed(&[b'x'; 100], |line| panic!("no line: {line}"));
            assert!(cutter.line.len() <= 10);
        }
        assert_eq!(cutter.pending(), 10_000_000);
        let mut last = String::new();
        cutter.feed(b"\n", |line| last = line);
        assert_eq!(last, "xxxxxxxxxx… [9999990 bytes more]");
    }

    #[test]
    fn beginning_and_end_of_a_flood_are_kept() {
        let mut kept = Kept::new(4, 3);
        kept.feed(b"abc");
        assert_eq!(kept.text(), "abc");
        kept.feed(b"defg");
        assert_eq!(kept.text(), "abcdefg");
        for _ in 0..1000 {
            kept.feed(b"hijk");
        }
        assert_eq!(kept.text(), "abcd\n[exitlab: 4000 bytes left out]\nijk");
        assert!(kept.head.len() + kept.tail.len() <= 7);
    }

    #[test]
    fn lines_are_kept_up_to_a_bound_and_then_counted() {
        let mut allowance = Allowance::new(200);
        assert_eq!(allowance.admit(10), Admission::Kept);
        assert_eq!(allowance.admit(10), Admission::Kept);
        assert_eq!(allowance.left_out(), None);
        assert_eq!(allowance.admit(100), Admission::Full);
        // A short one would fit again, but nothing comes back after the word.
        assert_eq!(allowance.admit(0), Admission::Counted);
        assert_eq!(
            allowance.left_out().as_deref(),
            Some("[exitlab: 2 lines of 100 bytes were not kept]")
        );
    }

    #[test]
    fn lines_of_nothing_come_to_an_end() {
        let mut allowance = Allowance::new(1 << 20);
        let kept = (0..1_000_000).filter(|_| allowance.admit(0) == Admission::Kept);
        assert_eq!(kept.count(), 1 << 14);
    }

    #[test]
    fn a_long_text_is_shortened_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äöü… [1 characters more]");
    }
}
