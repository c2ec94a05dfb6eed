//! Where a kernel's source comes from.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::process::Command;

use super::make::{self, clean_env};
use exitlab_base::artifact::{Cache, Digest, digest};
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_base::git::Repository;
use exitlab_base::process;
use exitlab_model::plan::{KernelPackage, KernelSource};

/// Where Debian's `linux-source-*` packages put their tarballs.
const DEBIAN_SOURCES: &str = "/usr/src";

/// A version such as 6.12, for which hooks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// VERSION of the top Makefile.
    pub major: u32,
    /// PATCHLEVEL of the top Makefile.
    pub minor: u32,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Series {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

/// Source that exists, and its digest.
#[derive(Debug, Clone)]
pub struct Source {
    place: Place,
    /// Digest of the tarball, of the tree's files, or of the hash of the revision's tree.
    pub digest: Digest,
}

/// Where source is.
#[derive(Debug, Clone)]
enum Place {
    Tarball(PathBuf),
    Tree(PathBuf),
    Revision(Revision),
}

/// What the files of a commit are. A work tree goes from one to another.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Where it is from.
    pub repo: Repository,
    /// The hash of the commit's tree: equal for commits with equal files.
    pub tree: String,
}

impl Source {
    /// Finds the source and its digest, which is read only once for a given state of
    /// the file or tree.
    pub fn find(cache: &Cache, source: &KernelSource) -> Result<Self> {
        match source {
            KernelSource::Debian(name) => Self::tarball(cache, debian_tarball(name)?),
            KernelSource::Tarball(path) => Self::tarball(cache, path.clone()),
            KernelSource::Tree(path) => {
                series_of(path).map_err(|problem| not_a_kernel(path, &problem))?;
                Ok(Self {
                    digest: cache.tree_digest(path, is_product)?,
                    place: Place::Tree(path.clone()),
                })
            }
            KernelSource::Revision { repo, commit } => {
                let repo = Repository::open(repo)?;
                let tree = repo.tree(commit)?;
                Ok(Self {
                    // The hash stands for every file: none of them is read.
                    digest: digest::bytes(format!("git tree {tree}").as_bytes()),
                    place: Place::Revision(Revision { repo, tree }),
                })
            }
            KernelSource::Image(path) | KernelSource::Package(KernelPackage::File(path)) => {
                Err(not_a_kernel(path, "it is a kernel that is built already"))
            }
            KernelSource::Package(KernelPackage::Named(name)) => Err(not_a_kernel(
                Path::new(name),
                "it is a package of a kernel that is built already",
            )),
        }
    }

    fn tarball(cache: &Cache, path: PathBuf) -> Result<Self> {
        if !path.is_file() {
            return Err(not_a_kernel(&path, "there is no such file"));
        }
        Ok(Self {
            digest: cache.file_digest(&path)?,
            place: Place::Tarball(path),
        })
    }

    /// What a work tree serves: all revisions of one repository, all states of one tree, or
    /// one tarball.
    pub fn family(&self) -> String {
        match &self.place {
            Place::Revision(revision) => {
                format!("repository {}", revision.repo.common().display())
            }
            Place::Tree(path) => {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                format!("tree {}", path.display())
            }
            Place::Tarball(_) => self.digest.hex().to_owned(),
        }
    }

    /// Whether it is a tree of the user's, which may change.
    pub fn is_tree(&self) -> bool {
        matches!(self.place, Place::Tree(_))
    }

    /// The revision, where source is one.
    pub fn revision(&self) -> Option<&Revision> {
        match &self.place {
            Place::Revision(revision) => Some(revision),
            _ => None,
        }
    }

    /// Puts a pristine tree into the empty directory `dir`, with what is needed meanwhile in
    /// the directory `scratch`; output goes to `log`.
    pub async fn unpack(&self, dir: &Path, scratch: &Path, log: &Path) -> Result<()> {
        let path = match &self.place {
            Place::Tree(path) => {
                copy_tree(path, dir).await?;
                // Generated files that are not recognised by their names.
                make::run(dir, &["mrproper"], log, "unpack", |_| {}).await?;
                path
            }
            Place::Tarball(path) => {
                untar(path, dir, log).await?;
                path
            }
            Place::Revision(Revision { repo, tree }) => {
                repo.check_out(tree, None, dir, scratch, log).await?;
                repo.common()
            }
        };
        series_of(dir)
            .map(|_| ())
            .map_err(|problem| not_a_kernel(path, &problem))
    }
}

async fn untar(tarball: &Path, dir: &Path, log: &Path) -> Result<()> {
    let mut command = Command::new("tar");
    clean_env(&mut command);
    command
        .args(["--strip-components=1", "--no-same-owner", "-C"])
        .arg(dir)
        .arg("-xf")
        .arg(tarball)
        .env("XZ_DEFAULTS", "-T0");
    let finished = process::run(command, log, |_| {}).await?;
    if finished.status.success() {
        return Ok(());
    }
    Err(Error::Build {
        stage: "kernel: unpack".into(),
        message: format!("tar could not unpack {}", tarball.display()),
        tail: finished.tail,
        cure: "check that kernel.source names a complete tarball, and the space that is left"
            .into(),
    })
}

