//! Why a program did not start: it is not there, or it is and something else is wrong. Only the
//! first is cured by installing it.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::need::{Candidate, Search};

/// The error for a program that did not start. `purpose` says what it is for, and may be empty;
/// `cure` is for the case that it is not there.
pub fn error(program: &Path, purpose: &str, cure: &str, source: std::io::Error) -> Error {
    if source.kind() != ErrorKind::NotFound {
        return Error::io("start", program)(source);
    }
    let name = program.to_string_lossy();
    let missing = |what: String, cure: String| Error::Prerequisite {
        missing: vec![what],
        cure,
    };
    let purpose = match purpose {
        "" => String::new(),
        purpose => format!(": {purpose}"),
    };
    match Search::this().candidate(&name) {
        None => missing(format!("program `{name}`{purpose}"), cure.to_owned()),
        Some(Candidate::Unusable(path, why)) => missing(
            format!("program `{name}`{purpose} ({} {why})", path.display()),
            format!("see to {}", path.display()),
        ),
        // exec(2) says ENOENT of what an existing program needs, too.
        Some(Candidate::Usable(path)) => missing(
            format!(
                "what {} needs to start{purpose}: its interpreter or loader, or the directory \
                 that it was to run in",
                path.display()
            ),
            format!("reinstall the package that {} is from", path.display()),
        ),
    }
}

/// Runs a program to its end with no input, in the C locale: what it printed on both streams,
/// and whether it succeeded.
///
/// # Errors
///
/// As [`error`] says.
pub fn asked(
    mut command: std::process::Command,
    purpose: &str,
    cure: &str,
) -> Result<std::process::Output> {
    command
        .env("LC_ALL", "C")
        .stdin(std::process::Stdio::null());
    let program = std::path::PathBuf::from(command.get_program());
    let output = command.output();
    output.map_err(|source| error(&program, purpose, cure, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;
    use crate::error::exit_code;

    fn told(error: &Error) -> String {
        crate::error::for_people(error)
    }

    #[test]
    fn what_is_not_there_is_missing() {
        let asked = asked(
            Command::new("exitlab-no-such"),
            "does nothing",
            "install it",
        );
        let error = asked.unwrap_err();
        assert_eq!(error.exit_code(), exit_code::PREREQUISITE);
        insta::assert_snapshot!(told(&error), @r"
        exitlab: missing:
          program `exitlab-no-such`: does nothing
          cure: install it
        ");
    }

    #[test]
    fn what_is_there_and_cannot_be_started_is_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tool");
        let fails = |content: &str, mode: u32| {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            // A child that another test starts holds the file open for writing until it
            // executes its program.
            let idle = |error: &Error| !told(error).contains("Text file busy");
            let mut tries = (0..1000).map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(1));
                asked(Command::new(&path), "", "install it").unwrap_err()
            });
            let error = tries.find(idle).unwrap();
            let text = told(&error).replace(&dir.path().display().to_string(), "/x");
            assert!(!text.contains(": install it"), "{text}");
            text
        };
        let texts = [
            fails("#!/no/such/interpreter\n", 0o755),
            fails("\x7fELF", 0o755),
            fails("#!/bin/sh\n", 0o644),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        exitlab: missing:
          what /x/tool needs to start: its interpreter or loader, or the directory that it was to run in
          cure: reinstall the package that /x/tool is from

        exitlab: failed to start /x/tool: Exec format error (os error 8)
          cure: it is no program for this machine: reinstall it

        exitlab: failed to start /x/tool: Permission denied (os error 13)
          cure: check the rights of that path, or choose another one
        ");
    }

    #[test]
    fn limits_of_the_process_are_told_as_such() {
        for (errno, words) in [
            (rustix::io::Errno::MFILE, "ulimit -n"),
            (rustix::io::Errno::AGAIN, "ulimit -u"),
            (rustix::io::Errno::NOMEM, "memory"),
        ] {
            let error = error(Path::new("gcc"), "", "install gcc", errno.into());
            assert_ne!(error.exit_code(), exit_code::PREREQUISITE);
            let text = told(&error);
            assert!(
                text.contains(words) && !text.contains("install gcc"),
                "{text}"
            );
        }
    }
}
