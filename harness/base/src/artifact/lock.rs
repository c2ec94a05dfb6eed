//! Lock files against other processes.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::dir::Dir;
use crate::error::{Error, Result};

/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(100);

/// Longest wait for a lock that is held for a moment.
const MOMENT: Duration = Duration::from_secs(20);

/// A lock held; given back when dropped, or by the kernel when the process dies. Lock
/// files stay where they are: removing one could let two processes hold "the" lock.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// The lock, or nothing if somebody else holds it.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(Error::io("open", path))?;
        Self::try_hold(file, path)
    }

    /// The lock `name` in a directory, or nothing if somebody else holds it.
    pub fn try_in(dir: &Dir, name: &str) -> Result<Option<Self>> {
        match dir.lock_file(name, true)? {
            Some(file) => Self::try_hold(file, &dir.path().join(name)),
            None => Ok(None),
        }
    }

    /// The same, and nothing, too, if there is no such lock: whoever made the directory takes
    /// it before anybody can see that.
    pub fn try_existing_in(dir: &Dir, name: &str) -> Result<Option<Self>> {
        match dir.lock_file(name, false)? {
            Some(file) => Self::try_hold(file, &dir.path().join(name)),
            None => Ok(None),
        }
    }

    /// Holds a directory together with whoever else works in it. Nothing is written for it; it
    /// is told by [`Lock::try_whole`].
    ///
    /// # Errors
    ///
    /// If somebody clears it away at the moment, or the file system knows no locks.
    pub fn share(dir: &Dir) -> Result<Self> {
        let file = dir.itself()?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { file }),
            Err(error) => Err(Error::io("lock", dir.path())(error.into())),
        }
    }

    /// Holds a directory alone, or nothing if anybody works in it.
    pub fn try_whole(dir: &Dir) -> Result<Option<Self>> {
        Self::try_hold(dir.itself()?, dir.path())
    }

    fn try_hold(file: File, path: &Path) -> Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
        }
    }

    /// Waits for a lock that is only ever held for a moment, without a runtime.
    pub fn wait(path: &Path) -> Result<Self> {
        let end = std::time::Instant::now() + MOMENT;
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            if std::time::Instant::now() > end {
                let stuck = std::io::ErrorKind::TimedOut.into();
                return Err(Error::io("lock", path)(stuck));
            }
            std::thread::sleep(POLL / 10);
        }
    }

    /// Waits for the lock; says once that it does. It polls, because a blocking wait
    /// could not be interrupted.
    pub async fn acquire(path: &Path) -> Result<Self> {
        let mut said = false;
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            if !said {
                said = true;
                tracing::info!("waiting for another exitlab that holds {}", path.display());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread has just started holds the file,
        // too, until it becomes another program.
        let _ = self.file.unlock();
    }
}
