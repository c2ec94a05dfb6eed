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
