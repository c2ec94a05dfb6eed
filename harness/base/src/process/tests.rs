//! Child processes end when they should, with everything that they started.

#![allow(clippy::unwrap_used)]

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Whether the process exists and is not a zombie.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

async fn first_line(path: &Path) -> String {
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

#[tokio::test]
async fn output_goes_to_the_log_and_its_end_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut seen = Vec::new();
    let script = "for i in $(seq 30); do echo out $i; done; printf last >&2; exit 3";
    let finished = run(shell(script), &log, |line| seen.push(line.to_owned()))
        .await
        .unwrap();
    assert_eq!(finished.status.code(), Some(3));
    assert_eq!(seen.len(), 31);
    assert_eq!(finished.tail.len(), TAIL_LINES);
    assert_eq!(finished.tail.last().unwrap(), "last");
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.starts_with("out 1\n") && logged.ends_with("out 30\nlast"));
}

#[tokio::test]
async fn a_log_is_bounded_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    std::fs::write(&log, vec![b'.'; LOG_LIMIT as usize - 10]).unwrap();
    let finished = run(shell("yes | head -c 100000; printf end"), &log, |_| {})
        .await
        .unwrap();
    assert_eq!(finished.tail.last().unwrap(), "end");
    let logged = std::fs::read_to_string(&log).unwrap();
    let end = "y\ny\ny\ny\ny\n\n[exitlab: 99993 bytes left out]\n";
    assert!(logged.ends_with(end), "{}", &logged[logged.len() - 80..]);
}

#[tokio::test]
async fn dropping_a_run_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!(
        "sh -c 'sleep 1000' & echo $! > {}; wait",
        pid_file.display()
    );
    let log = dir.path().join("log");
    let grandchild = tokio::select! {
        _ = run(shell(&script), &log, |_| {}) => panic!("it does not end by itself"),
        pid = first_line(&pid_file) => pid,
    };
    // It was killed, and dies when it gets its turn.
    poll_until(Duration::from_secs(10), || !lives(&grandchild));
    assert!(!lives(&grandchild), "{grandchild} still runs");
}

#[tokio::test]
async fn a_background_process_does_not_hold_up_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let log = dir.path().join("log");
    let finished = run(shell("sleep 1000 & echo done"), &log, |_| {}).await;
    assert_eq!(finished.unwrap().tail, ["done"]);
    assert!(started.elapsed() < Duration::from_secs(100));
}

#[tokio::test]
async fn stop_kills_what_ignores_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let script = "trap '' TERM; echo $$; while :; do sleep 0.01; done";
    let mut stubborn = Supervised::spawn(shell(script), &log).unwrap();
    let pid = first_line(&log).await;
    assert!(stubborn.try_exited().unwrap().is_none());
    assert_eq!(stubborn.tail(), [pid.as_str()]);
    let status = stubborn.stop(Duration::from_millis(50)).await.unwrap();
    assert!(!status.success());
    assert!(!lives(&pid));
}

#[tokio::test]
async fn a_missing_program_is_a_prerequisite() {
    let dir = tempfile::tempdir().unwrap();
    let command = Command::new("no-such-program-of-exitlab");
    let error = run(command, &dir.path().join("log"), |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), crate::error::exit_code::PREREQUISITE);
}
