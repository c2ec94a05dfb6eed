//! `exit-sampler run MODE COMMAND`: a command, and everything that it starts.
//!
//! The command leads a process group of its own, and this process is the subreaper of all that
//! comes of it (`PR_SET_CHILD_SUBREAPER`): what the command starts in the background, also in
//! a session of its own, becomes a child of this process when its parent ends, and cannot get
//! away unseen. What is left when the command ends is treated as MODE says, and the last line
//! on standard error tells of it, in the words of [`Report`]'s `Display`.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
    set_child_subreaper, wait,
};

/// What ends this soon after the command was not left behind, but on its way out.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// How long what is asked to end may take.
const GRACE: Duration = Duration::from_secs(2);

/// How long what is killed may take: only a process stuck in the kernel needs more.
const KILLED: Duration = Duration::from_secs(5);

/// How often it is looked whether something has ended.
const POLL: Duration = Duration::from_millis(10);

/// How many of the processes left behind are named.
const MOST_NAMED: usize = 3;

/// Longest name, characters.
const LONGEST_NAME: usize = 60;

/// What becomes of what a command leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Wait,
    End,
    Refuse,
}

/// What a command left behind.
struct Left {
    processes: usize,
    /// The command lines of some.
    names: Vec<String>,
}

/// How a command ended and what it left behind.
struct Report {
    status: WaitStatus,
    /// What was done, and with what; none where nothing was left.
    left: Option<(&'static str, Left)>,
}

/// `exit 0, alone`, `signal 9, waited for 2: sleep 100; cat`
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.terminating_signal() {
            Some(signal) => write!(f, "signal {signal}, ")?,
            None => write!(f, "exit {}, ", self.status.exit_status().unwrap_or(0))?,
        }
        match &self.left {
            None => f.write_str("alone"),
            Some((done, Left { processes, names })) => {
                write!(f, "{done} {processes}: {}", names.join("; "))
            }
        }
    }
}

/// Runs the command. Returns its exit status as shells tell it.
pub fn run(mode: &str, command: &str) -> Result<u8, String> {
    let mode = match mode {
        "wait" => Mode::Wait,
        "end" => Mode::End,
        "refuse" => Mode::Refuse,
        other => return Err(format!("'{other}' is neither wait nor end nor refuse")),
    };
    set_child_subreaper(Some(getpid()))
        .map_err(|e| format!("failed to become a subreaper: {e}"))?;
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| format!("failed to start /bin/sh: {e}"))?;
    let group = Pid::from_child(&child);
    let status = ended(group)?;
    let mut report = Report { status, left: None };
    if all_gone_within(ON_ITS_WAY)? {
        say(&report);
        return Ok(exit_code(status));
    }
    let left = look();
    report.left = match mode {
        // Nobody waits for what a command left behind that failed.
        Mode::Wait if status.exit_status() == Some(0) => {
            report.left = Some(("waiting for", left));
            say(&report);
            while matches!(
                wait(WaitOptions::empty()),
                Ok(_) | Err(rustix::io::Errno::INTR)
            ) {}
            report.left.map(|(_, left)| ("waited for", left))
        }
        Mode::Wait | Mode::Refuse => Some(("found", left)),
        Mode::End => {
            end(group)?;
            Some(("ended", left))
        }
    };
    say(&report);
    Ok(exit_code(status))
}

/// For the agent, which reads the last line.
fn say(report: &Report) {
    // With standard error closed, the exit status is all that can be said.
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("exit-sampler: {report}\n").as_bytes(),
    );
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = match status.terminating_signal() {
        Some(signal) => 128 + signal,
        None => status.exit_status().unwrap_or(0),
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Waits for the end of the command itself; whatever else ends meanwhile is reaped.
fn ended(command: Pid) -> Result<WaitStatus, String> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(format!("failed to wait for the command: {e}")),
        }
    }
}

