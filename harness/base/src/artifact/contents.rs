//! What a cache holds, and what of it can be cleared away. It may be any directory that
//! somebody names: only what exitlab made in it is seen as its own, by form and by name, and
//! what a process works with stays.

use std::ffi::OsStr;
use std::path::Path;
use std::time::SystemTime;

use super::digest::Digest;
use super::lock::Lock;
use super::manifest::{INPUTS, MANIFEST, is_of};
use crate::dir::{Dir, Kind};
use crate::error::Result;

/// The longest manifest that is read, bytes.
const LONGEST: u64 = 64 << 20;

/// Parts that hold no artifacts.
const STAGING: &str = "staging";
const LOCKS: &str = "locks";
const DIGESTS: &str = "digests";
const WORK: &str = "work";
/// Objects of the kernel's compiler, which `ccache` keeps.
const CCACHE: &str = "ccache";

/// Everything in a cache.
#[derive(Debug)]
pub struct Contents {
    root: Dir,
    /// What exitlab made, by part and name.
    pub items: Vec<Item>,
    /// Paths below the cache that exitlab did not make, or cannot tell.
    pub foreign: Vec<String>,
}

/// Something in a cache that can be removed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `host-image`; or `work`, `ccache`, `digests`, `staging`.
    pub part: String,
    /// Its name there; of a part that is one thing, that part's.
    pub name: String,
    /// What it takes up, bytes.
    pub bytes: u64,
    /// When it was used last.
    pub used: SystemTime,
    /// Whether somebody builds it, or works with it.
    pub in_use: bool,
}

/// What became of something that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// Somebody works with it: it is there.
    InUse,
}

impl Contents {
    /// Looks at the cache in `dir`. Nothing is changed; a lock that is not there yet is made.
    /// None if there is no cache.
    pub fn of(dir: &Path) -> Result<Option<Contents>> {
        if !dir.is_dir() {
            return Ok(None);
        }
        let root = Dir::open(dir)?;
        // Every cache has it from its beginning.
        if !matches!(root.about(LOCKS), Some((Kind::Dir, _))) {
            return Ok(None);
        }
        let mut contents = Contents {
            root,
            items: Vec::new(),
            foreign: Vec::new(),
        };
        for part in contents.root.names()? {
            contents.look(&part)?;
        }
        Ok(Some(contents))
    }

    fn look(&mut self, part: &OsStr) -> Result<()> {
        let Some(name) = part.to_str() else {
            self.foreign.push(part.to_string_lossy().into_owned());
            return Ok(());
        };
        let ours = self.root.inner(part).is_ok_and(|dir| dir.is_ours());
        match name {
            LOCKS => {}
            _ if !ours => self.foreign.push(name.to_owned()),
            DIGESTS | CCACHE => self.whole(name)?,
            _ => self.parted(name)?,
        }
        Ok(())
    }

    /// A part that is one thing.
    fn whole(&mut self, part: &str) -> Result<()> {
        let measure = self.root.measure(part)?;
        let in_use = part == CCACHE && Lock::try_whole(&self.root.inner(part)?)?.is_none();
        if measure.bytes > 0 {
            self.items.push(Item {
                part: part.to_owned(),
                name: part.to_owned(),
                bytes: measure.bytes,
                used: measure.changed,
                in_use,
            });
        }
        Ok(())
    }

    /// A part in which each name is a thing of its own.
    fn parted(&mut self, part: &str) -> Result<()> {
        let dir = self.root.inner(part)?;
        for name in dir.names()? {
            let shown = format!("{part}/{}", name.to_string_lossy());
            let (Some(name), Some((Kind::Dir, used))) = (name.to_str(), dir.about(&name)) else {
                self.foreign.push(shown);
                continue;
            };
            let is_ours = match part {
                // Whoever makes one has taken its lock before.
                WORK => self.root.inner(LOCKS)?.has(format!("work-{name}")),
                STAGING => self.root.inner(LOCKS)?.has(name),
                _ => is_artifact(&dir, name),
            };
            if !is_ours {
                self.foreign.push(shown);
                continue;
            }
            let item = Item {
                part: part.to_owned(),
                name: name.to_owned(),
                bytes: dir.measure(name)?.bytes,
                used,
                in_use: false,
            };
            let in_use = self.locks(&item)?.is_none();
            self.items.push(Item { in_use, ..item });
        }
        Ok(())
    }

    /// All that must be held to remove something; none if somebody else has it.
    fn locks(&self, item: &Item) -> Result<Option<Vec<Lock>>> {
        let locks = self.root.inner(LOCKS)?;
        if !self.root.inner(&item.part)?.has(&item.name) && item.part != CCACHE {
            return Ok(Some(Vec::new()));
        }
        let name = match item.part.as_str() {
            DIGESTS => return Ok(Some(Vec::new())),
            // Whoever compiles shares it.
            CCACHE => {
                let whole = Lock::try_whole(&self.root.inner(CCACHE)?)?;
                return Ok(whole.map(|whole| vec![whole]));
            }
            STAGING => item.name.clone(),
            part => format!("{part}-{}", item.name),
        };
        let Some(built) = Lock::try_in(&locks, &name)? else {
            return Ok(None);
        };
        if [STAGING, WORK].contains(&item.part.as_str()) {
            return Ok(Some(vec![built]));
        }
        let dir = self.root.inner(&item.part)?.inner(&item.name)?;
        if !dir.has(MANIFEST) {
            return Ok(Some(vec![built]));
        }
        let used = Lock::try_existing_in(&dir, MANIFEST)?;
        // Let go of in this order: who gets to build finds nobody else at it.
        Ok(used.map(|used| vec![used, built]))
    }

    /// Removes something, unless somebody works with it. It goes out of sight at once, so
    /// that nobody finds a part of it.
    pub fn remove(&self, item: &Item) -> Result<Removed> {
        if !self.root.has(&item.part) {
            return Ok(Removed::Gone);
        }
        let part = self.root.inner(&item.part)?;
        if item.part == DIGESTS {
            // Each is one file, and what is forgotten is read again.
            for name in part.names()? {
                if is_digest(&name) {
                    part.remove(name)?;
                }
            }
            return Ok(Removed::Gone);
        }
        let Some(_locks) = self.locks(item)? else {
            return Ok(Removed::InUse);
        };
        if item.part != CCACHE && !part.has(&item.name) {
            return Ok(Removed::Gone);
        }
        if item.part == STAGING {
            part.remove(&item.name)?;
            return Ok(Removed::Gone);
        }
        let staging = self.root.make(STAGING)?;
        let name = format!("{}-{}", item.part, item.name);
        staging.remove(&name)?;
        match item.part == CCACHE {
            true => self.root.clear(CCACHE, &staging, &name)?,
            false => part.clear(&item.name, &staging, &name)?,
        }
        staging.remove(&name)?;
        Ok(Removed::Gone)
    }
}

fn is_digest(name: &OsStr) -> bool {
    name.to_str()
        .is_some_and(|name| Digest::from_hex(name).is_some())
}

/// Whether a directory is an artifact: called by the digest of the inputs that it names.
fn is_artifact(part: &Dir, name: &str) -> bool {
    let Some(dir) = Digest::from_hex(name).and_then(|_| part.inner(name).ok()) else {
        return false;
    };
    match dir.read_whole(MANIFEST, LONGEST) {
        Ok(Some(text)) => is_of(&text, name),
        Ok(None) => matches!(dir.about(INPUTS), Some((Kind::File, _))),
        // A link in its place.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
