//! A program at work, and the emulator below it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, exitlab};

/// A program that is running; its progress is read as JSON lines from a file.
pub struct Running {
    pub child: Child,
    progress: PathBuf,
}

impl Running {
    /// Starts `exitlab run` with JSON progress, logged below `place`.
    pub fn start(place: &Place, args: &[&str]) -> Running {
        let mut command = exitlab();
        command.arg("run").args(args);
        Running::start_as(place, command)
    }

    /// The same for a command that is a run already.
    pub fn start_as(place: &Place, mut command: Command) -> Running {
        let progress = place.path("progress.jsonl");
        let child = command
            .args(["--progress", "json"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&progress).unwrap())
            .spawn()
            .unwrap();
        Running { child, progress }
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.progress).unwrap()
    }

    /// Waits until the progress contains `text`.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(300);
        while !self.stderr().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended before {text}: {}", self.stderr());
            assert!(Instant::now() < deadline, "no {text}: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the program, and only to it.
    pub fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    /// Waits for the end and returns the exit code.
    pub fn code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "does not end: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn kill(process: u32, signal: &str) {
    let status = Command::new("kill")
        .args([signal, &process.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// The process id of the emulator that works below `dir`, as soon as there is one.
pub fn emulator_below(dir: &Path) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(emulator) = find_emulator(dir) {
            return emulator;
        }
        assert!(Instant::now() < deadline, "no emulator works there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn find_emulator(dir: &Path) -> Option<u32> {
    let dir = dir.canonicalize().ok()?;
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let process = entry.ok()?.path();
        let number = process.file_name()?.to_str()?.parse().ok()?;
        let below = std::fs::read_link(process.join("cwd"))
            .ok()?
            .starts_with(&dir);
        let name = std::fs::read_to_string(process.join("comm")).ok()?;
        let emulator = name.starts_with("bochs") || name.starts_with("qemu-system");
        (below && emulator).then_some(number)
    })
}
