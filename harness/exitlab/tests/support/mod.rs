//! What the tests of the whole program share: running it, and seeing that it left
//! nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The binary under test.
pub fn exitlab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exitlab"));
    command.stdin(Stdio::null());
    command
}

/// A place for one test's results.
pub struct Place(tempfile::TempDir);

/// Names a directory that keeps what other programs read of all tests' results
/// (`scripts/check-results`).
const KEEP: &str = "EXITLAB_TEST_RESULTS";

/// Of a results directory.
const KEPT: [&str; 8] = [
    "run.json",
    "matrix.json",
    "samples.csv",
    "counts.csv",
    "cells.csv",
    "details.csv",
    "places.csv",
    "times.csv",
];

impl Drop for Place {
    /// What a failed test wrote may be broken, and is not kept.
    fn drop(&mut self) {
        if let Some(keep) = std::env::var_os(KEEP).filter(|_| !std::thread::panicking()) {
            let name = self.0.path().file_name().unwrap_or_default();
            keep_results(self.0.path(), &Path::new(&keep).join(name)).unwrap();
        }
    }
}

fn keep_results(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if kind.is_dir() {
            keep_results(&entry.path(), &to.join(&name))?;
        } else if kind.is_file() && KEPT.iter().any(|kept| name == *kept) {
            std::fs::create_dir_all(to)?;
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

impl Place {
    pub fn new() -> Place {
        Place(
            tempfile::Builder::new()
                .prefix("exitlab-test-")
                .tempdir()
                .unwrap(),
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Fails if any process still works below this place.
    pub fn assert_deserted(&self) {
        let left = processes_below(self.0.path());
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// Command lines of processes whose working directory is below `dir`.
pub fn processes_below(dir: &Path) -> Vec<String> {
    let dir = dir.canonicalize().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process = entry.ok()?.path();
            let below = std::fs::read_link(process.join("cwd"))
                .ok()?
                .starts_with(&dir);
            let words = std::fs::read(process.join("cmdline")).ok()?;
            // A process that has ended but is not reaped yet has no command line.
            (below && !words.is_empty()).then(|| String::from_utf8_lossy(&words).replace('\0', " "))
        })
        .collect()
}

/// Standard output, standard error and exit code.
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Outcome {
    /// Fails unless the program ended with `code`, said every fragment on standard
    /// error, and printed no table.
    pub fn assert_failed(&self, code: i32, fragments: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for fragment in fragments {
            let said = self.stderr.contains(fragment);
            assert!(said, "no {fragment:?} in:\n{}", self.stderr);
        }
        assert_eq!(self.stdout, "", "no table of nonsense");
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Outcome {
        Outcome {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Outcome {
    exitlab().args(args).output().unwrap().into()
}
