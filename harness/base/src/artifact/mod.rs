//! What is built once and used again: a directory for each set of inputs. In the cache:
//!
//! ```text
//! <kind>/<key>/      a finished artifact; it appears by one rename
//! staging/           artifacts being built
//! locks/             one lock file for each artifact and work tree
//! digests/           digests of large files, by path, size and times
//! work/              trees that builds keep between runs
//! ```
//!
//! A key is the digest of every input, so an artifact never goes stale and nothing is
//! ever overwritten. Removing the cache, or any part of it that nobody builds at the
//! moment, costs time and nothing else.

pub mod digest;
mod key;
mod lock;

use std::fs;
use std::path::{Path, PathBuf};

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::files::write_whole;

pub use digest::Digest;
pub use key::{Key, KeyBuilder};
pub use lock::Lock;

/// The file in every artifact that says what it was made of.
const INPUTS: &str = "inputs.json";

/// The cache of everything that exitlab builds.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A finished artifact. Its files are never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where its files are.
    pub dir: PathBuf,
    /// What it was made of.
    pub key: Key,
}

impl Cache {
    /// Where the cache is unless the user says otherwise: `$XDG_CACHE_HOME/exitlab`,
    /// else `~/.cache/exitlab`.
    pub fn default_dir() -> Result<PathBuf> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .map(|caches| caches.join("exitlab"))
            .ok_or_else(|| Error::Config {
                message: "no place for the cache: neither XDG_CACHE_HOME nor HOME is set".into(),
                cure: "set XDG_CACHE_HOME to an absolute path".into(),
            })
    }

    /// Opens the cache in `dir`, making it if need be, and removes what crashed builds
    /// left behind. In one that cannot be written to, what is finished can be used.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let cache = Self {
            root: std::path::absolute(dir.into()).map_err(Error::io("find", "."))?,
        };
        fs::create_dir_all(&cache.root).map_err(Error::io("create", &cache.root))?;
        match cache.prepare() {
            Err(error) if error.is_of_a_read_only_place() => Ok(cache),
            prepared => prepared.map(|()| cache),
        }
    }

    /// Makes its parts and sweeps it. A part that is a link leads to what is not the cache's,
    /// and is refused: what is in it would be removed and written over. The cache itself may
    /// be one.
    fn prepare(&self) -> Result<()> {
        let root = self.dir()?;
        for part in ["staging", "locks", "digests", "work"] {
            root.make(part)?;
        }
        self.sweep()
    }

    fn dir(&self) -> Result<Dir> {
        Dir::open(&self.root)
    }

    /// The artifact of `kind` made of `key`: the one in the cache, or else what `build`
    /// writes to the directory it is given. Two processes never build the same one; the
    /// second waits and then finds it.
    ///
    /// If `build` fails or is cancelled, nothing of it remains.
    pub async fn get_or_build(
        &self,
        kind: &str,
        key: &Key,
        build: impl AsyncFnOnce(&Path) -> Result<()>,
    ) -> Result<Artifact> {
        let artifact = Artifact {
            dir: self.root.join(kind).join(key.hex()),
            key: key.clone(),
        };
        if artifact.dir.is_dir() {
            return Ok(artifact);
        }
        let name = format!("{kind}-{}", key.hex());
        let _lock = self.lock(&name).await?;
        if artifact.dir.is_dir() {
            return Ok(artifact);
        }

        let staging = Staging::new(&self.dir()?.make("staging")?, &name)?;
        build(&staging.dir).await?;
        let inputs = staging.dir.join(INPUTS);
        let text =
            serde_json::to_vec_pretty(key.inputs()).map_err(Error::json("write", &inputs))?;
        fs::write(&inputs, text).map_err(Error::io("write", &inputs))?;
        self.dir()?.make(kind)?;
        fs::rename(&staging.dir, &artifact.dir).map_err(Error::io("create", &artifact.dir))?;
        Ok(artifact)
    }

    /// The directory that everything in it lies in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Holds what is called `name` against other processes, waiting for it if need be.
    pub async fn lock(&self, name: &str) -> Result<Lock> {
        // Where it cannot be made, that is told, and not that there is no lock.
        self.dir()?.make("locks")?;
        Lock::acquire(&self.lock_path(name)).await
    }

    /// A directory that a build keeps between runs. Take the lock `work-<name>` first.
    pub fn work_dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir()?.make("work")?.make(name)?;
        Ok(dir.path().to_owned())
    }

    /// Digest of a large file. It is read again only if its path, size or times changed.
    pub fn file_digest(&self, path: &Path) -> Result<Digest> {
        let stamp = digest::stamp(path)?;
        self.remembered(&stamp, || digest::file(path))
    }

    /// Digest of all files of a large tree but those that `skip` (given paths relative to
    /// it) names. They are read again only if a path, size or time changed.
    pub fn tree_digest(&self, dir: &Path, skip: impl Fn(&Path) -> bool) -> Result<Digest> {
        let files = digest::list(dir, &skip)?;
        let stamp = digest::list_stamp(dir, &files)?;
        self.remembered(&stamp, || digest::listed(dir, &files))
    }

    fn remembered(&self, stamp: &Digest, read: impl FnOnce() -> Result<Digest>) -> Result<Digest> {
        let memo = self.root.join("digests").join(stamp.hex());
        if let Some(known) = fs::read_to_string(&memo)
            .ok()
            .and_then(|hex| Digest::from_hex(&hex))
        {
            return Ok(known);
        }
        let digest = read()?;
        // What cannot be kept is read again.
        if let Err(error) = write_whole(&memo, digest.hex().as_bytes()) {
            tracing::debug!("{error}");
        }
        Ok(digest)
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.root.join("locks").join(name)
    }

    /// Removes staging directories that nobody builds in: whoever does holds the lock.
    fn sweep(&self) -> Result<()> {
        let root = self.dir()?;
        let (staging, locks) = (root.inner("staging")?, root.inner("locks")?);
        for name in staging.names()? {
            let Some(_lock) = Lock::try_in(&locks, &name.to_string_lossy())? else {
                continue;
            };
            staging.remove(&name)?;
        }
        Ok(())
    }
}

/// A directory being filled; removed unless it was renamed.
struct Staging {
    dir: PathBuf,
}

impl Staging {
    fn new(staging: &Dir, name: &str) -> Result<Self> {
        staging.remove(name)?;
        let dir = staging.make(name)?.path().to_owned();
        Ok(Self { dir })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = remove_dir(&self.dir) {
            tracing::warn!("{error}");
        }
    }
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Io {
            action: "remove",
            path: dir.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
