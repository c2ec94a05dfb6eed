//! The work tree: one unpacked tree for each source and compiler, in which variants
//! (with census, without, other hooks) are made by changing few files, so that `make`
//! compiles only what they touch. All revisions of a repository share one,
//! and so do all states of a tree of the user's.
//!
//! ```text
//! work/<name>/tree/       the tree
//! work/<name>/pristine/   originals of files that some variant has changed
//! work/<name>/touched     paths of all files that some variant changed or added
//! work/<name>/busy        there while `make` runs
//! work/<name>/unsynced    there while a power loss would leave half a tree
//! work/<name>/position    which revision it is at, or which state of a tree of the user's
//! work/<name>/sources     all files of the untouched tree, if it follows such a tree
//! ```

mod files;
mod position;
mod power;
mod sync;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::make;
use super::patch::Files;
use super::source::Source;
use exitlab_base::artifact::{Cache, Lock};
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::process;

use files::{read_if_there, remove_if_there, replace, require_inside};

/// How names of scratch directories begin.
const SCRATCH: &str = "scratch-";
/// The name of the tree.
const TREE: &str = "tree";

/// An unpacked tree, held against other processes.
pub struct WorkTree {
    root: PathBuf,
    _lock: Option<Lock>,
}

impl WorkTree {
    /// The work tree `name` of `source`, unpacked if need be, or moved to the revision. A
    /// tree in which `make` was killed without a chance to clean up (power loss, SIGKILL)
    /// may hold half-written objects that look finished: it is thrown away.
    pub async fn open(
        cache: &Cache,
        name: &str,
        source: &Source,
        progress: &dyn Fn(&str),
    ) -> Result<Self> {
        let lock = cache.lock(&format!("work-{name}")).await?;
        let this = Self {
            root: cache.work_dir(name)?,
            _lock: Some(lock),
        };
        this.sweep(progress).await?;
        if this.busy_path().exists() {
            this.give_up("an earlier build died in it")?;
        } else if power::was_lost(&this.root)? {
            this.give_up("the machine went down before it was on the disk")?;
        } else if this.dir().is_dir() && !this.bring_to(source, progress).await? {
            this.give_up("it is not known what it holds")?;
        }
        if !this.dir().is_dir() {
            this.sweep(progress).await?;
            this.unpack(source, progress).await?;
        }
        Ok(this)
    }

    /// Makes the tree that is there the one of `source`; says no if that cannot be.
    async fn bring_to(&self, source: &Source, progress: &dyn Fn(&str)) -> Result<bool> {
        match source.revision() {
            Some(revision) => self.go_to(revision, progress).await,
            None if source.is_tree() => self.follow(source, progress).await,
            // A tarball is what it was: the tree is named by its digest.
            None => Ok(true),
        }
    }

    async fn unpack(&self, source: &Source, progress: &dyn Fn(&str)) -> Result<()> {
        progress("unpack");
        self.forget()?;
        let unpacking = self.root.join(format!("{SCRATCH}unpack"));
        fs::create_dir(&unpacking).map_err(Error::io("create", &unpacking))?;
        let scratch = self.scratch()?;
        let log = self.log_path("unpack");
        source.unpack(&unpacking, scratch.path(), &log).await?;
        if let Some(revision) = source.revision() {
            self.set_position(std::slice::from_ref(&revision.tree))?;
        } else if source.is_tree() {
            let sources = exitlab_base::artifact::digest::list(&unpacking, &|_| false)?;
            self.set_sources(&sources.into_iter().collect())?;
            self.set_position(&[source.digest.hex().to_owned()])?;
        }
        power::mark(&self.root)?;
        fs::rename(&unpacking, self.dir()).map_err(Error::io("create", self.dir()))
    }

