//! Files that are written whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// How files are called that are being written.
const WRITING: &str = ".writing-";

/// Writes a file so that a reader sees the old one or the new one, never a part.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    write_whole_with(path, |file| file.write_all(content))
}

/// The same, of a file that is too long to be held in memory: `write` writes it, piece by piece.
pub fn write_whole_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(WRITING)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)
        .map_err(Error::io("write", path))?;
    write(&mut file).map_err(Error::io("write", path))?;
    file.persist(path)
        .map(drop)
        .map_err(|e| Error::io("write", path)(e.error))
}

/// Copies a file, its rights included. A full disk is that of the copy, and it is named.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::File::open(from).map_err(Error::io("read", from))?;
    std::fs::copy(from, to)
        .map(drop)
        .map_err(Error::io("write", to))
}

/// Removes files that a process was writing when it was killed.
pub fn sweep(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(Error::io("read", dir))? {
        let entry = entry.map_err(Error::io("read", dir))?;
        if entry.file_name().to_string_lossy().starts_with(WRITING) {
            // A link is removed itself.
            let path = entry.path();
            std::fs::remove_file(&path).map_err(Error::io("remove", path))?;
        }
    }
    Ok(())
}
