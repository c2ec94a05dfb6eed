//! What a parent may hand on to the program: signals that it ignores, and limits. None of it
//! may be taken for a program that is missing.

#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code, reason = "shared with the tests of the command line")]
mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use support::{Outcome, Place};

const EXITLAB: &str = env!("CARGO_BIN_EXE_exitlab");

/// The program, started by these words.
fn started_by(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(EXITLAB).stdin(Stdio::null());
    command
}

/// What comes of building a kernel from a source to which no hooks fit. It takes the compiler's
/// version, and runs `make`.
fn build(words: &[&str]) -> Outcome {
    let place = Place::new();
    let makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION =\nmrproper:\n";
    place.write("linux/Makefile", makefile);
    place.write("linux/Kconfig", "");
    for file in ["Makefile", "cpuid.c", "x86.c", "vmx/main.c", "vmx/vmx.c"] {
        place.write(&format!("linux/arch/x86/kvm/{file}"), "/* nothing */\n");
    }
    let mut command = started_by(words);
    command
        .args(["build", "kernel", "--cache"])
        .arg(place.path("cache"));
    command.arg("--set");
    command.arg(format!("kernel.source={}", place.path("linux").display()));
    let outcome = command.output().unwrap().into();
    place.assert_deserted();
    outcome
}

#[test]
fn children_are_waited_for_though_the_parent_ignores_their_end() {
    for words in [
        &["env", "--ignore-signal=CHLD"][..],
        &["env", "--block-signal=CHLD", "--block-signal=TERM"],
        &["prlimit", "--nofile=24:4096"],
    ] {
        let outcome = build(words);
        outcome.assert_failed(4, &["census.toml"]);
        assert!(!outcome.stderr.contains("missing"), "{}", outcome.stderr);
    }
}

#[test]
fn limits_are_told_as_limits() {
    let outcome = build(&["prlimit", "--nofile=24:24"]);
    outcome.assert_failed(3, &["64 open files (ulimit -n is 24)"]);
    assert!(!outcome.stderr.contains("gcc"), "{}", outcome.stderr);
    let outcome = build(&["prlimit", "--fsize=1048576"]);
    outcome.assert_failed(3, &["files of 512 MiB (ulimit -f allows 1)"]);
}

#[test]
fn with_hardly_any_file_the_limit_is_what_is_told() {
    for files in 4..16 {
        let outcome = build(&["prlimit", &format!("--nofile={files}:{files}")]);
        let said = &outcome.stderr;
        // Below this not even the program's own start is sure.
        let limit = ["ulimit -n", "Too many open files"];
        assert!(
            limit.iter().any(|words| said.contains(words)),
            "{files}: {said}"
        );
        assert!(
            !said.contains("gcc") && !said.contains("panicked"),
            "{files}: {said}"
        );
    }
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_no_death() {
    let place = Place::new();
    let file = std::fs::File::create(place.path("reasons")).unwrap();
    let mut command = started_by(&["prlimit", "--fsize=100"]);
    let output = command.arg("reasons").stdout(file).output().unwrap();
    assert_eq!(output.status.signal(), None);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ulimit -f"), "{said}");
}
