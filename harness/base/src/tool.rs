//! Programs of this machine that builds call: one short run, one error that says which
//! stage it was, what the program printed and where its log lies.

use std::collections::BTreeMap;
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

/// Versions of Debian packages, in the order of `names`. One call for all: each reads the
/// whole list of what is installed.
pub fn package_versions(names: &[&str]) -> String {
    let output = std::process::Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version}\n"])
        .args(names)
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null())
        .output();
    // What is not installed is missing from the list, and the status says so.
    let text = output.map_or_else(
        |_| String::new(),
        |o| String::from_utf8_lossy(&o.stdout).into(),
    );
    in_order(names, &text)
}

/// The lines of `text`, each a name and a version, in the order of `names`.
fn in_order(names: &[&str], text: &str) -> String {
    let known: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let version = |name: &&str| {
        let version = known.get(name).filter(|version| !version.is_empty());
        format!("{name} {}", version.unwrap_or(&"(version unknown)"))
    };
    names.iter().map(version).collect::<Vec<_>>().join(", ")
}

/// The version of a program that cannot be done without: `purpose` says what it is for. One
/// without a version must not pass for another: what it makes would be taken for the same.
///
/// # Errors
///
/// [`Error::Prerequisite`] if it is missing, or says nothing.
pub fn require_version(program: &str, args: &[&str], purpose: &str) -> Result<String> {
    version(program, args).ok_or_else(|| Error::Prerequisite {
        missing: vec![format!("{program}: {purpose}")],
        cure: "see what `exitlab doctor` says".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_a_version_is_missing() {
        let version = require_version("exitlab-no-such-program", &[], "does nothing");
        let missing = "missing:\n  exitlab-no-such-program: does nothing";
        assert_eq!(version.map_err(|e| e.to_string()), Err(missing.to_owned()));
    }

    #[test]
    fn versions_keep_the_order_of_the_names() {
        // dpkg-query sorts, and lists a removed package without a version.
        let text = "qemu 1:7.2+dfsg\nremoved \nseabios 1.16.2-1\n";
        let names = ["seabios", "removed", "unknown", "qemu"];
        assert_eq!(
            in_order(&names, text),
            "seabios 1.16.2-1, removed (version unknown), unknown (version unknown), \
             qemu 1:7.2+dfsg"
        );
    }
}
