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
//!
//! Each artifact has a manifest with the digests of its files, and is held against it
//! whenever it is used. One that is damaged is built anew. What a process got out of the
//! cache it holds as long as it lives, and its directory's time says when it was used last:
//! so it is known what can be cleared away ([`Contents`]).

mod contents;
pub mod digest;
mod hold;
mod key;
mod lock;
mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use crate::dir::{self, Dir};
use crate::error::{Error, Result};
use digest::Stamp;
use hold::Holds;
use manifest::{Digests, State};

pub use contents::{Contents, Item, Removed};
pub use digest::Digest;
pub use key::{Key, KeyBuilder};
pub use lock::Lock;

/// How old a file's last change must be before its digest is remembered, seconds: file systems
/// count time in steps of up to two, and within a step two contents have one time.
const SETTLED: i64 = 3;

/// The cache of everything that exitlab builds.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// What was got out of it; held until the last copy of this goes.
    holds: Holds,
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
            holds: Holds::default(),
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
    /// second waits and then finds it. One whose files are no more what was built is thrown
    /// away, with a word, and built anew.
    ///
    /// If `build` fails or is cancelled, nothing of it remains. What is returned is on the
    /// disk.
    ///
    /// # Errors
    ///
    /// What `build` says; [`Error::Build`] if an artifact is damaged and cannot be replaced.
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
        let found = self.take(&artifact)?;
        if found == State::Sound {
            return Ok(artifact);
        }
        let name = format!("{kind}-{}", key.hex());
        let lock = self.lock(&name).await;
        let _lock = lock.map_err(|error| beyond_repair(&artifact.dir, &found, error))?;
        // Another process may have built or healed it meanwhile.
        let found = self.take(&artifact)?;
        if found == State::Sound {
            return Ok(artifact);
        }
        let staging = self.dir()?.make("staging")?;
        staging.remove(&name)?;
        if let State::Damaged(damage) = &found {
            self.dir()?
                .inner(kind)?
                .clear(key.hex(), &staging, &name)
                .map_err(|error| beyond_repair(&artifact.dir, &found, error))?;
            let dir = artifact.dir.display();
            tracing::warn!("{dir} in the cache is damaged ({damage}) and is built anew");
        }
        let staging = Staging::new(&staging, &name)?;
        build(&staging.dir).await?;
        self.finish(kind, &staging, &artifact)?;
        self.holds.take(&artifact.dir);
        Ok(artifact)
    }

    /// Whether an artifact can be used; one that can is held from here on.
    fn take(&self, artifact: &Artifact) -> Result<State> {
        // First held, then looked at: nobody clears it away while it is read.
        match self.holds.take(&artifact.dir) {
            true => self.state(artifact),
            false => Ok(State::Absent),
        }
    }

    fn state(&self, artifact: &Artifact) -> Result<State> {
        let digests = Digests {
            remembered: &|path| self.file_digest(path),
            read: &|path| self.read_digest(path),
        };
        manifest::state(&artifact.dir, &artifact.key, &digests)
    }

    /// Gives what was built its name, once all of it is on the disk.
    fn finish(&self, kind: &str, staging: &Staging, artifact: &Artifact) -> Result<()> {
        manifest::seal(&staging.dir, &artifact.key)?;
        let place = self.dir()?.make(kind)?;
        fs::rename(&staging.dir, &artifact.dir).map_err(Error::io("create", &artifact.dir))?;
        manifest::sync(place.path())?;
        manifest::sync(&self.root)
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
        dir::touch(dir.path());
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

    /// The same, read now whatever is remembered; and remembered from now on.
    fn read_digest(&self, path: &Path) -> Result<Digest> {
        let stamp = digest::stamp(path)?;
        let digest = digest::file(path)?;
        self.remember(&stamp, &digest);
        Ok(digest)
    }

    fn remembered(&self, stamp: &Stamp, read: impl FnOnce() -> Result<Digest>) -> Result<Digest> {
        let known = fs::read_to_string(self.memo(stamp)).ok();
        let known = known.and_then(|text| {
            let (hex, check) = text.split_once(' ')?;
            let digest = Digest::from_hex(hex)?;
            (check == manifest::check(&stamp.digest, &digest)).then_some(digest)
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let digest = read()?;
        self.remember(stamp, &digest);
        Ok(digest)
    }

    /// In a cache that cannot be written to nothing is remembered, which costs time only.
    fn remember(&self, stamp: &Stamp, digest: &Digest) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(0));
        if stamp.changed.saturating_add(SETTLED) > now {
            return;
        }
        // Not through a rename: what does not bear its check is not believed.
        let text = format!(
            "{} {}",
            digest.hex(),
            manifest::check(&stamp.digest, digest)
        );
        if let Err(error) = fs::write(self.memo(stamp), text) {
            tracing::debug!("a digest is not remembered: {error}");
        }
    }

    fn memo(&self, stamp: &Stamp) -> PathBuf {
        self.root.join("digests").join(stamp.digest.hex())
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
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", dir)(error))
        }
        _ => Ok(()),
    }
}

/// An artifact that is damaged, in a cache that lets nobody replace it.
fn beyond_repair(dir: &Path, found: &State, error: Error) -> Error {
    let State::Damaged(damage) = found else {
        return error;
    };
    Error::Build {
        stage: "cache".to_owned(),
        message: format!(
            "{} is damaged: {damage}; it cannot be replaced: {error}",
            dir.display()
        ),
        tail: Vec::new(),
        cure: format!(
            "have somebody who may write there remove {}, or choose another cache with --cache",
            dir.display()
        ),
    }
}

#[cfg(test)]
mod overlay;
#[cfg(test)]
mod tests;
