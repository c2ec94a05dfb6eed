//! Words from outside: what guests, kernels, remote machines, samplers, emulators, builds and
//! files say. They are shown, and must do nothing else: not move a cursor, hide behind a
//! direction of writing, end a cell of a table, be a link, a formula, or a command to a CI
//! system. Each output has its function here, and nothing else decides what is harmless.
//!
//! ```text
//! words ─┬─ line, cell, paragraph ─► terminal, logs        what does not show is written out
//!        ├─ markdown ──────────────► table.md, summaries
//!        ├─ html ──────────────────► report.html
//!        ├─ csv ───────────────────► spreadsheets
//!        ├─ toml ──────────────────► baselines
//!        ├─ label ─────────────────► OpenMetrics
//!        ├─ ktap ──────────────────► KTAP
//!        └─ data, property ────────► commands to GitHub Actions
//! everything printed ─► text, uncommanded ─► screen
//! ```
//!
//! Characters that do not show are written as in JSON (`\u001b`, `\n`), so that a line of
//! JSON stays the same JSON.

mod github;
mod html;
mod markdown;
mod report;
mod sheet;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::borrow::Cow;
use std::fmt::Write;

pub use github::{data, property, uncommanded};
pub use html::html;
pub use markdown::markdown;
pub use report::{ktap, label};
pub use sheet::{csv, toml};

/// Most characters of a cell of a table.
pub const CELL: usize = 200;

/// Most characters of a line.
pub const LINE: usize = 1_000;

/// Most lines of a paragraph.
const LINES: usize = 200;

/// Words of any length as they may be printed: lines and tabs stay.
pub fn text(words: &str) -> Cow<'_, str> {
    let stays = |c: char| c == '\n' || c == '\t';
    if !words.chars().any(|c| !stays(c) && is_unseen(c)) {
        return Cow::Borrowed(words);
    }
    let mut shown = String::with_capacity(words.len() + 16);
    for c in words.chars() {
        match stays(c) {
            true => shown.push(c),
            false => push(&mut shown, c),
        }
    }
    Cow::Owned(shown)
}

/// Words as one line of at most [`LINE`] characters; what is more is counted.
pub fn line(words: &str) -> String {
    bounded(words, LINE)
}

/// Words for a cell of a table: one line of at most [`CELL`] characters; what is more is
/// counted.
pub fn cell(words: &str) -> String {
    bounded(words, CELL)
}

/// Words in lines, each as [`line()`] has it; of very many the middle is counted.
pub fn paragraph(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let shown = |lines: &[&str]| -> Vec<String> { lines.iter().map(|l| tabbed(l)).collect() };
    if lines.len() <= LINES {
        return shown(&lines).join("\n");
    }
    let half = LINES / 2;
    let (first, last) = (&lines[..half], &lines[lines.len() - half..]);
    let left = lines.len() - 2 * half;
    let middle = vec![format!("… ({left} more lines)")];
    [shown(first), middle, shown(last)].concat().join("\n")
}

/// A line whose tabs stay.
fn tabbed(words: &str) -> String {
    let parts: Vec<String> = words.split('\t').map(line).collect();
    bounded_by(&parts.join("\t"), LINE, |c| c == '\t')
}

/// Bytes that should be UTF-8: those that are not are written out, `\xff`.
pub fn bytes(bytes: &[u8]) -> String {
    let mut words = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        words.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(words, "\\x{byte:02x}");
        }
    }
    words
}

fn bounded(words: &str, most: usize) -> String {
    bounded_by(words, most, |_| false)
}

/// At most so many characters, all of which show, but for those that stay.
fn bounded_by(words: &str, most: usize, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(words.len().min(most + 32));
    let mut room = most;
    let mut rest = words.chars();
    loop {
        let before = rest.clone();
        let Some(c) = rest.next() else {
            return shown;
        };
        let mut one = String::new();
        match stays(c) {
            true => one.push(c),
            false => push(&mut one, c),
        }
        let length = one.chars().count();
        if length > room {
            let left = before.count();
            let _ = write!(shown, "… ({left} more characters)");
            return shown;
        }
        room -= length;
        shown += &one;
    }
}

/// One character, so that it shows.
fn push(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_unseen(c) => escape(shown, c),
        c => shown.push(c),
    }
}

/// As JSON writes a character by its number.
fn escape(shown: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(shown, "\\u{unit:04x}");
    }
}

/// Whether a character does something else than to be seen: controls (C0, DEL, C1), what
/// changes the direction of writing or has no width, fillers, separators of lines, and tags
/// (Unicode 15: `Cc`, `Cf`, `Zl`, `Zp`, and default ignorables that look like nothing).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}
