//! BLAKE3 digests of files and trees.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A BLAKE3 digest, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// The digits.
    pub fn hex(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(hasher: &blake3::Hasher) -> Self {
        Self(hasher.finalize().to_hex().to_string())
    }

    pub(super) fn from_hex(hex: &str) -> Option<Self> {
        blake3::Hash::from_hex(hex)
            .ok()
            .map(|hash| Self(hash.to_hex().to_string()))
    }
}

/// Digest of bytes.
pub fn bytes(bytes: &[u8]) -> Digest {
    Digest(blake3::hash(bytes).to_hex().to_string())
}

/// Digest of a file's contents.
pub fn file(path: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let opened = fs::File::open(path).map_err(Error::io("read", path))?;
    hasher
        .update_reader(opened)
        .map_err(Error::io("read", path))?;
    Ok(Digest::of(&hasher))
}

/// Feeds a value and its length, so that neighbours cannot flow into one another.
pub(crate) fn feed(hasher: &mut blake3::Hasher, value: &[u8]) {
    hasher.update(&(value.len() as u64).to_le_bytes());
    hasher.update(value);
}

/// All files and symbolic links below `dir`, relative to it, sorted; without those that
/// `skip` names, and without what is in a directory that it names.
pub fn list(dir: &Path, skip: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(current) = dirs.pop() {
        let path = dir.join(&current);
        for entry in fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let entry = entry.map_err(Error::io("read", &path))?;
            let relative = current.join(entry.file_name());
            if skip(&relative) {
                continue;
            }
            if entry
                .file_type()
                .map_err(Error::io("read", entry.path()))?
                .is_dir()
            {
                dirs.push(relative);
            } else {
                files.push(relative);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Digest of the paths, contents, execute bits and link targets of `files` below `dir`.
pub(super) fn listed(dir: &Path, files: &[PathBuf]) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    for relative in files {
        let path = dir.join(relative);
        let metadata = fs::symlink_metadata(&path).map_err(Error::io("read", &path))?;
        feed(&mut hasher, relative.as_os_str().as_bytes());
        if metadata.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::io("read", &path))?;
            hasher.update(b"link");
            feed(&mut hasher, target.as_os_str().as_bytes());
        } else {
            let executable = metadata.mode() & 0o111 != 0;
            hasher.update(if executable { b"prog" } else { b"file" });
            feed(&mut hasher, file(&path)?.hex().as_bytes());
        }
    }
    Ok(Digest::of(&hasher))
}

/// Stands for files as long as nobody writes to them.
#[derive(Debug)]
pub(super) struct Stamp {
    /// Of their paths, sizes, times and inodes.
    pub digest: Digest,
    /// When one of them changed last (`st_ctime`), seconds since 1970.
    pub changed: i64,
}

/// Stands for a file as long as nobody writes to it: its path, size, times and inode.
pub(super) fn stamp(path: &Path) -> Result<Stamp> {
    let path = std::path::absolute(path).map_err(Error::io("find", path))?;
    let mut stamper = Stamper::default();
    stamper.feed(&path, fs::metadata(&path))?;
    Ok(stamper.finish())
}

/// Stands for the files of a tree as long as nobody writes to them.
pub(super) fn list_stamp(dir: &Path, files: &[PathBuf]) -> Result<Stamp> {
    let dir = std::path::absolute(dir).map_err(Error::io("find", dir))?;
    let mut stamper = Stamper::default();
    for path in files.iter().map(|relative| dir.join(relative)) {
        stamper.feed(&path, fs::symlink_metadata(&path))?;
    }
    Ok(stamper.finish())
}

/// Makes a [`Stamp`].
#[derive(Default)]
struct Stamper {
    hasher: blake3::Hasher,
    changed: i64,
}

impl Stamper {
    fn feed(&mut self, path: &Path, metadata: std::io::Result<fs::Metadata>) -> Result<()> {
        let metadata = metadata.map_err(Error::io("read", path))?;
        feed(&mut self.hasher, path.as_os_str().as_bytes());
        // The change time, too: it cannot be set back as the modification time can.
        let times = [
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ];
        for number in times {
            self.hasher.update(&number.to_le_bytes());
        }
        for number in [metadata.size(), metadata.ino()] {
            self.hasher.update(&number.to_le_bytes());
        }
        self.changed = self.changed.max(metadata.ctime());
        Ok(())
    }

    fn finish(self) -> Stamp {
        Stamp {
            digest: Digest::of(&self.hasher),
            changed: self.changed,
        }
    }
}