fn debian_tarball(name: &str) -> Result<PathBuf> {
    let path = Path::new(DEBIAN_SOURCES).join(format!("{name}.tar.xz"));
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::Prerequisite {
        missing: vec![format!("kernel source {} (kernel.source)", path.display())],
        cure: format!(
            "apt-get install {name}; where this system's suite has none, \
             scripts/fetch-linux-source fetches that of another (docs/kernel-build.md)"
        ),
    })
}

/// What is wrong with a source that is none.
pub fn not_a_kernel(path: &Path, problem: &str) -> Error {
    Error::Config {
        message: format!(
            "kernel.source: {} is not a kernel source: {problem}",
            path.display()
        ),
        cure: "give kernel.source an unpacked Linux tree, a tarball of one, or the name of a \
               Debian package such as linux-source-6.12"
            .into(),
    }
}

/// The series of the kernel tree in `dir`, or what is wrong with it.
pub fn series_of(dir: &Path) -> Result<Series, String> {
    for part in ["Makefile", "Kconfig", "arch/x86/kvm/Makefile"] {
        if !dir.join(part).is_file() {
            return Err(format!("it has no {part}"));
        }
    }
    let makefile = fs::read_to_string(dir.join("Makefile")).map_err(|error| error.to_string())?;
    series_in(&makefile).ok_or_else(|| "its Makefile names no VERSION and PATCHLEVEL".into())
}

/// The version of the kernel tree in `dir`: `6.1.192`, `6.12.0-rc3`.
pub fn version_of(dir: &Path) -> Result<String> {
    let path = dir.join("Makefile");
    let makefile = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let value = |name: &str| {
        let found = makefile.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            (left.trim() == name).then(|| right.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let [major, minor, patch, extra] =
        ["VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION"].map(value);
    Ok(format!("{major}.{minor}.{patch}{extra}"))
}

fn series_in(makefile: &str) -> Option<Series> {
    let number = |name: &str| {
        makefile.lines().find_map(|line| {
            let (left, right) = line.split_once('=')?;
            (left.trim() == name).then(|| right.trim().parse().ok())?
        })
    };
    Some(Series {
        major: number("VERSION")?,
        minor: number("PATCHLEVEL")?,
    })
}

/// Whether a path of a tree is the work of git or of a build, not source.
fn is_product(path: &Path) -> bool {
    const NAMES: [&str; 7] = [
        ".git",
        ".config",
        ".config.old",
        "System.map",
        "vmlinux",
        "modules.order",
        "Module.symvers",
    ];
    const DIRS: [&str; 3] = [
        "include/config",
        "include/generated",
        "arch/x86/include/generated",
    ];
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let ends = [".o", ".a", ".ko", ".cmd", ".mod"]
        .iter()
        .any(|end| name.ends_with(end));
    ends || name.starts_with(".tmp_")
        || NAMES.contains(&name)
        || DIRS.iter().any(|d| path == Path::new(d))
}

/// Copies the source files of a tree. Yields between files, so that it can be cancelled.
async fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for relative in digest::list(from, &is_product)? {
        let (source, target) = (from.join(&relative), to.join(&relative));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        if source.is_symlink() {
            let points_to = fs::read_link(&source).map_err(Error::io("read", &source))?;
            std::os::unix::fs::symlink(points_to, &target).map_err(Error::io("create", &target))?;
        } else {
            files::copy(&source, &target)?;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_series_is_read_from_the_makefile() {
        let makefile = "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\n";
        assert_eq!(
            series_in(makefile),
            Some(Series {
                major: 6,
                minor: 12
            })
        );
        assert_eq!(series_in("all:\n"), None);
    }

    #[test]
    fn what_is_missing_or_no_kernel_is_named_with_a_cure() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        let find = |source| Source::find(&cache, &source).unwrap_err();

        let error = find(KernelSource::Tree(dir.path().to_owned()));
        assert!(error.to_string().contains("kernel.source"), "{error}");
        assert!(
            error
                .to_string()
                .contains(&dir.path().display().to_string()),
            "{error}"
        );
        let error = find(KernelSource::Tarball(dir.path().join("none.tar")));
        assert!(error.to_string().contains("none.tar"), "{error}");
        let error = find(KernelSource::Debian("linux-source-0.1".into()));
        assert!(
            error
                .cure()
                .starts_with("apt-get install linux-source-0.1;")
        );
    }

    #[tokio::test]
    async fn a_copied_tree_has_sources_only() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for file in [
            "kernel/fork.c",
            "kernel/fork.o",
            ".git/HEAD",
            "include/generated/a.h",
        ] {
            fs::create_dir_all(from.join(file).parent().unwrap()).unwrap();
            fs::write(from.join(file), file).unwrap();
        }
        copy_tree(&from, &to).await.unwrap();
        assert_eq!(
            digest::list(&to, &|_| false).unwrap(),
            [Path::new("kernel/fork.c")]
        );
    }
}
