//! Programs of this machine that builds call: one short run, one error that says which
//! stage it was, what the program printed and where its log lies.

use std::path::Path;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::process;

/// Runs a program to its end; a bad exit status is an error of `stage`.
pub async fn run(stage: &str, command: Command, log: &Path) -> Result<()> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let finished = process::run(command, log, |_| ()).await?;
    if finished.status.success() {
        return Ok(());
    }
    Err(Error::Build {
        stage: stage.to_owned(),
        message: format!("{program} failed ({})", finished.status),
        tail: finished.tail,
        cure: "see what it printed, above; `exitlab doctor` checks every program".to_owned(),
    })
}

/// The first line that a program prints about its version, on either stream.
pub fn version(program: &str, args: &[&str]) -> Option<String> {
    let output = std::process::Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let mut text = output.stdout;
    text.extend(output.stderr);
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| line.chars().any(char::is_alphanumeric))?;
    Some(line.to_owned())
}
