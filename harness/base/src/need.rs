//! What a trade needs of a machine, and where it is looked for. Each trade states its needs
//! beside the code that uses them, by the same names and places, so that what is found is
//! what is used.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where programs are that Debian does not put on every user's search path.
const SYSTEM_PROGRAMS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// One prerequisite, not looked for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// How it is looked for.
    pub find: Find,
    /// What it is needed for.
    pub why: &'static str,
    /// What to do if it is missing.
    pub cure: Cure,
}

/// How a prerequisite is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// A program on the search path.
    Program(&'static str),
    /// A program that runs where no library is.
    StaticProgram(&'static str),
    /// A file at one of these places. A component may be `*`.
    File(String, Vec<String>),
    /// A program that an ordinary user needs, root does not.
    UserProgram(&'static str),
    /// The cache directory can be written to.
    Cache,
    /// The cache's path has no character that `make` or a shell takes for another thing.
    PlainCache,
    /// A process may have so many files open, and write files of so many MiB.
    Limits(u64, u64),
    /// So many MiB of room in the cache's file system: for the first build, and later.
    Disk(u64, u64),
    /// So many MiB of memory.
    Memory(u64),
}

/// How a prerequisite comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// By installing a package of Debian.
    Package(String),
    /// Otherwise: what to do.
    Action(String),
}

impl Need {
    /// A program of a package.
    pub fn program(name: &'static str, why: &'static str, package: &str) -> Need {
        Need::packaged(Find::Program(name), why, package)
    }

    /// A file of a package, at one of these places.
    pub fn file(name: &str, places: &[impl ToString], why: &'static str, package: &str) -> Need {
        let places = places.iter().map(ToString::to_string).collect();
        Need::packaged(Find::File(name.to_owned(), places), why, package)
    }

    /// Whatever a package brings.
    pub fn packaged(find: Find, why: &'static str, package: &str) -> Need {
        Need {
            find,
            why,
            cure: Cure::Package(package.to_owned()),
        }
    }

    /// What no package brings.
    pub fn action(find: Find, why: &'static str, cure: String) -> Need {
        Need {
            find,
            why,
            cure: Cure::Action(cure),
        }
    }

    /// A cache whose path builds of kernels can live with.
    pub fn plain_cache() -> Need {
        Need::action(
            Find::PlainCache,
            "kernel build",
            "choose a cache directory with a plain path with --cache: letters, digits and \
             /._-+,=@~ (make and Kbuild take spaces, colons and quotes for something else)"
                .to_owned(),
        )
    }

    /// A cache that can be written to, and room in it.
    pub fn room(disk: Find) -> [Need; 2] {
        [
            Need::action(
                Find::Cache,
                "keeps built kernels and images",
                "choose a cache directory that you may write to with --cache".to_owned(),
            ),
            Need::action(
                disk,
                "kernel build and images",
                "free some disk space, or choose another cache directory with --cache".to_owned(),
            ),
        ]
    }
}

/// Where programs and files are looked for. Everything is below a root directory, so that
/// tests bring their own machine.
#[derive(Debug, Clone)]
pub struct Search {
    /// `/`, except in tests.
    pub root: PathBuf,
    /// Directories of programs, absolute on that machine.
    pub programs: Vec<PathBuf>,
}

/// What a program's name was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidate {
    /// A file that may be executed.
    Usable(PathBuf),
    /// Something else, and why that is none.
    Unusable(PathBuf, String),
}

impl Search {
    /// This machine.
    pub fn this() -> Search {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&path).chain(SYSTEM_PROGRAMS.map(PathBuf::from));
        Search {
            root: PathBuf::from("/"),
            programs: programs.collect(),
        }
    }

    /// The program of that name.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        match self.candidate(name) {
            Some(Candidate::Usable(path)) => Some(path),
            Some(Candidate::Unusable(..)) | None => None,
        }
    }

    /// The program of that name; or else a file of that name that is no program, and why. A
    /// name with a slash is a path.
    pub fn candidate(&self, name: &str) -> Option<Candidate> {
        let mut unusable = None;
        let here = [PathBuf::new()];
        let directories = if name.contains('/') {
            &here[..]
        } else {
            &self.programs
        };
        for path in directories.iter().map(|directory| directory.join(name)) {
            let why = match std::fs::metadata(self.below_root(&path)) {
                Ok(m) if m.is_file() && m.permissions().mode() & 0o111 != 0 => {
                    return Some(Candidate::Usable(path));
                }
                Ok(m) if m.is_file() => "may not be executed".to_owned(),
                Ok(_) => "is no file".to_owned(),
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => format!("cannot be looked at: {error}"),
            };
            unusable.get_or_insert(Candidate::Unusable(path, why));
        }
        unusable
    }

    /// The first of `places` that is a file; a component `*` stands for any directory.
    pub fn file<S: AsRef<str>>(&self, places: &[S]) -> Option<PathBuf> {
        places
            .iter()
            .flat_map(|place| self.expand(place.as_ref()))
            .find(|path| self.below_root(path).is_file())
    }

    /// The program of that name on this machine.
    ///
    /// # Errors
    ///
    /// [`Error::Prerequisite`] if there is none; `package` brings it.
    pub fn require_program(name: &str, package: &str) -> Result<PathBuf> {
        Search::this()
            .program(name)
            .ok_or_else(|| missing(&Search::this().named(name), package))
    }

    /// A program that is not found, by name and, if something is there, by what is wrong with
    /// it.
    pub fn named(&self, name: &str) -> String {
        match self.candidate(name) {
            Some(Candidate::Unusable(path, why)) => format!("{name} ({} {why})", path.display()),
            Some(Candidate::Usable(_)) | None => name.to_owned(),
        }
    }

    /// The first of `places` that is a file on this machine.
    ///
    /// # Errors
    ///
    /// [`Error::Prerequisite`] if none is; `package` brings one.
    pub fn require_file(places: &[&str], package: &str) -> Result<PathBuf> {
        let name = places.first().copied().unwrap_or_default();
        Search::this()
            .file(places)
            .ok_or_else(|| missing(name, package))
    }

    fn expand(&self, place: &str) -> Vec<PathBuf> {
        let Some((before, after)) = place.split_once("/*/") else {
            return vec![PathBuf::from(place)];
        };
        let directory = std::fs::read_dir(self.below_root(Path::new(before)));
        let entries = directory.into_iter().flatten().filter_map(Result::ok);
        let mut paths: Vec<_> = entries
            .map(|entry| Path::new(before).join(entry.file_name()).join(after))
            .collect();
        paths.sort();
        paths
    }

    /// Where a path of that machine is on this one.
    pub fn below_root(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn missing(what: &str, package: &str) -> Error {
    Error::Prerequisite {
        missing: vec![what.to_owned()],
        cure: format!("install the package that it is from: {package}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_is_no_program_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let search = Search {
            root: dir.path().to_owned(),
            programs: vec!["/a".into(), "/b".into()],
        };
        for path in ["a/ld", "a/gcc", "b/gcc"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        }
        let good = dir.path().join("b/gcc");
        std::fs::set_permissions(good, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(search.program("gcc"), Some("/b/gcc".into()));
        assert_eq!(search.program("ld"), None);
        assert_eq!(search.named("ld"), "ld (/a/ld may not be executed)");
        assert_eq!(search.named("as"), "as");
        assert_eq!(search.program("/b/gcc"), Some("/b/gcc".into()));
    }
}
