//! Questions to a user's Git repository, and files taken out of it. Nothing here writes to
//! the repository, to its index or to a work tree of the user's.

mod refusal;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::{not_started, process};

/// What Git calls its program.
const GIT: &str = "git";

/// Settings that decide what a checked-out file holds, whatever the user's own are: files
/// are what the repository holds, byte for byte, all of them, and no hook runs.
const PLAIN: [&str; 9] = [
    "core.autocrlf=false",
    "core.eol=lf",
    "core.symlinks=true",
    "core.fileMode=true",
    "core.sparseCheckout=false",
    "core.splitIndex=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    // As many as there are processors.
    "checkout.workers=0",
];

/// A repository: a work tree of it, linked or not, or a bare one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// As the user named it. What `HEAD` means depends on it.
    dir: PathBuf,
    /// What all its work trees share: objects and references.
    common: PathBuf,
}

/// What people know a commit by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// All of its hash.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it: name and address.
    pub author: String,
    /// When it was written, RFC 3339 with the author's time zone.
    pub date: String,
}

impl Repository {
    /// The repository in `dir`, or that `dir` is a work tree of.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if there is none; [`Error::Prerequisite`] without Git.
    pub fn open(dir: &Path) -> Result<Repository> {
        let words = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        let common = ask(dir, &words)?.map_err(|said| refusal::of(dir, &said))?;
        let common = PathBuf::from(OsStr::from_bytes(common.trim_ascii_end()));
        Ok(Repository {
            dir: std::path::absolute(dir).map_err(Error::io("find", dir))?,
            common: common.canonicalize().map_err(Error::io("find", &common))?,
        })
    }

    /// As the user named it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it is, whichever of its work trees was named.
    pub fn common(&self) -> &Path {
        &self.common
    }

    /// The hash of the commit that a revision names.
    pub fn commit(&self, revision: &str) -> Result<String> {
        let words = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
        let commit = format!("{revision}^{{commit}}");
        let found = ask(&self.dir, &[&words[..], &[&commit]].concat())?;
        match found {
            Ok(id) => Ok(text(id)),
            Err(said) => Err(refusal::of_revision(
                &self.dir,
                revision,
                &said,
                self.is_shallow()?,
            )),
        }
    }

    /// Whether its history was cut off when it was cloned.
    pub fn is_shallow(&self) -> Result<bool> {
        let answer = ask(&self.dir, &["rev-parse", "--is-shallow-repository"])?;
        Ok(answer.is_ok_and(|answer| answer.trim_ascii() == b"true"))
    }

    /// The hash of what a commit's files are.
    pub fn tree(&self, commit: &str) -> Result<String> {
        let tree = format!("{commit}^{{tree}}");
        self.told(&["rev-parse", "--verify", "--end-of-options", &tree])
            .map(text)
    }

    /// Whether a commit has a file.
    pub fn has_file(&self, commit: &str, path: &str) -> Result<bool> {
        let object = format!("{commit}:{path}");
        Ok(ask(&self.common, &["cat-file", "-e", &object])?.is_ok())
    }

    /// Whether an object is still there: what nothing refers to is removed some day.
    pub fn has(&self, object: &str) -> Result<bool> {
        Ok(ask(&self.common, &["cat-file", "-e", object])?.is_ok())
    }