    /// What is known of a tree that is no more.
    fn forget(&self) -> Result<()> {
        remove_if_there(&self.root.join("touched"))?;
        remove_if_there(&self.position_path())?;
        remove_if_there(&self.sources_path())?;
        match fs::remove_dir_all(self.root.join("pristine")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", self.root.join("pristine"))(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes scratch of a tree that cannot be used.
    fn give_up(&self, why: &str) -> Result<()> {
        tracing::warn!("{} is made anew: {why}", self.dir().display());
        if self.dir().is_dir() {
            let root = Dir::open(&self.root)?;
            root.clear(TREE, &root, &format!("{SCRATCH}broken"))?;
        }
        remove_if_there(&self.busy_path())
    }

    /// Removes scratch directories of a process that died or was interrupted. They may
    /// be whole trees: a program removes them, so that we can be interrupted meanwhile.
    async fn sweep(&self, progress: &dyn Fn(&str)) -> Result<()> {
        let entries = fs::read_dir(&self.root).map_err(Error::io("read", &self.root))?;
        let is_scratch = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(SCRATCH);
        let scratch: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| is_scratch(&entry.file_name()))
            .map(|entry| entry.path())
            .collect();
        if scratch.is_empty() {
            return Ok(());
        }
        progress("remove a half-made tree");
        let log = self.log_path("remove");
        let mut command = Command::new("rm");
        make::clean_env(&mut command);
        command.args(["-rf", "--"]).args(&scratch);
        let removed = process::run(command, &log, |_| {}).await?;
        if !removed.status.success() {
            let message = format!("could not empty {}", self.root.display());
            return Err(make::failed("unpack", message, removed.tail, &log));
        }
        Ok(())
    }

    /// Where the tree is.
    pub fn dir(&self) -> PathBuf {
        self.root.join(TREE)
    }

    /// The log of a stage.
    pub fn log_path(&self, stage: &str) -> PathBuf {
        self.root.join(format!("{stage}.log"))
    }

    /// An empty directory, removed when dropped.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(&self.root)
            .map_err(Error::io("create", &self.root))
    }

    /// A file of the untouched tree.
    pub fn pristine(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        // A copy of what is not in the list may be of another revision.
        match self.touched()?.contains(path) {
            true => read_if_there(&self.pristine_path(path)),
            false => read_if_there(&self.dir().join(path)),
        }
    }

    /// Makes the tree the untouched one but for `wanted`. Files that hold the right text
    /// already are not written: `make` goes by their times. May be interrupted anywhere
    /// and done again.
    pub fn materialize(&self, wanted: &Files) -> Result<()> {
        let mut touched = self.touched()?;
        for path in wanted.keys() {
            require_inside(&self.dir(), path)?;
        }
        for path in wanted.keys().filter(|path| !touched.contains(*path)) {
            if let Some(original) = read_if_there(&self.dir().join(path))? {
                replace(&self.pristine_path(path), &original, &self.dir().join(path))?;
            }
        }
        // Before any file changes: what is not in the list counts as untouched.
        touched.extend(wanted.keys().cloned());
        self.remember(&touched)?;

        // What lies below a link by now is not of this tree.
        let inside = |path: &&PathBuf| require_inside(&self.dir(), path).is_ok();
        for path in touched.iter().filter(inside) {
            let target = self.dir().join(path);
            let desired = match wanted.get(path) {
                Some(text) => text.clone(),
                None => read_if_there(&self.pristine_path(path))?,
            };
            match desired {
                Some(text) if read_if_there(&target)?.as_ref() == Some(&text) => {}
                Some(text) => replace(&target, &text, &self.pristine_path(path))?,
                None => remove_if_there(&target)?,
            }
        }
        Ok(())
    }

    /// Marks the tree as being built in until the value is dropped.
    pub fn busy(&self) -> Result<Busy> {
        power::mark(&self.root)?;
        let path = self.busy_path();
        fs::write(&path, "").map_err(Error::io("write", &path))?;
        Ok(Busy(path))
    }

    fn busy_path(&self) -> PathBuf {
        self.root.join("busy")
    }

    fn pristine_path(&self, path: &Path) -> PathBuf {
        self.root.join("pristine").join(path)
    }

    fn touched(&self) -> Result<BTreeSet<PathBuf>> {
        let list = read_if_there(&self.root.join("touched"))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&list)
            .lines()
            .map(PathBuf::from)
            .collect())
    }

    fn remember(&self, touched: &BTreeSet<PathBuf>) -> Result<()> {
        let list: String = touched
            .iter()
            .map(|path| format!("{}\n", path.display()))
            .collect();
        let path = self.root.join("touched");
        replace(&path, list.as_bytes(), &path)
    }
}

/// See [`WorkTree::busy`]. Declare it before the command runs: then it goes after the
/// command has ended, also when both are dropped.
pub struct Busy(PathBuf);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Err(error) = self.0.parent().map_or(Ok(()), power::settle) {
            tracing::warn!("{error}");
        }
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!("failed to remove {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests;
