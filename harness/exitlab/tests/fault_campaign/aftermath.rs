//! What must be true after every fault.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::field::Field;

/// How long whatever was orphaned may take to go.
const GRACE: Duration = Duration::from_secs(15);

/// The exit codes that docs/exit-codes.md explains.
const CODES: [i32; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 130];

/// How a command ended.
#[derive(Debug)]
pub enum End {
    Status(ExitStatus),
    /// It did not, and was killed.
    Hung,
}

/// How often it is looked whether the end is there.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for the end, but not for ever: `most` is the time of a machine that does nothing else.
pub fn wait(child: &mut Child, most: Duration) -> End {
    let (mut waited, mut last) = (Duration::ZERO, Instant::now());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return End::Status(status);
        }
        waited += last.elapsed().mul_f64(share());
        last = Instant::now();
        if waited > most {
            let _ = child.kill();
            let _ = child.wait();
            return End::Hung;
        }
        std::thread::sleep(LOOK);
    }
}

/// Which part of a processor is left for whoever wants one, from the tasks that want to run
/// (`/proc/loadavg`): no hang waits for more than eight times its deadline.
fn share() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|text| text.parse().ok());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors as f64 / load.unwrap_or(1.0)).clamp(0.125, 1.0)
}

/// What is wrong with how a run ended: `said` is its standard error, `killed` whether we
/// killed it.
pub fn of_run(field: &Field, out: &Path, end: &End, said: &str, killed: bool) -> Vec<String> {
    let mut wrong = of_command(end, said, killed);
    let code = match end {
        End::Status(status) => status.code(),
        End::Hung => None,
    };
    let record = fs::read_to_string(out.join("run.json")).ok();
    let record: Option<serde_json::Value> = record.and_then(|t| serde_json::from_str(&t).ok());
    let complete = record.is_some_and(|r| r["outcome"]["state"] == "complete");
    if complete {
        wrong.extend(field.as_undisturbed(out));
    }
    if code == Some(0) && !complete {
        wrong.push("exit code 0 without complete results".to_owned());
    }
    if !killed && out.join(".machine").exists() {
        wrong.push("the emulator's directory is left".to_owned());
    }
    wrong
}

/// What is wrong with how any command ended.
pub fn of_command(end: &End, said: &str, killed: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    match end {
        End::Hung => wrong.push("it did not end in time".to_owned()),
        End::Status(status) => match status.code() {
            Some(code) if CODES.contains(&code) => {}
            Some(code) => wrong.push(format!("exit code {code}: {}", last(said))),
            None if killed => {}
            None => wrong.push(format!("{status}: {}", last(said))),
        },
    }
    if said.contains("panicked") || said.contains("RUST_BACKTRACE") {
        wrong.push(format!("a panic: {}", last(said)));
    }
    wrong
}

/// The last words.
pub fn last(said: &str) -> String {
    let lines: Vec<&str> = said.lines().rev().take(3).collect();
    let line: String = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
    line.chars().take(400).collect()
}

/// In words, for the report.
pub fn words(end: &End) -> String {
    match end {
        End::Status(status) => status.to_string(),
        End::Hung => "killed at the deadline".to_owned(),
    }
}

/// Processes that work below `dir` and do not go.
pub fn left_running(dir: &Path) -> Vec<String> {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = working_below(dir);
        if left.is_empty() || Instant::now() > deadline {
            return left
                .into_iter()
                .map(|(process, words)| format!("left running: {process} {words}"))
                .collect();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Process ids and command lines of what has its working directory below `dir`.
pub fn working_below(dir: &Path) -> Vec<(u32, String)> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let found = entries.filter_map(|entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let below = fs::read_link(entry.path().join("cwd"))
            .ok()?
            .starts_with(dir);
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        (below && process != own && !words.is_empty()).then_some((process, words))
    });
    found.collect()
}

/// All files below a directory, with their contents.
#[derive(Debug, PartialEq)]
pub struct Picture(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Picture {
    pub fn of(dir: &Path) -> Picture {
        let mut picture = BTreeMap::new();
        let mut open = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).unwrap().flatten() {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    open.push(path.clone());
                }
                picture.insert(path.clone(), fs::read(path).ok());
            }
        }
        Picture(picture)
    }
}
