//! Where the campaign takes place: results, a cache that may be damaged, and things outside
//! that nobody may touch.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::aftermath::{self, Picture};
use crate::fault::Seen;
use crate::inside::Elsewhere;

/// The experiment of all faults: the host that takes the least time.
pub const WORDS: [&str; 6] = [
    "--platform",
    "tcg-svm",
    "--set",
    "guest.machine=microvm",
    "--progress",
    "json",
];

/// The tables that must be the same.
pub const SAME: [&str; 3] = ["counts.csv", "samples.csv", "events.jsonl"];

/// A directory of the campaign's own.
pub struct Field {
    dir: PathBuf,
    /// How long an undisturbed run takes.
    pub usual: Duration,
    outside: Picture,
    elsewhere: OnceCell<Elsewhere>,
}

impl Field {
    /// Makes it, and the run that nothing disturbs.
    pub fn new() -> Field {
        let dir = tempfile::Builder::new().prefix("exitlab-faults-").tempdir();
        let dir = dir.unwrap().keep();
        for name in ["results", "outside"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        fs::write(dir.join("outside/precious"), "as it was").unwrap();
        let mut field = Field {
            outside: Picture::of(&dir.join("outside")),
            dir,
            usual: Duration::ZERO,
            elsewhere: OnceCell::new(),
        };
        // The first fills the cache, if anything is missing there.
        for name in ["first", "undisturbed"] {
            let started = Instant::now();
            let mut run = field.exitlab();
            run.arg("run")
                .args(WORDS)
                .arg("--out")
                .arg(field.path(name));
            let output = run.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "undisturbed: {said}");
            field.usual = started.elapsed();
        }
        field
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the results of a fault go.
    pub fn out(&self, number: u64) -> PathBuf {
        self.dir.join("results").join(number.to_string())
    }

    /// A path beside it, of what goes on from one fault to the next.
    pub fn beside(&self, name: &str) -> PathBuf {
        let mut path = self.dir.clone().into_os_string();
        path.push("-");
        path.push(name);
        path.into()
    }

    /// A machine that exitlab did not boot; it is booted when it is first asked for.
    pub fn elsewhere(&self) -> &Elsewhere {
        self.elsewhere.get_or_init(|| Elsewhere::new(self))
    }

    /// The program, whose standard output is read.
    pub fn exitlab_that_tells(&self) -> Command {
        let mut command = self.exitlab();
        command.stdout(Stdio::piped());
        command
    }

    /// The program, quiet.
    pub fn exitlab(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_exitlab"));
        command
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Whether these results are those of the run that nothing disturbed.
    pub fn as_undisturbed(&self, out: &Path) -> Vec<String> {
        let differs = SAME.iter().filter(|name| {
            let one = fs::read(self.path("undisturbed").join(name)).unwrap();
            fs::read(out.join(name)).ok() != Some(one)
        });
        differs
            .map(|name| format!("complete, but {name} is not that of an undisturbed run"))
            .collect()
    }

    /// Looks for what is left, once everything had time to go.
    pub fn swept(&self, mut seen: Seen) -> Seen {
        seen.wrong.extend(aftermath::left_running(&self.dir));
        if Picture::of(&self.path("outside")) != self.outside {
            seen.wrong.push("a file outside was touched".to_owned());
        }
        if seen.wrong.is_empty() {
            let results = self.path("results");
            let _ = fs::remove_dir_all(&results);
            fs::create_dir(results).unwrap();
        }
        seen
    }

    /// Leaves everything where it is, and says where.
    pub fn keep(self) -> PathBuf {
        let mut field = self;
        field.leave();
        let dir = std::mem::take(&mut field.dir);
        std::mem::forget(field);
        dir
    }
}

impl Field {
    /// Turns the machine off.
    fn leave(&mut self) {
        self.elsewhere.take();
        let _ = fs::remove_dir_all(self.beside("machine"));
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.leave();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
