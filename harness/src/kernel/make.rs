//! Running kbuild so that equal inputs give equal bytes.

use std::path::Path;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::process;

/// Everything of a build that is decided here; part of every key.
pub const SETTINGS: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("KBUILD_BUILD_USER", "exitlab"),
    ("KBUILD_BUILD_HOST", "exitlab"),
    ("KBUILD_BUILD_TIMESTAMP", "Tue Nov 14 00:00:00 UTC 2023"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// Lines of compiler errors that a message shows.
const ERROR_LINES: usize = 8;

/// Gives a command the environment that builds run in. Nothing else of the user's: a
/// stray KCFLAGS or ARCH would change the result behind the key's back.
pub fn clean_env(command: &mut Command) {
    command.env_clear().envs(SETTINGS.iter().copied());
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Runs `make` in a kernel tree. `stage` is for the message of a failure.
pub async fn run(
    dir: &Path,
    args: &[&str],
    log: &Path,
    stage: &str,
    mut on_line: impl FnMut(&str),
) -> Result<()> {
    let mut command = Command::new("make");
    clean_env(&mut command);
    command.current_dir(dir).args(args);
    let mut errors = Vec::new();
    let finished = process::run(command, log, |line| {
        if errors.len() < ERROR_LINES && is_error(line) {
            errors.push(line.to_owned());
        }
        on_line(line);
    })
    .await?;
    if finished.status.success() {
        return Ok(());
    }
    let mut message = format!("`make {}` failed", args.join(" "));
    for error in errors {
        message.push_str("\n  ");
        message.push_str(&error);
    }
    Err(failed(stage, message, finished.tail, log))
}

/// A build error that points to the whole log.
pub fn failed(stage: &str, message: String, tail: Vec<String>, log: &Path) -> Error {
    Error::Build {
        stage: format!("kernel: {stage}"),
        message,
        tail,
        cure: format!("read the whole output in {}", log.display()),
    }
}

fn is_error(line: &str) -> bool {
    line.contains("error:")
        || line.contains("undefined reference")
        || line.contains("No space left")
}