    /// The files whose contents or kinds differ between two trees.
    pub fn changed(&self, from: &str, to: &str) -> Result<Vec<PathBuf>> {
        let words = ["diff-tree", "-r", "-z", "--no-renames", "--name-only"];
        let list = self.told(&[&words[..], &[from, to]].concat())?;
        let paths = list
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty());
        Ok(paths.map(|path| OsStr::from_bytes(path).into()).collect())
    }

    /// The hashes of a commit's parents.
    pub fn parents(&self, commit: &str) -> Result<Vec<String>> {
        let words = [
            "show",
            "--no-patch",
            "--format=%P",
            "--end-of-options",
            commit,
        ];
        let list = text(self.told(&words)?);
        Ok(list.split_whitespace().map(str::to_owned).collect())
    }

    /// What people know a commit by.
    pub fn about(&self, commit: &str) -> Result<Commit> {
        let format = "--format=%H%x00%s%x00%an <%ae>%x00%aI";
        let told = text(self.told(&["show", "--no-patch", format, "--end-of-options", commit])?);
        let mut parts = told.split('\0').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Ok(Commit {
            id: part(),
            subject: part(),
            author: part(),
            date: part(),
        })
    }

    /// Puts files of a tree below the directory `to`; all of them, or those of `only` that
    /// the tree has. `scratch` is a directory for what is needed meanwhile.
    pub async fn check_out(
        &self,
        tree: &str,
        only: Option<&[PathBuf]>,
        to: &Path,
        scratch: &Path,
        log: &Path,
    ) -> Result<()> {
        let index = scratch.join("index");
        let command = |words: &[&str]| {
            let mut command = plain(&self.common);
            command.arg("--work-tree").arg(to).args(words);
            command.current_dir(to).env("GIT_INDEX_FILE", &index);
            command
        };
        let read = command(&["read-tree", tree]);
        finish("read-tree", process::run(read, log, |_| {}).await?)?;
        let Some(only) = only else {
            let all = command(&["checkout-index", "--all", "--force"]);
            return finish("checkout-index", process::run(all, log, |_| {}).await?);
        };
        let list = scratch.join("list");
        let mut file = std::fs::File::create(&list).map_err(Error::io("create", &list))?;
        for path in self.present(tree, only)? {
            let line = [path.as_os_str().as_bytes(), b"\0"].concat();
            file.write_all(&line).map_err(Error::io("write", &list))?;
        }
        drop(file);
        let list = std::fs::File::open(&list).map_err(Error::io("read", &list))?;
        let some = command(&["checkout-index", "--force", "-z", "--stdin"]);
        let done = process::run_on(some, Stdio::from(list), log, |_| {}).await?;
        finish("checkout-index", done)
    }

    /// Those of `paths` that a tree has.
    fn present(&self, tree: &str, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let list = self.told(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree])?;
        let there: std::collections::HashSet<&[u8]> = list.split(|byte| *byte == 0).collect();
        let is_there = |path: &&PathBuf| there.contains(path.as_os_str().as_bytes());
        Ok(paths.iter().filter(is_there).cloned().collect())
    }

    /// What Git answers where only a damaged repository gives no answer.
    fn told(&self, words: &[&str]) -> Result<Vec<u8>> {
        ask(&self.common, words)?.map_err(|said| broken(words.first().unwrap_or(&""), said))
    }
}

/// Git in `dir`, with nothing of what an enclosing Git told it.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(GIT);
    // `git rev-parse --local-env-vars`: set where exitlab runs in a hook or an alias.
    let local = [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_COUNT",
        "GIT_OBJECT_DIRECTORY",
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_REPLACE_REF_BASE",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_COMMON_DIR",
    ];
    for name in local {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C").arg("-C").arg(dir);
    command
}

/// Git on a repository's own files, with settings that the user's cannot change.
fn plain(common: &Path) -> Command {
    let mut command = command(common);
    // A hash names what it was made of, not what somebody put in its place.
    command.env("GIT_NO_REPLACE_OBJECTS", "1");
    for setting in PLAIN {
        command.args(["-c", setting]);
    }
    command.arg("--git-dir").arg(common);
    command
}

/// Runs a short command of Git to its end: what it prints, or why it failed.
pub fn told(mut command: Command) -> Result<String, String> {
    command.stdin(Stdio::null());
    let output = command.as_std_mut().output();
    answer(output.map_err(|error| error.to_string())?).map(text)
}

/// A short question: what Git answers, or why it does not.
fn ask(dir: &Path, words: &[&str]) -> Result<Result<Vec<u8>, String>> {
    let mut command = command(dir);
    command.args(words).stdin(Stdio::null());
    let output = command.as_std_mut().output();
    let output = output.map_err(|error| {
        let purpose = "reads the repository of kernel.source";
        not_started::error(Path::new(GIT), purpose, "apt-get install git", error)
    })?;
    Ok(answer(output))
}

fn answer(output: Output) -> Result<Vec<u8>, String> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    Err(said.strip_prefix("fatal: ").unwrap_or(said).to_owned())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

fn finish(what: &str, finished: process::Finished) -> Result<()> {
    if finished.status.success() {
        return Ok(());
    }
    Err(Error::Build {
        stage: "kernel: take the revision out".to_owned(),
        message: format!("git {what} failed ({})", finished.status),
        tail: finished.tail,
        cure: "see what it printed, above; `git fsck` looks for damage of the repository"
            .to_owned(),
    })
}

fn broken(what: &str, said: String) -> Error {
    Error::Build {
        stage: "kernel: read the repository".to_owned(),
        message: format!("git {what} failed: {said}"),
        tail: Vec::new(),
        cure: "`git fsck` looks for damage of the repository".to_owned(),
    }
}

#[cfg(test)]
mod tests;
