//! What a guest that lets us in does for us. Behind it is an SSH login, and in tests a
//! script.

use std::future::Future;
use std::pin::Pin;

use crate::failure::Failure;
use crate::watchdog::Watchdog;

/// Something that the guest will have done, or why it did not.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + 'a>>;

/// The guest's shell.
pub trait Shell {
    /// Runs a command to its end.
    fn exec<'a>(&'a self, command: &'a str) -> Pending<'a, Output>;

    /// Starts a command that answers each line with one.
    fn converse<'a>(&'a self, command: &'a str) -> Pending<'a, Box<dyn Conversation>>;
}

/// A running command that answers each line with one.
pub trait Conversation {
    /// Says a line, and waits for the answer.
    fn ask<'a>(&'a mut self, request: &'a str) -> Pending<'a, String>;
}

/// What a command in the guest printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status.
    pub exit: u32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command under the watchdog's eyes.
pub async fn exec(
    shell: &dyn Shell,
    command: &str,
    watchdog: &Watchdog,
) -> Result<Output, Failure> {
    let what = format!("end of '{command}'");
    watchdog.wait(&what, shell.exec(command)).await
}
