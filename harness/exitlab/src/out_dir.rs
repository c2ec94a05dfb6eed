//! The name of a results directory. The user gives one, which nothing may have yet; or there
//! is a usual one, and what has that name makes the next one be taken: runs that start in the
//! same second do not meet.

use std::cell::OnceCell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use exitlab_base::error::{Error, Result};

use crate::litter;

/// How many names are tried.
const MOST_TRIES: u32 = 1000;

/// Where results go.
#[derive(Debug, Clone)]
pub struct OutDir {
    wanted: PathBuf,
    /// Whether it is this name or none.
    given: bool,
    taken: OnceCell<PathBuf>,
}

impl OutDir {
    /// The name that the user gives.
    pub fn given(path: impl Into<PathBuf>) -> OutDir {
        OutDir {
            wanted: path.into(),
            given: true,
            taken: OnceCell::new(),
        }
    }

    /// The usual name, or where something has it, the same with `-2`, `-3`, …
    pub fn usual(path: impl Into<PathBuf>) -> OutDir {
        OutDir {
            given: false,
            ..OutDir::given(path)
        }
    }

    /// The directory: as it was taken, or as it is wanted until then.
    pub fn path(&self) -> &Path {
        self.taken.get().unwrap_or(&self.wanted)
    }

    /// Makes sure, before anything is built, that the directory can be made, and clears away
    /// what killed processes left where it will be.
    pub fn prepare(&self) -> Result<()> {
        self.require_absent()?;
        let parent = parent(&self.wanted);
        litter::sweep(parent);
        let there = |path: &&Path| !path.as_os_str().is_empty() && path.exists();
        let existing = parent.ancestors().find(there).unwrap_or(Path::new("."));
        // Tried, not asked for: root has every right, also where nothing can be written.
        tempfile::Builder::new()
            .prefix(".trying-")
            .tempdir_in(existing)
            .map(drop)
            .map_err(Error::io("create", &self.wanted))
    }

    /// Fails if something has the name that the user gives: no run overwrites another.
    pub fn require_absent(&self) -> Result<()> {
        match self.given && self.wanted.symlink_metadata().is_ok() {
            true => Err(exists(&self.wanted)),
            false => Ok(()),
        }
    }

    /// Makes the directory by `make`, which says [`ErrorKind::AlreadyExists`] of a name that
    /// something has; so are its parents made.
    pub fn take(&self, mut make: impl FnMut(&Path) -> std::io::Result<()>) -> Result<&Path> {
        let above = parent(&self.wanted);
        std::fs::create_dir_all(above).map_err(Error::io("create", above))?;
        for path in self.names() {
            match make(&path) {
                Ok(()) => return Ok(self.taken.get_or_init(|| path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path)(error)),
            }
        }
        Err(exists(&self.wanted))
    }

    /// Every name that will do, the best first.
    pub fn names(&self) -> impl Iterator<Item = PathBuf> {
        let last = if self.given { 1 } else { MOST_TRIES };
        let wanted = self.wanted.clone();
        (1..=last).map(move |number| {
            let mut path = wanted.clone();
            if number > 1 {
                path.as_mut_os_string().push(format!("-{number}"));
            }
            path
        })
    }
}

/// The directory that something is in, as it can be opened.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The error of a name that something has.
pub fn exists(path: &Path) -> Error {
    Error::Config {
        message: format!("output directory {} exists already", path.display()),
        cure: "choose another with --out, or remove it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_base::error::exit_code;

    fn make(path: &Path) -> std::io::Result<()> {
        std::fs::create_dir(path)
    }

    #[test]
    fn a_given_name_that_something_has_is_refused_and_the_usual_one_is_followed_by_others() {
        let place = tempfile::tempdir().unwrap();
        let name = place.path().join("results/20261126T172755Z-x");
        let names: Vec<PathBuf> = (0..3)
            .map(|_| {
                let out = OutDir::usual(&name);
                out.prepare().unwrap();
                out.take(make).unwrap();
                out.path().to_owned()
            })
            .collect();
        let ends = ["", "-2", "-3"].map(|end| PathBuf::from(format!("{}{end}", name.display())));
        assert_eq!(names, ends);

        let given = OutDir::given(&name);
        assert_eq!(given.prepare().unwrap_err().exit_code(), exit_code::CONFIG);
        let error = given.take(make).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        std::os::unix::fs::symlink("nowhere", place.path().join("link")).unwrap();
        OutDir::given(place.path().join("link"))
            .prepare()
            .unwrap_err();
    }

    #[test]
    fn what_cannot_be_made_is_seen_before_anything_is_built() {
        for place in ["/proc/results/x", "/dev/null/x"] {
            let error = OutDir::given(place).prepare().unwrap_err();
            assert_eq!(error.exit_code(), exit_code::EXPERIMENT, "{error}");
            assert!(error.to_string().contains(place), "{error}");
        }
        let place = tempfile::tempdir().unwrap();
        OutDir::given(place.path().join("a/b/c")).prepare().unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
