//! What a trade needs of a machine, and where it is looked for. Each trade states its needs
//! beside the code that uses them, by the same names and places, so that what is found is
//! what is used.

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
        let executable = |path: &PathBuf| {
            let metadata = std::fs::metadata(self.below_root(path));
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        self.programs
            .iter()
            .map(|directory| directory.join(name))
            .find(executable)
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
            .ok_or_else(|| missing(name, package))
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
