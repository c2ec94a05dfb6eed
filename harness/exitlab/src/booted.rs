//! The files that a run boots from, by their digests: what the provenance names, and what must
//! still be there when the run ends.

use std::path::PathBuf;

use crate::build::Artifacts;
use exitlab_base::artifact::{Cache, Digest};
use exitlab_base::error::{Error, Result};
use exitlab_host::platform::{self, Boot};
use exitlab_model::plan::Plan;

/// What a run boots from.
#[derive(Debug)]
pub struct Booted {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    /// What it is: `host kernel`, `guest initramfs`.
    name: String,
    path: PathBuf,
    digest: Digest,
}

impl Booted {
    /// The files of a run that is about to begin. None of them is read whose size, times and
    /// inode did not move since it was.
    pub async fn of(plan: &Plan, artifacts: &Artifacts, cache: &Cache) -> Result<Booted> {
        let boot = artifacts.host.as_ref().map(|image| Boot {
            kernel: &artifacts.kernel,
            image,
        });
        let of_host = platform::files(plan, boot, cache).await?;
        let of_host = of_host
            .into_iter()
            .map(|(name, path)| (name.to_owned(), path));
        let own = artifacts.guest.own_files();
        let of_guest = own.named();
        let of_guest = of_guest.map(|(name, path)| (format!("guest {name}"), path.to_owned()));
        Booted::read(of_host.chain(of_guest), cache)
    }

    fn read(files: impl Iterator<Item = (String, PathBuf)>, cache: &Cache) -> Result<Booted> {
        let files = files.map(|(name, path)| {
            let digest = cache.file_digest(&path)?;
            Ok(File { name, path, digest })
        });
        Ok(Booted {
            files: files.collect::<Result<_>>()?,
        })
    }

    /// What each file is, and its digest.
    pub fn digests(&self) -> Vec<(String, String)> {
        let pair = |file: &File| (file.name.clone(), file.digest.hex().to_owned());
        self.files.iter().map(pair).collect()
    }

    /// Succeeds if every file still is what the provenance says: hosts read their disks, and
    /// load their kernels, after the digests were taken.
    ///
    /// # Errors
    ///
    /// [`Error::Experiment`] that names the first one that is not.
    pub fn require_unchanged(&self, cache: &Cache) -> Result<()> {
        for File { name, path, digest } in &self.files {
            let now = cache.file_digest(path).ok();
            if now.as_ref() != Some(digest) {
                return Err(Error::Experiment {
                    stage: "provenance".to_owned(),
                    message: format!(
                        "the {name} {} while the run used it: {}",
                        if now.is_some() {
                            "was changed"
                        } else {
                            "went away"
                        },
                        path.display()
                    ),
                    tail: Vec::new(),
                    cure: "run again while nobody writes to that file; what is damaged in the \
                           cache is built anew"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_or_goes_during_a_run_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("cache")).unwrap();
        let path = dir.path().join("vmlinux");
        std::fs::write(&path, "kernel").unwrap();
        let files = [("host kernel".to_owned(), path.clone())];
        let booted = Booted::read(files.into_iter(), &cache).unwrap();
        assert_eq!(booted.digests()[0].0, "host kernel");
        booted.require_unchanged(&cache).unwrap();

        std::fs::write(&path, "kerneL").unwrap();
        let error = booted.require_unchanged(&cache).unwrap_err().to_string();
        assert!(
            error.starts_with("provenance: the host kernel was changed"),
            "{error}"
        );
        std::fs::write(&path, "kernel").unwrap();
        booted.require_unchanged(&cache).unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = booted.require_unchanged(&cache).unwrap_err().to_string();
        assert!(error.contains("went away"), "{error}");
    }
}
