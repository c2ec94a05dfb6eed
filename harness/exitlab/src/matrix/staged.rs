//! A matrix's results directory before it has its name. It appears whole, with its index, or
//! not at all.

use std::path::{Path, PathBuf};

use exitlab_base::artifact::Lock;
use exitlab_base::error::{Error, Result};
use exitlab_model::matrix::Index;

use super::index;

/// Keeps two processes from running the cells of one directory.
const LOCK: &str = ".lock";

/// `.beginning-NAME` beside a directory NAME, to be renamed to it; removed unless it was.
/// What a process left there that was killed is begun anew by the next one.
pub struct StagedDir {
    target: PathBuf,
    path: PathBuf,
    lock: Option<Lock>,
}

impl StagedDir {
    /// The directory with its index.
    pub fn of(target: &Path, index: &Index) -> Result<StagedDir> {
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = target.file_name().ok_or_else(|| Error::Config {
            message: format!("{} is no name of a directory", target.display()),
            cure: "choose another with --out".to_owned(),
        })?;
        let mut hidden = std::ffi::OsString::from(".beginning-");
        hidden.push(name);
        let path = parent.join(hidden);
        std::fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        let staged = StagedDir {
            lock: Some(take(&path)?),
            target: target.to_owned(),
            path,
        };
        staged.empty()?;
        index::write(index, &staged.path)?;
        Ok(staged)
    }

    /// Where it is until it has its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. The lock is held on.
    pub fn finish(mut self) -> Result<Lock> {
        std::fs::rename(&self.path, &self.target).map_err(Error::io("create", &self.target))?;
        self.lock
            .take()
            .ok_or_else(|| Error::io("lock", &self.target)(std::io::ErrorKind::NotFound.into()))
    }

    /// Removes what a process that was killed left in it.
    fn empty(&self) -> Result<()> {
        let entries = std::fs::read_dir(&self.path).map_err(Error::io("read", &self.path))?;
        for entry in entries {
            let path = entry.map_err(Error::io("read", &self.path))?.path();
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else if path.file_name().is_some_and(|name| name != LOCK) {
                std::fs::remove_file(&path)
            } else {
                Ok(())
            };
            removed.map_err(Error::io("remove", path))?;
        }
        Ok(())
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        // Not the target: once renamed, nothing has this name.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The lock of a directory.
pub fn take(dir: &Path) -> Result<Lock> {
    Lock::try_acquire(&dir.join(LOCK))?.ok_or_else(|| Error::Config {
        message: format!("another exitlab is at work in {}", dir.display()),
        cure: "wait for its end, or name another directory".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_config::load_matrix;

    fn new_index() -> Index {
        let sets = ["repeat=2".to_owned(), "platform=tcg-svm".to_owned()];
        let matrix = load_matrix(None, &sets, Path::new("/"), &[]).unwrap();
        index::of(&matrix, None).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_left_is_begun_anew() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(".beginning-out");
        std::fs::create_dir_all(left.join("cells/one")).unwrap();
        std::fs::write(left.join("matrix.json"), "{").unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();

        let out = parent.path().join("out");
        let lock = StagedDir::of(&out, &new_index()).unwrap().finish().unwrap();
        assert_eq!(names(parent.path()), ["out"]);
        assert_eq!(names(&out), [LOCK, "matrix.json"]);
        assert_eq!(index::read(&out).unwrap(), new_index());
        assert!(take(&out).is_err(), "the lock is held on");
        drop(lock);
        take(&out).unwrap();
    }

    #[test]
    fn two_processes_cannot_begin_the_same() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        let first = StagedDir::of(&out, &new_index()).unwrap();
        let Err(error) = StagedDir::of(&out, &new_index()) else {
            panic!("both began");
        };
        assert!(error.to_string().contains("another exitlab is at work in"));
        assert!(first.path().join("matrix.json").exists(), "left alone");
        drop(first);
        assert_eq!(names(parent.path()), [""; 0]);
    }
}
