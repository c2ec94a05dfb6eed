//! From one revision to another: only files that differ between the two are written, so
//! that `make` compiles only what they reach.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::WorkTree;
use super::files::{read_if_there, replace, require_inside};
use crate::source::Revision;
use exitlab_base::error::{Error, Result};

impl WorkTree {
    /// Makes the untouched tree that of `revision`. Says no, having done nothing, if it is
    /// not known what the tree is now: then it must be unpacked again.
    ///
    /// A move that was interrupted left files of two revisions, and both are in the list of
    /// what the tree may be: what differs from either is written.
    pub(super) async fn go_to(&self, revision: &Revision, progress: &dyn Fn(&str)) -> Result<bool> {
        let Revision { repo, tree } = revision;
        let mut now = self.position()?;
        if now == [tree.clone()] {
            return Ok(true);
        }
        if now.is_empty() {
            return Ok(false);
        }
        let mut changed = BTreeSet::new();
        for from in now.iter().filter(|from| *from != tree) {
            // A repository that was made anew, or has forgotten what was rebased.
            if !repo.has(from)? {
                return Ok(false);
            }
            changed.extend(repo.changed(from, tree)?);
        }
        let changed: Vec<PathBuf> = changed.into_iter().collect();
        progress(&format!("files that differ: {}", changed.len()));
        let (scratch, files) = (self.scratch()?, self.scratch()?);
        let log = self.log_path("move");
        let _ = fs::remove_file(&log);
        let (from, meanwhile) = (files.path(), scratch.path());
        repo.check_out(tree, Some(&changed), from, meanwhile, &log)
            .await?;

        now.push(tree.clone());
        self.set_position(&now)?;
        self.take_over(&changed, from)?;
        self.set_position(std::slice::from_ref(tree))?;
        Ok(true)
    }

    /// Where a file of the untouched tree is. A variant's file stays in the tree until the
    /// next variant is made: it may be the same, and then nothing needs to be compiled.
    pub(super) fn place_of(&self, path: &Path, touched: &BTreeSet<PathBuf>) -> PathBuf {
        match touched.contains(path) {
            true => self.pristine_path(path),
            false => self.dir().join(path),
        }
    }

    /// Takes each of `changed` over from below `from`; what is not there goes.
    pub(super) fn take_over(&self, changed: &[PathBuf], from: &Path) -> Result<()> {
        let touched = self.touched()?;
        let place = |path: &Path| self.place_of(path, &touched);
        // A directory is there because of what is in it.
        let kind = |path: &Path| from.join(path).symlink_metadata();
        let is_there = |path: &&PathBuf| kind(path).is_ok_and(|kind| !kind.is_dir());
        let (new, gone): (Vec<_>, Vec<_>) = changed.iter().partition(is_there);
        // First: a file may become a directory, or a directory a file.
        for path in gone {
            // What lies below a link is not of this tree: it is gone.
            if require_inside(&self.dir(), path).is_err() {
                continue;
            }
            remove(&place(path))?;
            self.remove_empty(path);
        }
        for path in new {
            require_inside(&self.dir(), path)?;
            let target = place(path);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            }
            // What builds left in a directory that is a file now.
            if target.symlink_metadata().is_ok_and(|kind| kind.is_dir()) {
                fs::remove_dir_all(&target).map_err(Error::io("remove", &target))?;
            }
            fs::rename(from.join(path), &target).map_err(Error::io("write", &target))?;
        }
        Ok(())
    }

    /// Removes the directories that held `path` and hold nothing else, as Git does.
    fn remove_empty(&self, path: &Path) {
        let above = path.ancestors().skip(1);
        for dir in above.filter(|dir| !dir.as_os_str().is_empty()) {
            if fs::remove_dir(self.dir().join(dir)).is_err() {
                return;
            }
        }
    }

    /// What the untouched tree may be: the hash of a revision or the digest of a tree; one, or several after an interrupted
    /// move; none if that is not known.
    pub(super) fn position(&self) -> Result<Vec<String>> {
        let list = read_if_there(&self.position_path())?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list);
        Ok(list.lines().map(str::to_owned).collect())
    }

    pub(super) fn set_position(&self, trees: &[String]) -> Result<()> {
        let list: String = trees.iter().map(|tree| format!("{tree}\n")).collect();
        let path = self.position_path();
        replace(&path, list.as_bytes(), &path)
    }

    pub(super) fn position_path(&self) -> PathBuf {
        self.root.join("position")
    }
}

/// Removes a file. Where a move is made good, a directory may be in its place, or a file in
/// the place of its directory: then it is gone.
fn remove(path: &Path) -> Result<()> {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), NotFound | IsADirectory | NotADirectory) => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
