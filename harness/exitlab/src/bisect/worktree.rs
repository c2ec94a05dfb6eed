//! A work tree of the user's repository for one bisection. It has no files. Its `HEAD` and
//! its `refs/bisect` are its own, so the user's work trees, and a bisection in one of them,
//! are left alone; all of it goes with this value.

use std::path::{Path, PathBuf};

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::git::{self, Repository};
use exitlab_base::process;

/// How the names of these work trees begin.
const PREFIX: &str = "exitlab-bisect-";
/// What a bisection holds in its results directory.
const LOCK: &str = ".lock";

/// How a bisection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// This commit is the first bad one.
    Found(String),
    /// One of these, newest first: the others were skipped.
    OneOf(Vec<String>),
}

/// A linked work tree without files.
#[derive(Debug)]
pub struct LinkedWorktree {
    repo: Repository,
    dir: PathBuf,
    _lock: Lock,
}

impl LinkedWorktree {
    /// Makes one in the results directory `out`, and removes those of bisections that were
    /// killed.
    pub fn new(repo: &Repository, out: &Path, bad: &str) -> Result<LinkedWorktree> {
        sweep(repo);
        let out = std::path::absolute(out).map_err(Error::io("find", out))?;
        let lock = out.join(LOCK);
        let lock = Lock::try_acquire(&lock)?.ok_or_else(|| Error::Config {
            message: format!("another exitlab is at work in {}", out.display()),
            cure: "wait for its end, or name another directory".to_owned(),
        })?;
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&out)
            .map_err(Error::io("create", &out))?
            .keep();
        let linked = LinkedWorktree {
            repo: repo.clone(),
            dir,
            _lock: lock,
        };
        let dir = linked.dir.display().to_string();
        let words = ["worktree", "add", "--detach", "--no-checkout", &dir, bad];
        run(repo.common(), &words)?;
        Ok(linked)
    }

    /// Begins the bisection.
    pub fn start(&self, good: &str, bad: &str) -> Result<()> {
        run(&self.dir, &["bisect", "start", "--no-checkout", bad, good]).map(drop)
    }

    /// Has Git bisect by asking at `socket`; what it says goes to `log` and to `on_line`.
    pub async fn bisect(
        &self,
        socket: &Path,
        log: &Path,
        on_line: impl FnMut(&str),
    ) -> Result<End> {
        let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
        self.bisect_by(&exe, socket, log, on_line).await
    }

    async fn bisect_by(
        &self,
        exe: &Path,
        socket: &Path,
        log: &Path,
        on_line: impl FnMut(&str),
    ) -> Result<End> {
        let mut command = git::command(&self.dir);
        command.args(["bisect", "run"]).arg(exe).arg("bisect-step");
        command.arg(socket);
        let finished = process::run(command, log, on_line).await?;
        let suspects = self.suspects()?;
        match (finished.status.code(), &*suspects) {
            (Some(0), [first, ..]) => Ok(End::Found(first.clone())),
            (Some(2), [_, _, ..]) => Ok(End::OneOf(suspects)),
            _ => Err(Error::Experiment {
                stage: "bisect".to_owned(),
                message: format!("git bisect run failed ({})", finished.status),
                tail: finished.tail,
                cure: "see what Git says, above: where good is not an ancestor of bad, the \
                       commit that both descend from must be good, too"
                    .to_owned(),
            }),
        }
    }

    /// The commit that is to be judged now.
    pub fn asked_about(&self) -> Result<String> {
        Repository::open(&self.dir)?.commit("BISECT_HEAD")
    }

    /// What Git has kept of the bisection.
    pub fn log(&self) -> Result<String> {
        Ok(run(&self.dir, &["bisect", "log"])? + "\n")
    }

    /// The commits of which one is the first bad one, the last known bad one first.
    fn suspects(&self) -> Result<Vec<String>> {
        let words = ["rev-list", "--topo-order", "refs/bisect/bad", "--not"];
        let list = run(
            &self.dir,
            &[&words[..], &["--glob=refs/bisect/good-*"]].concat(),
        )?;
        Ok(list.lines().map(str::to_owned).collect())
    }
}

impl Drop for LinkedWorktree {
    fn drop(&mut self) {
        remove(&self.repo, &self.dir);
        // Where Git did not come to know it.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Git removes a work tree only if that knows of the repository, too.
fn remove(repo: &Repository, dir: &Path) {
    let path = dir.display().to_string();
    if let Err(error) = run(repo.common(), &["worktree", "remove", "--force", &path]) {
        tracing::warn!("{error}");
    }
}

/// Removes work trees of bisections that nobody is at work in any more.
fn sweep(repo: &Repository) {
    let list = run(repo.common(), &["worktree", "list", "--porcelain"]).unwrap_or_default();
    let dirs = list
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "));
    for dir in dirs.map(Path::new) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let Some(out) = dir.parent().filter(|_| name.starts_with(PREFIX)) else {
            continue;
        };
        // Whoever bisects there holds the lock; without the directory nobody does. A repository
        // may come from elsewhere, and name any place: nothing is made there.
        let free = match Dir::open(out) {
            Err(_) => true,
            Ok(out) => matches!(Lock::try_existing_in(&out, LOCK), Ok(Some(_))),
        };
        if free {
            remove(repo, dir);
        }
    }
}

/// A short command to its end, and what it prints.
fn run(dir: &Path, words: &[&str]) -> Result<String> {
    let mut command = git::command(dir);
    command.args(["-c", "core.hooksPath=/dev/null"]).args(words);
    git::told(command).map_err(|said| Error::Experiment {
        stage: "bisect".to_owned(),
        message: format!("git {} failed", words[..words.len().min(2)].join(" ")),
        tail: said.lines().map(str::to_owned).collect(),
        cure: "see what Git says, above".to_owned(),
    })
}

#[cfg(test)]
mod tests;
