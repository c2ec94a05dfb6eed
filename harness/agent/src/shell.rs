//! What a guest that lets us in does for us. Behind it is an SSH login, and in tests a
//! script.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use exitlab_base::bounded::Kept;

use crate::failure::Failure;
use crate::watchdog::Watchdog;

/// How many lines of a command's output an error shows.
const TAIL: usize = 15;

/// Bytes at the end of a stream that are kept for that.
const END: usize = 4096;

/// Something that the guest will have done, or why it did not.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + 'a>>;

/// The guest's shell.
pub trait Shell {
    /// Runs a command to its end. What it prints goes to `printed` as it comes, so that it is
    /// known also of a command that does not end.
    fn exec<'a>(&'a self, command: &'a str, printed: &'a Printed) -> Pending<'a, End>;

    /// Starts a command that answers each line with one.
    fn converse<'a>(&'a self, command: &'a str) -> Pending<'a, Box<dyn Conversation>>;
}

/// A running command that answers each line with one.
pub trait Conversation {
    /// Says a line, and waits for the answer.
    fn ask<'a>(&'a mut self, request: &'a str) -> Pending<'a, String>;
}

/// How a command in the guest ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit status.
    Exit(u32),
    /// By the signal of this number; 0 for one that SSH has no name for.
    Signal(u32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exit(status) => write!(f, "exit status {status}"),
            End::Signal(0) => f.write_str("a signal without a name"),
            End::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

/// What a command in the guest printed, up to a bound.
pub struct Printed {
    stdout: RefCell<Kept>,
    stderr: RefCell<Kept>,
}

impl Printed {
    /// The first `most` bytes of each stream are kept, and always its last ones.
    pub fn up_to(most: usize) -> Printed {
        Printed {
            stdout: RefCell::new(Kept::new(most, END)),
            stderr: RefCell::new(Kept::new(most, END)),
        }
    }

    /// Takes in what came on standard output.
    pub fn stdout(&self, bytes: &[u8]) {
        self.stdout.borrow_mut().feed(bytes);
    }

    /// Takes in what came on standard error.
    pub fn stderr(&self, bytes: &[u8]) {
        self.stderr.borrow_mut().feed(bytes);
    }

    /// Standard output and standard error.
    pub fn texts(&self) -> (String, String) {
        (self.stdout.borrow().text(), self.stderr.borrow().text())
    }
}

/// Of standard output, then of standard error, which usually says why.
pub fn last_lines(stdout: &str, stderr: &str) -> Vec<String> {
    let lines = stdout.lines().chain(stderr.lines());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    lines[lines.len().saturating_sub(TAIL)..].to_vec()
}

/// Runs a command under the watchdog's eyes; `what` it is, in words.
pub async fn exec(
    shell: &dyn Shell,
    command: &str,
    what: &str,
    printed: &Printed,
    watchdog: &Watchdog,
) -> Result<End, Failure> {
    let what = format!("end of '{what}'");
    watchdog.wait(&what, shell.exec(command, printed)).await
}
