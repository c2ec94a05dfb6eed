//! Applying one patch, without touching the tree: present texts in, changed texts out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use tokio::process::Command;

use super::make::clean_env;
use exitlab_base::error::{Error, Result};
use exitlab_base::process;

/// Files of the tree and what each shall hold; none if it shall not be there.
pub type Files = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// A patch in the form of `diff -u` or `git diff`, with one directory before each path.
#[derive(Debug, Clone)]
pub struct Patch {
    /// What messages and keys call it.
    pub name: String,
    /// Its text. Source files need not be UTF-8.
    pub text: Vec<u8>,
}

/// A patch that does not fit a tree.
#[derive(Debug)]
pub struct Misfit {
    /// Name of the patch.
    pub patch: String,
    /// The files that it does not fit.
    pub rejects: Vec<Reject>,
    /// The last lines of what `patch` said.
    pub output: Vec<String>,
}

/// One file that a patch does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    file: String,
    /// Number and line of each hunk that found no place.
    hunks: Vec<(u32, u32)>,
    /// Whether the tree has this change already.
    pub applied_before: bool,
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.file)?;
        if self.applied_before {
            return f.write_str("has this change already");
        }
        if self.hunks.is_empty() {
            return f.write_str("no such file in the tree");
        }
        let hunks = self.hunks.iter();
        let hunks: Vec<_> = hunks
            .map(|(number, line)| format!("hunk {number} (line {line})"))
            .collect();
        f.write_str(&hunks.join(", "))
    }
}

impl Patch {
    /// What the files that it changes hold afterwards, or where it does not fit.
    /// `present` gives a file of the tree; the work is done in `dir`, which must not
    /// exist yet.
    pub async fn apply(
        &self,
        present: &impl Fn(&Path) -> Result<Option<Vec<u8>>>,
        dir: &Path,
    ) -> Result<Result<Files, Misfit>> {
        let tree = dir.join("tree");
        fs::create_dir_all(&tree).map_err(Error::io("create", &tree))?;
        let targets = self.targets();
        for target in &targets {
            let path = tree.join(target);
            let parent = path.parent().unwrap_or(&tree);
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            if let Some(text) = present(target)? {
                fs::write(&path, text).map_err(Error::io("write", &path))?;
            }
        }
        let file = dir.join("patch");
        fs::write(&file, &self.text).map_err(Error::io("write", &file))?;

        let mut command = Command::new("patch");
        clean_env(&mut command);
        command
            // No fuzz: a hunk fits exactly or is reported. Never ask, never reverse.
            .args(["-p1", "-F0", "--forward", "--no-backup-if-mismatch", "-i"])
            .arg(&file)
            .current_dir(&tree);
        let mut output = Vec::new();
        let log = dir.join("patch.log");
        let finished = process::run(command, &log, |line| output.push(line.to_owned())).await?;
        if !finished.status.success() {
            return Ok(Err(Misfit {
                patch: self.name.clone(),
                rejects: rejects(&output),
                output: finished.tail,
            }));
        }
        let mut files = Files::new();
        for target in targets {
            let path = tree.join(&target);
            let text = match fs::read(&path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(Error::io("read", path)(error)),
            };
            files.insert(target, text);
        }
        Ok(Ok(files))
    }

    /// The files that it changes, adds, removes or renames. `patch` itself refuses to
    /// leave its directory, and so do we.
    fn targets(&self) -> BTreeSet<PathBuf> {
        let text = String::from_utf8_lossy(&self.text);
        let mut lines = text.lines().peekable();
        let mut targets = BTreeSet::new();
        while let Some(line) = lines.next() {
            if let Some(old) = line.strip_prefix("--- ") {
                // In a hunk, it is a line that was removed.
                if let Some(new) = lines.peek().and_then(|line| line.strip_prefix("+++ ")) {
                    targets.extend([old, new].into_iter().filter_map(below_first));
                }
            } else if let Some(path) = renamed(line) {
                targets.extend(plain(Path::new(path)));
            }
        }
        targets
    }
}

/// Everything that is read out of the text of a patch, and out of what `patch` says.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_text(text: &str) {
    let patch = Patch {
        name: "fuzzed".to_owned(),
        text: text.as_bytes().to_vec(),
    };
    for target in patch.targets() {
        assert!(
            plain(&target).is_some_and(|path| path == target),
            "{target:?}"
        );
    }
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let _ = rejects(&lines).iter().map(Reject::to_string).count();
}

/// The path of `rename from drivers/a.c` and its kind.
fn renamed(line: &str) -> Option<&str> {
    let kinds = ["rename from ", "rename to ", "copy from ", "copy to "];
    kinds.iter().find_map(|kind| line.strip_prefix(kind))
}

/// The path of a header, without what may follow it and without its first directory.
fn below_first(header: &str) -> Option<PathBuf> {
    let path = header.split('\t').next().unwrap_or_default().trim_end();
    let (_, below) = path.split_once('/').filter(|_| path != "/dev/null")?;
    plain(Path::new(below))
}

/// A path that stays below where it starts.
fn plain(path: &Path) -> Option<PathBuf> {
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    (path.components().all(stays)).then(|| path.components().collect())
}

/// What `patch` says of hunks that found no place.
fn rejects(output: &[String]) -> Vec<Reject> {
    let mut rejects: Vec<Reject> = Vec::new();
    let mut current = String::new();
    let mut hunks = Vec::new();
    let mut applied_before = false;
    for line in output {
        if let Some(file) = line.strip_prefix("patching file ") {
            current = file.trim_matches('\'').to_owned();
        } else if line.starts_with("can't find file to patch") {
            current = String::new();
        } else if let Some(file) = line.strip_prefix("|+++ ").and_then(below_first) {
            current = file.display().to_string();
        } else if line.contains("previously applied) patch detected") {
            applied_before = true;
        } else if let Some(hunk) = failed_hunk(line) {
            hunks.push(hunk);
        } else if line.contains(" out of ") && line.contains(" hunk") {
            let hunks = std::mem::take(&mut hunks);
            let applied_before = std::mem::take(&mut applied_before);
            rejects.push(Reject {
                file: current.clone(),
                hunks,
                applied_before,
            });
        }
    }
    rejects
}

/// `Hunk #1 FAILED at 277.`
fn failed_hunk(line: &str) -> Option<(u32, u32)> {
    let (number, rest) = line.strip_prefix("Hunk #")?.split_once(" FAILED at ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((number.parse().ok()?, digits.parse().ok()?))
}
