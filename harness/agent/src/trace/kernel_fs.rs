//! A file system of the kernel's own, such as tracefs: where it is mounted, or else by a mount
//! that nobody else sees and that goes with us (fsopen(2), fsmount(2)). So nothing is mounted
//! on a machine that is used as it is, not even by an agent that is killed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// What a file of such a file system says, if that is at most `most` bytes.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    match read as u64 > most {
        true => Err(io::Error::other(format!("it has more than {most} bytes"))),
        false => Ok(text),
    }
}

/// Writes to a file of such a file system. It is not truncated: an event forgets all its
/// triggers when that is done to their file.
pub fn tell(path: &Path, words: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(words.as_bytes())
}

/// Truncates a file of such a file system, by which an event forgets all its triggers.
pub fn forget(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).truncate(true).open(path);
    file.map(drop)
}

/// A file system that can be worked in as long as the value lives.
#[derive(Debug)]
pub struct KernelFs {
    path: PathBuf,
    _mount: Option<OwnedFd>,
}

impl KernelFs {
    /// The file system of that kind. It is mounted at `place` if `known`, a file of it, is there.
    pub fn open(kind: &str, place: &Path, known: &str) -> io::Result<KernelFs> {
        if place.join(known).try_exists()? {
            return Ok(KernelFs {
                path: place.to_owned(),
                _mount: None,
            });
        }
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(context.as_fd())?;
        let none = MountAttrFlags::empty();
        let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, none)?;
        Ok(KernelFs {
            path: PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd())),
            _mount: Some(mount),
        })
    }

    /// Where its root is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
