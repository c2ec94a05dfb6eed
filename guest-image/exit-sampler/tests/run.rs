//! `exit-sampler run`: what a command leaves behind is waited for, ended or told, and never gets
//! away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn run(mode: &str, command: &str) -> Output {
    // Beside the directory of the tests. Cargo's variable with its name gets lost on the way
    // through `.cargo/rustc`: a shell knows no names with a dash.
    let tests = std::env::current_exe().unwrap();
    let sampler = tests.parent().unwrap().with_file_name("exit-sampler");
    Command::new(sampler)
        .args(["run", mode, command])
        .output()
        .unwrap()
}

/// The last line on standard error, and the exit status.
fn told(output: &Output) -> (String, Option<i32>) {
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or_default();
    (last.to_owned(), output.status.code())
}

/// Whether the process exists and is not a zombie.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[test]
fn a_command_that_leaves_nothing_is_alone() {
    let output = run("refuse", "echo out; echo err >&2; exit 3");
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "err\nexit-sampler: exit 3, alone\n"
    );
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_signal_is_told_as_one() {
    let (last, code) = told(&run("wait", "kill -9 $$"));
    assert_eq!(
        (last.as_str(), code),
        ("exit-sampler: signal 9, alone", Some(137))
    );
}

#[test]
fn what_is_left_is_waited_for_and_named() {
    let started = Instant::now();
    // In a session of its own, and with nothing of the command's open.
    let output = run(
        "wait",
        "setsid sleep 0.7 </dev/null >/dev/null 2>&1 & sleep 0.6 & true",
    );
    assert!(started.elapsed() >= Duration::from_millis(700));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("exit-sampler: exit 0, waiting for 2: "));
    assert!(lines[1].starts_with("exit-sampler: exit 0, waited for 2: "));
    assert!(lines[1].contains("sleep 0.7") && lines[1].contains("sleep 0.6"));
    assert_eq!((lines.len(), output.status.code()), (2, Some(0)));
}

#[test]
fn what_is_left_of_a_command_that_failed_is_not_waited_for() {
    let (last, code) = told(&run("wait", "sleep 3 & exit 4"));
    assert_eq!(
        (last.as_str(), code),
        ("exit-sampler: exit 4, found 1: sleep 3", Some(4))
    );
}

#[test]
fn what_is_left_is_ended_even_if_it_does_not_want_to() {
    // A daemon that ignores the request, and a loop that burns.
    let command = "(trap '' TERM; while :; do sleep 0.05; done) & echo $!; \
                   setsid sh -c 'echo $$; while :; do :; done' & sleep 0.2";
    let output = run("end", command);
    let (last, code) = told(&output);
    assert!(last.starts_with("exit-sampler: exit 0, ended "), "{last}");
    assert_eq!(code, Some(0));
    let pids = String::from_utf8(output.stdout).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        assert!(!lives(pid), "{pid} lives");
    }
}

#[test]
fn what_is_left_is_told_where_it_is_refused() {
    let (last, code) = told(&run("refuse", "sleep 0.8 & true"));
    assert_eq!(
        (last.as_str(), code),
        ("exit-sampler: exit 0, found 1: sleep 0.8", Some(0))
    );
}

#[test]
fn another_mode_is_an_error() {
    let (last, code) = told(&run("keep", "true"));
    assert_eq!(code, Some(1));
    assert!(last.contains("'keep' is neither wait nor end nor refuse"));
}
