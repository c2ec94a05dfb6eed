//! The top-level error: what failed, in which stage, what cures it, and the exit code.

use std::path::{Path, PathBuf};

use crate::foreign::paragraph;

pub mod exit_code;

/// Result with exitlab's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that keeps a command of exitlab from doing what it is asked. The message is a lower-case fragment that
/// fits after "exitlab: "; [`Error::cure`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A configuration file, `--set` or an argument is wrong.
    #[error("{message}")]
    Config {
        /// File, key, value and what is wrong with it.
        message: String,
        /// What to do.
        cure: String,
    },
    /// Programs, packages or rights that are missing: all of them at once.
    #[error("{}", missing_list(.missing))]
    Prerequisite {
        /// One line for each thing that is missing.
        missing: Vec<String>,
        /// The command that installs them.
        cure: String,
    },
    /// A build of a kernel or an image failed.
    #[error("{stage}: {message}")]
    Build {
        /// For example `kernel: apply hooks`.
        stage: String,
        /// What happened.
        message: String,
        /// Last lines of the build's output.
        tail: Vec<String>,
        /// What to do.
        cure: String,
    },
    /// The experiment failed.
    #[error("{stage}: {message}")]
    Experiment {
        /// For example `guest boots`.
        stage: String,
        /// What happened.
        message: String,
        /// Last lines of the console of what died or never answered.
        tail: Vec<String>,
        /// What to do.
        cure: String,
    },
    /// The stream of events from the host is not what its agent must send.
    #[error("broken event stream: expected {expected}, came {came}")]
    Stream {
        /// What would have been right.
        expected: String,
        /// What came in its place.
        came: String,
        /// Last lines of the host's console.
        tail: Vec<String>,
        /// What to do.
        cure: String,
    },
    /// A run took all of its samples, and what they hold breaks promises.
    #[error("{message}")]
    Checks {
        /// Which promises, and of which run.
        message: String,
        /// What to do.
        cure: String,
    },
    /// The host gave no sign of life for too long, or its guest none.
    #[error("host: {message}")]
    Silence {
        /// For how long.
        message: String,
        /// Last lines of its console.
        tail: Vec<String>,
        /// What to do.
        cure: String,
    },
    /// A file or directory of ours could not be read or written.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// A verb: `write`, `create`.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What a file of ours holds, or shall hold, cannot be told as JSON.
    #[error("failed to {action} {} as JSON: {source}", path.display())]
    Json {
        /// A verb: `write`, `read`.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The user pressed Ctrl-C (or sent SIGTERM).
    #[error("interrupted")]
    Interrupted,
    /// An error whose cure is known better by who asked for what failed.
    #[error("{error}")]
    Cured {
        /// What failed.
        error: Box<Error>,
        /// What to do.
        cure: String,
    },
}

fn missing_list(missing: &[String]) -> String {
    format!("missing:\n  {}", missing.join("\n  "))
}

