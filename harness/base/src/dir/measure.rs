//! What lies in a directory: how much it takes up on the disk, and when it changed last. No
//! link is followed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::{Dir, component, inner, io, names};
use crate::error::{Error, Result};

/// Bytes of the unit in which `stat(2)` counts what a file takes up.
const BLOCK: u64 = 512;

/// What something with all that is in it amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// What it takes up on the disk, bytes. A file of several names counts once.
    pub bytes: u64,
    /// The last change of any file in it.
    pub changed: SystemTime,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A link, or anything else.
    Other,
}

impl Dir {
    /// What the name stands for, and when it changed last; none if nothing has it.
    pub fn about(&self, name: impl AsRef<OsStr>) -> Option<(Kind, SystemTime)> {
        let stat = stat(self.fd.as_fd(), name.as_ref()).ok()?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            _ => Kind::Other,
        };
        Some((kind, changed(&stat)))
    }

    /// What is called `name`, with all that is in it. What goes meanwhile is not counted.
    pub fn measure(&self, name: impl AsRef<OsStr>) -> Result<Measure> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let mut all = Measure {
            bytes: 0,
            changed: UNIX_EPOCH,
        };
        add(
            self.fd.as_fd(),
            component(name, &path)?,
            &mut all,
            &mut BTreeSet::new(),
        )
        .map_err(io("read", &path))?;
        Ok(all)
    }

    /// All of a regular file; none if there is none, or if it has more than `most` bytes.
    pub fn read_whole(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        if !self.has(name) {
            return Ok(None);
        }
        let Some(file) = self.read(name)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut content);
        read.map_err(Error::io("read", self.path.join(name)))?;
        Ok((content.len() as u64 <= most).then_some(content))
    }

    /// Names in it that are directories and no links, sorted.
    pub fn dirs(&self) -> Result<Vec<OsString>> {
        let mut names = self.names()?;
        names.retain(|name| matches!(self.about(name), Some((Kind::Dir, _))));
        Ok(names)
    }
}

/// Says of a directory that it was used now: its own time of change. Where that cannot be
/// said, as in a cache that cannot be written to, it is not.
pub fn touch(dir: &Path) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    let touched = rustix::fs::utimensat(rustix::fs::CWD, dir, &times, AtFlags::SYMLINK_NOFOLLOW);
    if let Err(error) = touched {
        tracing::debug!("{} is not marked as used: {error}", dir.display());
    }
}

fn stat(fd: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<Stat> {
    rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)
}

fn changed(stat: &Stat) -> SystemTime {
    // Before 1970 is as long ago.
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn add(
    fd: BorrowedFd<'_>,
    name: &OsStr,
    all: &mut Measure,
    seen: &mut BTreeSet<(u64, u64)>,
) -> rustix::io::Result<()> {
    let stat = match stat(fd, name) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat?,
    };
    let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if !is_dir {
        all.changed = all.changed.max(changed(&stat));
        if stat.st_nlink > 1 && !seen.insert((stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
    }
    let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
    all.bytes = all.bytes.saturating_add(blocks.saturating_mul(BLOCK));
    if !is_dir {
        return Ok(());
    }
    let dir = match inner(fd, name) {
        Err(Errno::NOENT) => return Ok(()),
        dir => dir?,
    };
    for name in names(dir.as_fd())? {
        add(dir.as_fd(), &name, all, seen)?;
    }
    Ok(())
}
