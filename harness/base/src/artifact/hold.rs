//! What a process got out of a cache it holds, so that nobody clears it away beneath an
//! emulator that boots from it: a shared lock (`flock(2)`) on the artifact's manifest. Who
//! clears it away has that lock alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::manifest::MANIFEST;
use crate::dir;

/// Manifests that are held, by their artifact's directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<Mutex<BTreeMap<PathBuf, File>>>);

impl Holds {
    /// Holds a finished artifact, and says of it that it was used now; no if somebody clears
    /// it away. Where no lock can be had, the artifact is used all the same.
    pub fn take(&self, artifact: &Path) -> bool {
        let manifest = artifact.join(MANIFEST);
        let opened = File::options()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&manifest);
        let file = match opened {
            Ok(file) => file,
            // Of a cache from before there were manifests, or damaged, or not there: told by
            // who looks at it.
            Err(_) => return true,
        };
        match file.try_lock_shared() {
            Ok(()) => {}
            // Whoever has it alone is removing it.
            Err(fs::TryLockError::WouldBlock) => return false,
            Err(fs::TryLockError::Error(error)) => {
                tracing::debug!("{} is not held: {error}", artifact.display());
                return true;
            }
        }
        let is_there = fs::symlink_metadata(&manifest)
            .and_then(|there| Ok((there, file.metadata()?)))
            .is_ok_and(|(there, held)| (there.dev(), there.ino()) == (held.dev(), held.ino()));
        if is_there {
            dir::touch(artifact);
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(artifact.to_owned(), file);
        }
        is_there
    }
}
