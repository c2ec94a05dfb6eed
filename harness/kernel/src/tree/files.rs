//! Files of a work tree: whether there or not, and never half.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::stage;
use exitlab_base::error::{Error, Result};

/// Fails if what is written at `path` below `root` would be written elsewhere. A tree may hold
/// links to directories, those of its owner included, and they are left alone.
pub(super) fn require_inside(root: &Path, path: &Path) -> Result<()> {
    let mut dir = root.to_owned();
    for part in path.parent().into_iter().flat_map(Path::components) {
        dir.push(part);
        let is_link = dir.symlink_metadata().is_ok_and(|kind| kind.is_symlink());
        if is_link || !matches!(part, Component::Normal(_)) {
            return Err(Error::Build {
                stage: stage::named(stage::PATCHES),
                message: format!(
                    "{} is changed, and {} leads elsewhere",
                    path.display(),
                    dir.strip_prefix(root).unwrap_or(&dir).display()
                ),
                tail: Vec::new(),
                cure: "put a directory in the place of the link, or change what it leads to \
                       where that is"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

/// A file that may be missing.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Removes a file that may be missing.
pub(super) fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Writes a file beside its place and renames it: nobody sees half of it. Whether it is a
/// program is taken over from `original`, if that is there.
pub(super) fn replace(path: &Path, text: &[u8], original: &Path) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, text).map_err(Error::io("write", &beside))?;
    if let Ok(original) = fs::metadata(original) {
        fs::set_permissions(&beside, original.permissions())
            .map_err(Error::io("write", &beside))?;
    }
    fs::rename(&beside, path).map_err(Error::io("write", path))
}
