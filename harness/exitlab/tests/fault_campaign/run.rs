//! A run that something happens to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::aftermath;
use crate::fault::{Seen, Who};
use crate::field::{Field, WORDS};

/// How long a run may take from a fault on, beside what it usually takes. Twice the
/// deadline of a flood; a machine that is busy is slow, and nothing here measures speed.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// A run, and where it writes.
pub struct Run {
    pub child: Child,
    pub out: PathBuf,
    pub said: PathBuf,
}

impl Run {
    /// Starts the experiment of all faults; `command` is `exitlab`, or leads to it.
    pub fn start(field: &Field, mut command: Command, out: PathBuf, name: &str) -> Run {
        command.arg("run").args(WORDS).arg("--out").arg(&out);
        Run::of_words(field, command, out, name)
    }

    /// Starts a command that has all its words.
    pub fn of_words(field: &Field, mut command: Command, out: PathBuf, name: &str) -> Run {
        let said = field.path(&format!("said-{name}"));
        let stderr = File::create(&said).unwrap();
        Run {
            child: command.stderr(stderr).spawn().unwrap(),
            out,
            said,
        }
    }

    /// Starts it with nothing special.
    pub fn of(field: &Field, number: u64) -> Run {
        Run::start(field, field.exitlab(), field.out(number), "one")
    }

    /// Its own process id, or that of its emulator, if there is one.
    pub fn process(&self, who: Who) -> Option<u32> {
        match who {
            Who::Conductor => Some(self.child.id()),
            Who::Emulator => {
                let mut below = aftermath::working_below(&self.out).into_iter();
                below.find_map(|(process, words)| words.contains("qemu-system").then_some(process))
            }
        }
    }

    /// Waits for its end and looks at it.
    pub fn end(mut self, field: &Field, killed: bool) -> Seen {
        let end = aftermath::wait(&mut self.child, field.usual + PATIENCE);
        let said = self.said();
        Seen {
            wrong: aftermath::of_run(field, &self.out, &end, &said, killed),
            ended: aftermath::words(&end),
        }
    }

    /// The same for a run whose results are gone with its mounts.
    pub fn end_elsewhere(mut self, field: &Field) -> Seen {
        let end = aftermath::wait(&mut self.child, field.usual + PATIENCE);
        let said = self.said();
        Seen {
            wrong: aftermath::of_command(&end, &said, false),
            ended: aftermath::words(&end),
        }
    }

    /// The same for a run that must be good, and equal to the one that nothing disturbed.
    pub fn end_well(mut self, field: &Field) -> Seen {
        let end = aftermath::wait(&mut self.child, field.usual + PATIENCE);
        let said = self.said();
        let mut wrong = aftermath::of_run(field, &self.out, &end, &said, false);
        let ended = aftermath::words(&end);
        let good = matches!(&end, aftermath::End::Status(status) if status.success());
        wrong.extend((!good).then(|| format!("not healed: {ended}: {}", aftermath::last(&said))));
        Seen { ended, wrong }
    }

    /// What it printed to standard error.
    pub fn said(&self) -> String {
        let said = fs::read(&self.said).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// A shell that has mounts of its own; `script` gets what follows.
pub fn in_own_mounts(dir: &Path, script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command
}