impl Error {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config { .. } => exit_code::CONFIG,
            Error::Prerequisite { .. } => exit_code::PREREQUISITE,
            Error::Build { .. } => exit_code::BUILD,
            Error::Checks { .. } => exit_code::CHECKS,
            Error::Experiment { .. }
            | Error::Stream { .. }
            | Error::Silence { .. }
            | Error::Io { .. }
            | Error::Json { .. } => exit_code::EXPERIMENT,
            Error::Interrupted => exit_code::INTERRUPTED,
            Error::Cured { error, .. } => error.exit_code(),
        }
    }

    /// What the user can do about it; empty if nothing.
    pub fn cure(&self) -> String {
        match self {
            Error::Config { cure, .. }
            | Error::Prerequisite { cure, .. }
            | Error::Build { cure, .. }
            | Error::Experiment { cure, .. }
            | Error::Stream { cure, .. }
            | Error::Checks { cure, .. }
            | Error::Silence { cure, .. }
            | Error::Cured { cure, .. } => cure.clone(),
            Error::Io { source, .. } => io_cure(source).to_owned(),
            Error::Json { action, .. } => json_cure(action).to_owned(),
            Error::Interrupted => String::new(),
        }
    }

    /// Last lines of the console or build output that belong to it.
    pub fn tail(&self) -> &[String] {
        match self {
            Error::Build { tail, .. }
            | Error::Experiment { tail, .. }
            | Error::Stream { tail, .. }
            | Error::Silence { tail, .. } => tail,
            Error::Cured { error, .. } => error.tail(),
            _ => &[],
        }
    }

    /// Whether something could not be written for want of rights, or where nothing can be.
    pub fn is_of_a_read_only_place(&self) -> bool {
        matches!(self, Error::Io { source, .. } if is_read_only(source))
    }

    /// The error of a command that works with the cache in `cache`: where that is full or
    /// cannot be written to, the cure is another cache, and no other `--out`.
    #[must_use]
    pub fn of_cache(self, cache: &Path) -> Error {
        let (full, read_only) = match &self {
            Error::Io { path, source, .. } if path.starts_with(cache) => {
                let nowhere = path == cache;
                (is_full(source), nowhere || is_read_only(source))
            }
            // What compilers and packers say; they write nowhere else.
            Error::Build { message, tail, .. } => {
                let mut said = tail.iter().chain([message]);
                let full = said.any(|line| FULL.iter().any(|word| line.contains(word)));
                (full, false)
            }
            _ => (false, false),
        };
        let what = match (full, read_only) {
            (true, _) => "free some space in",
            (_, true) => "check the rights of",
            _ => return self,
        };
        Error::Cured {
            error: Box::new(self),
            cure: format!(
                "{what} the cache, {}, or choose another one with --cache",
                cache.display()
            ),
        }
    }

    /// Wraps an I/O error of `path`: `.map_err(Error::io("write", path))`.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }

    /// Wraps an error of JSON in `path`: `.map_err(Error::json("read", path))`.
    pub fn json(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(serde_json::Error) -> Error {
        let path = path.into();
        move |source| Error::Json {
            action,
            path,
            source,
        }
    }
}

/// What the C library says of a full disk.
const FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

fn is_full(source: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(source.kind(), StorageFull | QuotaExceeded)
}

fn is_read_only(source: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
}

fn io_cure(source: &std::io::Error) -> &'static str {
    use rustix::io::Errno;
    // Limits have no kinds of their own in std.
    match Errno::from_io_error(source) {
        Some(Errno::MFILE) => {
            return "this process may not open more files: raise the limit (ulimit -n)";
        }
        Some(Errno::NFILE) => return "no process here may open more files: see fs.file-max",
        Some(Errno::FBIG) => {
            return "the file would be larger than this process may write: raise the limit \
                    (ulimit -f unlimited)";
        }
        Some(Errno::AGAIN) => {
            return "no more processes may be started: raise the limit (ulimit -u), or that of the \
                    container";
        }
        Some(Errno::NOMEM) => {
            return "there is not enough memory: give this machine or container more, or end what \
                    else takes it";
        }
        Some(Errno::NOEXEC) => return "it is no program for this machine: reinstall it",
        Some(Errno::IO) => return "the disk cannot be read or written there: see dmesg",
        Some(Errno::ROFS) => return "that file system is read-only: choose another directory",
        _ => {}
    }
    match source.kind() {
        _ if is_full(source) => "free some space there, or choose another directory with --out",
        _ if is_read_only(source) => "check the rights of that path, or choose another one",
        std::io::ErrorKind::NotFound => "check that the path exists",
        _ => "check that path and try again",
    }
}

/// What exitlab writes can always be told as JSON, but for names that are not UTF-8.
fn json_cure(action: &str) -> &'static str {
    match action {
        "read" => "the file was changed or is damaged: remove it and try again",
        _ => "give files and directories names in UTF-8",
    }
}

/// An error for people: what failed, the last lines of what died, and the cure.
pub fn for_people(error: &Error) -> String {
    told(&error.to_string(), error.tail(), &error.cure())
}

/// The last words of a command: what there is to say, lines that belong to it, and the cure.
/// Much of it is from outside, so it is made harmless and short.
pub fn told(message: &str, tail: &[String], cure: &str) -> String {
    let mut text = format!("exitlab: {}\n", paragraph(message));
    for line in paragraph(&tail.join("\n")).lines() {
        text += &format!("  | {line}\n");
    }
    if !cure.is_empty() {
        text += &format!("  cure: {}\n", indented(&paragraph(cure)));
    }
    text
}

/// A cure of several lines, each below the first.
fn indented(cure: &str) -> String {
    let lines: Vec<&str> = cure.lines().map(str::trim).collect();
    lines.join("\n        ")
}

#[cfg(test)]
mod tests;
