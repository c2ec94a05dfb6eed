//! Whether a work tree was on the disk when the machine went down. `make` goes by the times of
//! files: an object that a power loss left empty looks finished to it.
//!
//! While a tree holds what may not be on the disk yet, a file beside it names the boot
//! (`/proc/sys/kernel/random/boot_id`) in which that was written.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use exitlab_base::error::{Error, Result};

use super::files::{read_if_there, remove_if_there};

const MARK: &str = "unsynced";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// Notes that what is below `root` may not be on the disk from now on.
pub fn mark(root: &Path) -> Result<()> {
    let path = root.join(MARK);
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(&boot())?;
        file.sync_all()?;
        File::open(root)?.sync_all()
    };
    write().map_err(Error::io("write", &path))
}

/// Whether the machine went down while it was so.
pub fn was_lost(root: &Path) -> Result<bool> {
    let mark = read_if_there(&root.join(MARK))?;
    Ok(mark.is_some_and(|mark| mark != boot()))
}

/// Has everything reach the disk (`syncfs(2)`), and takes the note away.
pub fn settle(root: &Path) -> Result<()> {
    File::open(root)
        .and_then(|dir| Ok(rustix::fs::syncfs(dir)?))
        .map_err(Error::io("write to disk", root))?;
    remove_if_there(&root.join(MARK))
}

/// Where it is not told, every boot is the same one.
fn boot() -> Vec<u8> {
    fs::read(BOOT).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_was_marked_in_another_boot_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!was_lost(dir.path()).unwrap());
        mark(dir.path()).unwrap();
        assert!(!was_lost(dir.path()).unwrap(), "the machine is still up");
        fs::write(dir.path().join(MARK), "another boot").unwrap();
        assert!(was_lost(dir.path()).unwrap());
        settle(dir.path()).unwrap();
        assert!(!was_lost(dir.path()).unwrap());
    }
}
