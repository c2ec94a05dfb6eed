//! A directory of exitlab's own, held open. What is done in it is done there and nowhere
//! else: names in it are single components, and a symbolic link is never followed, whoever
//! made it. A results directory or a cache may come from somebody else, and a directory that
//! others may write to may change while it is worked in.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

mod measure;

pub use measure::{Kind, Measure, touch};

/// Opens a directory, and nothing else.
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A directory held open.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// A directory that the user names: links on the way there are theirs.
    pub fn open(path: &Path) -> Result<Dir> {
        // `out` has the parent "".
        let named = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let fd = rustix::fs::openat(CWD, named, DIRECTORY, Mode::empty());
        Ok(Dir {
            fd: fd.map_err(io("open", named))?,
            path: path.to_owned(),
        })
    }

    /// How it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory `name` in it, which is a directory and no link to one.
    pub fn inner(&self, name: impl AsRef<OsStr>) -> Result<Dir> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let fd = inner(self.fd.as_fd(), component(name, &path)?);
        match fd {
            Ok(fd) => Ok(Dir { fd, path }),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(foreign(&path)),
            Err(error) => Err(io("open", &path)(error)),
        }
    }

    /// The directory `name` in it, made if it is not there.
    pub fn make(&self, name: impl AsRef<OsStr>) -> Result<Dir> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let mode = Mode::from_raw_mode(0o777);
        match rustix::fs::mkdirat(&self.fd, component(name, &path)?, mode) {
            Ok(()) | Err(Errno::EXIST) => self.inner(name),
            Err(error) => Err(io("create", &path)(error)),
        }
    }

    /// Whether anything of that name is in it, a link that leads nowhere included.
    pub fn has(&self, name: impl AsRef<OsStr>) -> bool {
        rustix::fs::statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether it belongs to the user that exitlab runs as.
    pub fn is_ours(&self) -> bool {
        let owner = rustix::fs::fstat(&self.fd).map(|stat| stat.st_uid);
        owner == Ok(rustix::process::geteuid().as_raw())
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let mut names = names(self.fd.as_fd()).map_err(io("read", &self.path))?;
        names.sort();
        Ok(names)
    }

    /// Removes what is called `name`, with all that is in it; a link itself, not what it leads
    /// to. What is not there is removed.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let path = self.path.join(name);
        remove(self.fd.as_fd(), component(name, &path)?).map_err(io("remove", &path))
    }

    /// Removes the directory `name` if nothing is in it.
    pub fn remove_if_empty(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let path = self.path.join(name);
        match rustix::fs::unlinkat(&self.fd, component(name, &path)?, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(io("remove", &path)(error)),
        }
    }

    /// Makes a file that is not there yet, for writing.
    pub fn create(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.file(name.as_ref(), flags, mode, "create")
    }

    /// Makes a file that is not there yet, with what it holds.
    pub fn write(&self, name: impl AsRef<OsStr>, content: &[u8], mode: u32) -> Result<()> {
        let path = self.path.join(name.as_ref());
        let mut file = self.create(name, mode)?;
        file.write_all(content).map_err(Error::io("write", path))
    }

    /// Makes a symbolic link that is not there yet.
    pub fn link(&self, name: impl AsRef<OsStr>, target: &str) -> Result<()> {
        let name = name.as_ref();
        let path = self.path.join(name);
        rustix::fs::symlinkat(target, &self.fd, component(name, &path)?).map_err(io("link", &path))
    }

    /// Opens a regular file for reading; none if it is something else that is no link.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Result<Option<File>> {
        let path = self.path.join(name.as_ref());
        // A pipe would have to wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = self.file(name.as_ref(), flags, 0, "open")?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        Ok(metadata.is_file().then_some(file))
    }

    /// The directory itself, opened once more, as a lock wants it.
    pub(crate) fn itself(&self) -> Result<File> {
        let fd = rustix::fs::openat(&self.fd, ".", DIRECTORY, Mode::empty());
        Ok(fd.map_err(io("open", &self.path))?.into())
    }

    /// Opens the file of a lock, and makes it if that is wanted; none if it is not there.
    pub(crate) fn lock_file(&self, name: &str, make: bool) -> Result<Option<File>> {
        let make = if make {
            OFlags::CREATE
        } else {
            OFlags::empty()
        };
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | make;
        match self.file(name.as_ref(), flags, 0o666, "open") {
            Ok(file) => Ok(Some(file)),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives what is called `name` the name `to` in another directory, where nothing has it.
    pub fn move_to(&self, name: &str, into: &Dir, to: &str) -> Result<()> {
        self.moved(name, into, to)?
            .map_err(io("create", &into.path.join(to)))
    }

    /// Takes what is called `name` out of the way: into another directory, as `to`, where
    /// nothing has that name. Where the file system cannot move it, it is removed: an overlay,
    /// as containers have one, moves no directory that a layer below brought with it
    /// (`Documentation/filesystems/overlayfs.rst`, `redirect_dir`).
    pub fn clear(&self, name: &str, into: &Dir, to: &str) -> Result<()> {
        match self.moved(name, into, to)? {
            Err(Errno::XDEV) => self.remove(name),
            moved => moved.map_err(io("create", &into.path.join(to))),
        }
    }

    fn moved(&self, name: &str, into: &Dir, to: &str) -> Result<rustix::io::Result<()>> {
        let (path, target) = (self.path.join(name), into.path.join(to));
        let (name, to) = (
            component(name.as_ref(), &path)?,
            component(to.as_ref(), &target)?,
        );
        let flags = RenameFlags::NOREPLACE;
        let moved = rustix::fs::renameat_with(&self.fd, name, &into.fd, to, flags);
        Ok(match moved {
            // A file system that cannot promise it.
            Err(Errno::INVAL | Errno::NOSYS) if !into.has(to) => {
                rustix::fs::renameat(&self.fd, name, &into.fd, to)
            }
            moved => moved,
        })
    }

    fn file(&self, name: &OsStr, flags: OFlags, mode: u32, verb: &'static str) -> Result<File> {
        let path = self.path.join(name);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        match rustix::fs::openat(&self.fd, component(name, &path)?, flags, mode) {
            Ok(fd) => Ok(fd.into()),
            Err(Errno::LOOP) => Err(foreign(&path)),
            Err(error) => Err(io(verb, &path)(error)),
        }
    }
}

/// A name that is one step down.
fn component<'a>(name: &'a OsStr, path: &Path) -> Result<&'a OsStr> {
    let mut parts = Path::new(name).components();
    let one = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    if one && parts.next().is_none() && !name.as_bytes().contains(&0) {
        return Ok(name);
    }
    Err(Error::Config {
        message: format!("{path:?} leads elsewhere: {name:?} is no plain name"),
        cure: "the file that names it was changed or is damaged".to_owned(),
    })
}

fn foreign(path: &Path) -> Error {
    Error::Config {
        message: format!(
            "{} is a symbolic link, or no directory where there must be one: exitlab did not \
             make it, and does not follow it",
            path.display()
        ),
        cure: "see where it leads, and remove it".to_owned(),
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Error {
    let wrap = Error::io(action, path);
    move |errno| wrap(errno.into())
}

fn inner(fd: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
}

fn names(fd: BorrowedFd<'_>) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(fd)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// `rm -r`. What disappears meanwhile was to be removed.
fn remove(fd: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(fd, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Linux says the first, POSIX the second.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let dir = match inner(fd, name) {
        Err(Errno::NOENT) => return Ok(()),
        dir => dir?,
    };
    for name in names(dir.as_fd())? {
        remove(dir.as_fd(), &name)?;
    }
    match rustix::fs::unlinkat(fd, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests;
