//! A matrix's results directory before it has its name. It appears whole, with its index, or
//! not at all.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_model::matrix::Index;

use super::index;
use crate::litter::{BEGINNING, LOCK};
use crate::out_dir::{self, OutDir};

/// `.beginning-NAME` beside a directory NAME, to be renamed to it; removed unless it was.
/// What a process left there that was killed is begun anew by the next one.
#[derive(Debug)]
pub struct StagedDir {
    out: OutDir,
    parent: Dir,
    name: OsString,
    dir: Dir,
    lock: Option<Lock>,
}

impl StagedDir {
    /// The directory with its index.
    pub fn of(out: &OutDir, index: &Index) -> Result<StagedDir> {
        let above = out_dir::parent(out.path());
        std::fs::create_dir_all(above).map_err(Error::io("create", above))?;
        let parent = Dir::open(above)?;
        let mut failed = out_dir::exists(out.path());
        for target in out.names() {
            if target.symlink_metadata().is_ok() {
                continue;
            }
            let name = hidden(&target)?;
            let dir = parent.make(&name)?;
            let Some(lock) = Lock::try_in(&dir, LOCK)? else {
                failed = at_work(&dir);
                continue;
            };
            let staged = StagedDir {
                out: out.clone(),
                parent,
                name,
                dir,
                lock: Some(lock),
            };
            staged.empty()?;
            index::write(index, &staged.dir)?;
            return Ok(staged);
        }
        Err(failed)
    }

    /// The directory until it has its name.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Gives it its name. The lock is held on.
    pub fn finish(mut self) -> Result<(PathBuf, Lock)> {
        let path = self.dir.path().to_owned();
        let target = self.out.take(|target| match target.symlink_metadata() {
            // A rename would take the place of a directory that is empty.
            Ok(_) => Err(std::io::ErrorKind::AlreadyExists.into()),
            Err(_) => std::fs::rename(&path, target),
        })?;
        let target = target.to_owned();
        let lock = self
            .lock
            .take()
            .ok_or_else(|| Error::io("lock", &target)(std::io::ErrorKind::NotFound.into()))?;
        Ok((target, lock))
    }

    /// Removes what a process that was killed left in it.
    fn empty(&self) -> Result<()> {
        let names = self.dir.names()?.into_iter();
        for name in names.filter(|name| name != LOCK) {
            self.dir.remove(name)?;
        }
        Ok(())
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        // With its name it gave its lock away.
        if self.lock.is_some() {
            let _ = self.parent.remove(&self.name);
        }
    }
}

/// The name of a directory until it has its own.
fn hidden(target: &Path) -> Result<OsString> {
    let name: &OsStr = target.file_name().ok_or_else(|| Error::Config {
        message: format!("{} is no name of a directory", target.display()),
        cure: "choose another with --out".to_owned(),
    })?;
    let mut hidden = OsString::from(BEGINNING);
    hidden.push(name);
    Ok(hidden)
}

/// The lock of a directory.
pub fn take(dir: &Dir) -> Result<Lock> {
    Lock::try_in(dir, LOCK)?.ok_or_else(|| at_work(dir))
}

fn at_work(dir: &Dir) -> Error {
    Error::Config {
        message: format!("another exitlab is at work in {}", dir.path().display()),
        cure: "wait for its end, or name another directory".to_owned(),
    }
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

    fn staged(out: &Path) -> Result<StagedDir> {
        StagedDir::of(&OutDir::given(out), &new_index())
    }

    #[test]
    fn what_a_killed_process_left_is_begun_anew() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(".beginning-out");
        std::fs::create_dir_all(left.join("cells/one")).unwrap();
        std::fs::write(left.join("matrix.json"), "{").unwrap();
        std::fs::write(left.join(LOCK), "").unwrap();

        let out = parent.path().join("out");
        let (dir, lock) = staged(&out).unwrap().finish().unwrap();
        assert_eq!(dir, out);
        assert_eq!(names(parent.path()), ["out"]);
        assert_eq!(names(&out), [LOCK, "matrix.json"]);
        assert_eq!(index::read(&out).unwrap(), new_index());
        let again = || take(&Dir::open(&out).unwrap());
        assert!(again().is_err(), "the lock is held on");
        drop(lock);
        again().unwrap();
    }

    #[test]
    fn two_processes_cannot_begin_the_same_unless_nobody_gave_the_name() {
        let parent = tempfile::tempdir().unwrap();
        let out = parent.path().join("out");
        let first = staged(&out).unwrap();
        let error = staged(&out).unwrap_err();
        assert!(error.to_string().contains("another exitlab is at work in"));
        assert!(first.dir().has("matrix.json"), "left alone");
        let second = StagedDir::of(&OutDir::usual(&out), &new_index()).unwrap();
        // A run took the name meanwhile.
        std::fs::create_dir(&out).unwrap();
        assert!(first.finish().is_err());
        assert_eq!(second.finish().unwrap().0, parent.path().join("out-2"));
        assert_eq!(names(parent.path()), ["out", "out-2"]);
        assert_eq!(names(&out), [""; 0]);
    }

    #[test]
    fn a_link_that_lies_where_it_begins_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let theirs = parent.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(theirs.join("precious"), "data").unwrap();
        let link = parent.path().join(".beginning-out");
        std::os::unix::fs::symlink(&theirs, &link).unwrap();
        let error = staged(&parent.path().join("out")).unwrap_err();
        assert!(error.to_string().contains("does not follow it"), "{error}");
        // The same of a lock that leads elsewhere.
        std::fs::remove_file(&link).unwrap();
        std::fs::create_dir(&link).unwrap();
        std::os::unix::fs::symlink(theirs.join("new"), link.join(LOCK)).unwrap();
        staged(&parent.path().join("out")).unwrap_err();
        assert_eq!(names(&theirs), ["precious"]);
        assert!(!parent.path().join("out").exists());
    }
}
