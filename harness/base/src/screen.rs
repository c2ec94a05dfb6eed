//! Standard output and standard error of the conductor. Nothing else writes to them, so
//! nothing reaches a terminal, or the log of a CI system, that does more than show
//! ([`crate::foreign`]). There is no colour in any of it: what is redirected to a file is what
//! was seen.

use std::borrow::Cow;
use std::io::{IsTerminal, Result, Write};

use crate::foreign::{text, uncommanded};

/// Prints to standard output.
///
/// # Errors
///
/// If it cannot be written to.
pub fn out(words: &str) -> Result<()> {
    std::io::stdout().write_all(harmless(words).as_bytes())
}

/// Prints commands to GitHub Actions to standard output: what they say was made harmless by
/// [`data`](crate::foreign::data) and [`property`](crate::foreign::property).
///
/// # Errors
///
/// If it cannot be written to.
pub fn command(lines: &str) -> Result<()> {
    std::io::stdout().write_all(text(lines).as_bytes())
}

/// Prints to standard error. Where that is closed nobody listens, which is no failure.
pub fn err(words: &str) {
    let _ = std::io::stderr().write_all(harmless(words).as_bytes());
}

/// Whether standard error is a terminal, on which a live line can move.
pub fn is_live() -> bool {
    std::io::stderr().is_terminal()
}

/// Standard error for who writes by himself, each message in one piece.
#[derive(Debug, Clone, Copy)]
pub struct Errors;

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        err(&crate::foreign::bytes(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        std::io::stderr().flush()
    }
}

/// What may be printed here.
fn harmless(words: &str) -> Cow<'_, str> {
    let shown = text(words);
    match std::env::var_os("GITHUB_ACTIONS").is_some_and(|set| !set.is_empty()) {
        true => Cow::Owned(uncommanded(&shown).into_owned()),
        false => shown,
    }
}
