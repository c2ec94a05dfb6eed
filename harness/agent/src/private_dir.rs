//! The agent's private directory: QEMU's socket and the guest's initramfs with its keys.
//! Nobody else can enter it, and it goes when the agent goes.

use std::path::Path;

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;

use super::failure::Failure;

/// Begins the name of every agent's directory.
const PREFIX: &str = "agent-";

/// The lock file of a directory of agents, and of each agent's own.
const LOCK: &str = "lock";

/// A directory that the agent works in.
pub struct PrivateDir {
    _dir: tempfile::TempDir,
    /// Held as long as the agent lives, so that others can tell.
    _lock: Option<Lock>,
}

impl PrivateDir {
    /// Moves into a temporary directory: on a host that nobody else uses.
    pub fn in_temp() -> Result<PrivateDir, Failure> {
        PrivateDir::enter(builder().tempdir(), None)
    }

    /// Moves into a directory below `place`, after clearing away those of agents that died
    /// without doing so themselves.
    pub fn below(place: &Path) -> Result<PrivateDir, Failure> {
        let _all = hold(place)?;
        sweep_held(place);
        let dir = builder().tempdir_in(place);
        let lock = match &dir {
            Ok(dir) => Lock::try_acquire(&dir.path().join(LOCK)).map_err(cannot)?,
            Err(_) => None,
        };
        PrivateDir::enter(dir, lock)
    }

    /// The working directory, not a path: a socket's path may be no longer than 107 bytes,
    /// and a home directory is as long as it likes.
    fn enter(
        dir: std::io::Result<tempfile::TempDir>,
        lock: Option<Lock>,
    ) -> Result<PrivateDir, Failure> {
        let dir = dir.map_err(cannot)?;
        std::env::set_current_dir(dir.path()).map_err(cannot)?;
        Ok(PrivateDir {
            _dir: dir,
            _lock: lock,
        })
    }

    /// Its path as the agent and its children see it.
    pub fn path(&self) -> &'static Path {
        Path::new(".")
    }
}

/// Clears away the directories of agents that died without doing so themselves.
pub fn sweep(place: &Path) -> exitlab_base::error::Result<()> {
    if !place.is_dir() {
        return Ok(());
    }
    let _all = Lock::wait(&place.join(LOCK))?;
    sweep_held(place);
    Ok(())
}

/// Nobody comes or goes while this is held.
fn hold(place: &Path) -> Result<Lock, Failure> {
    std::fs::create_dir_all(place).map_err(|e| cannot(at(place, &e)))?;
    Lock::wait(&place.join(LOCK)).map_err(cannot)
}

/// What cannot be removed does no harm, and what is no directory is none of an agent's.
fn sweep_held(place: &Path) {
    let Ok(place) = Dir::open(place) else {
        return;
    };
    for name in place.names().unwrap_or_default() {
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        // Its owner is gone when its lock is free.
        let free = place.inner(&name).and_then(|dir| Lock::try_in(&dir, LOCK));
        if let Ok(Some(_free)) = free {
            let _ = place.remove(&name);
        }
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(PREFIX)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn cannot(why: impl std::fmt::Display) -> Failure {
    let message = format!("failed to make a private directory: {why}");
    Failure::new(Stage::Host, FailureKind::Host, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_directories_of_the_dead_are_cleared_away() {
        let place = tempfile::tempdir().unwrap();
        let of = |name: &str| place.path().join(name);
        for name in ["agent-alive", "agent-dead", "somebody-else"] {
            std::fs::create_dir(of(name)).unwrap();
        }
        let alive = Lock::try_acquire(&of("agent-alive").join(LOCK)).unwrap();
        assert!(alive.is_some());
        std::fs::write(of("agent-dead").join("qmp"), "").unwrap();
        std::os::unix::fs::symlink(of("somebody-else"), of("agent-link")).unwrap();
        sweep(place.path()).unwrap();
        assert!(of("agent-link").is_symlink());
        assert_eq!(std::fs::read_dir(of("somebody-else")).unwrap().count(), 0);
        let left = |name: &str| of(name).exists();
        assert!(left("agent-alive") && left("somebody-else") && !left("agent-dead"));
        sweep(&of("no such place")).unwrap();
    }
}