/// Whether everything ends within that time; looks at least once.
fn all_gone_within(time: Duration) -> Result<bool, String> {
    let deadline = Instant::now() + time;
    loop {
        match wait(WaitOptions::NOHANG) {
            // Another may have ended, too.
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) => return Ok(false),
            Err(rustix::io::Errno::CHILD) => return Ok(true),
            Err(e) => return Err(format!("failed to wait for what is left: {e}")),
        }
    }
}

/// Ends what is left: asked first, then killed.
fn end(group: Pid) -> Result<(), String> {
    signal(group, Signal::TERM);
    // What was stopped hears nothing else.
    signal(group, Signal::CONT);
    if all_gone_within(GRACE)? {
        return Ok(());
    }
    let deadline = Instant::now() + KILLED;
    while Instant::now() < deadline {
        // Anew each time: what is killed may have started another.
        signal(group, Signal::KILL);
        if all_gone_within(POLL)? {
            return Ok(());
        }
    }
    let Left { processes, names } = look();
    Err(format!(
        "{processes} processes do not end even when killed: {}",
        names.join("; ")
    ))
}

/// Signals everything that is left. Without `/proc` only the group of the command is known.
fn signal(group: Pid, signal: Signal) {
    // That nobody is left is fine.
    let _ = kill_process_group(group, signal);
    for (process, _) in descendants() {
        if let Some(pid) = Pid::from_raw(process) {
            let _ = kill_process(pid, signal);
        }
    }
}

fn look() -> Left {
    let left = descendants();
    let named = left.iter().take(MOST_NAMED);
    Left {
        processes: left.len().max(1),
        names: named.map(|(pid, comm)| name(*pid, comm)).collect(),
    }
}

/// All that descends from this process and has not ended, with what the kernel calls it.
fn descendants() -> Vec<(i32, String)> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat"));
        if let Some((pid, process)) = stat.ok().as_deref().and_then(parse) {
            parents.insert(pid, process);
        }
    }
    let us = getpid().as_raw_pid();
    let descends = |mut pid: i32| {
        // No chain of parents is longer than the list of processes.
        for _ in 0..parents.len() {
            match parents.get(&pid) {
                Some(process) if process.parent == us => return true,
                Some(process) => pid = process.parent,
                None => return false,
            }
        }
        false
    };
    let left = parents
        .iter()
        .filter(|(pid, p)| !p.ended && descends(**pid));
    left.map(|(pid, p)| (*pid, p.comm.clone())).collect()
}

struct Process {
    comm: String,
    ended: bool,
    parent: i32,
}

/// `/proc/PID/stat`: number, name in parentheses, state, parent.
fn parse(stat: &str) -> Option<(i32, Process)> {
    let (pid, rest) = stat.split_once(" (")?;
    // A name may hold anything.
    let (comm, rest) = rest.rsplit_once(") ")?;
    let mut words = rest.split(' ');
    let ended = matches!(words.next()?, "Z" | "X");
    let parent = words.next()?.parse().ok()?;
    let process = Process {
        comm: comm.to_owned(),
        ended,
        parent,
    };
    Some((pid.parse().ok()?, process))
}

/// A command line in one short line, or what the kernel calls the process.
fn name(pid: i32, comm: &str) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let line = if line.trim().is_empty() {
        comm
    } else {
        line.trim()
    };
    let plain = |c: char| match c {
        // It divides names in the report.
        ';' => ',',
        c if c.is_control() => ' ',
        c => c,
    };
    line.chars().take(LONGEST_NAME).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let (pid, process) = parse("12 (a) b) S 7 12 12 0").unwrap_or_else(|| panic!("no stat"));
        assert_eq!((pid, process.parent, process.ended), (12, 7, false));
        assert_eq!(process.comm, "a) b");
        assert!(parse("13 (z) Z 7 0").is_some_and(|(_, process)| process.ended));
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn this_process_has_no_descendant_that_is_somebody_elses() {
        let first = descendants();
        assert!(first.iter().all(|(pid, _)| *pid != 1), "{first:?}");
    }
}
