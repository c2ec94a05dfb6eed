//! A file that another machine needs, known there by its SHA-256: every system has a program
//! that checks it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use exitlab_base::error::{Error, Result};

/// A file with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    path: PathBuf,
    hash: String,
    size: u64,
}

impl Part {
    /// The file at `path`.
    pub fn of(path: &Path) -> Result<Part> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        let mut chunk = vec![0; 1 << 16];
        loop {
            let length = file.read(&mut chunk).map_err(Error::io("read", path))?;
            if length == 0 {
                break;
            }
            hasher.update(&chunk[..length]);
            size += length as u64;
        }
        let hash = hasher.finalize();
        Ok(Part {
            path: path.to_owned(),
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            size,
        })
    }

    /// Its SHA-256, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file's name, for people.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<File> {
        File::open(&self.path).map_err(Error::io("open", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_prints() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "exitlab\n").unwrap();
        let output = std::process::Command::new("sha256sum")
            .arg(&path)
            .output()
            .unwrap();
        let part = Part::of(&path).unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.split_whitespace().next(), Some(part.hash()));
        assert_eq!((part.size(), part.name().as_str()), (8, "file"));
    }
}
