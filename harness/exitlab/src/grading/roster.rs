//! The roster: which kernels are graded, each with its whole plan. It lies in the results
//! directory, so that grading goes on by it and by nothing else.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use exitlab_base::artifact::Lock;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_host::image;
use exitlab_model::layout::ROSTER;
use exitlab_model::order::TrialOrder;
use exitlab_model::plan::Plan;

use super::names;
use super::points::Points;
use crate::out_dir::{self, OutDir};

/// The roster's file.
pub const FILE: &str = ROSTER;

/// Version of it.
const SCHEMA: u32 = 1;

/// Keeps two processes from grading into one directory.
const LOCK: &str = ".lock";

/// Who is graded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// Version of this structure.
    pub schema: u32,
    /// exitlab's version.
    pub exitlab: String,
    /// Digest of the agent that judges (BLAKE3, hex).
    pub agent: String,
    /// Points, if there are any.
    pub points: Option<Points>,
    /// Every kernel, in the order of the table.
    pub kernels: Vec<Pupil>,
}

/// A kernel that is to be graded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pupil {
    /// Its name: of its directory and its page, too.
    pub name: String,
    /// The image; none of a kernel that is built.
    pub image: Option<PathBuf>,
    /// Its own settings, `key=value`.
    pub settings: Vec<String>,
    /// What is judged.
    pub order: TrialOrder,
    /// Where it is tried.
    pub plan: Plan,
}

impl Roster {
    /// A roster of this exitlab.
    pub fn new(kernels: Vec<Pupil>, points: Option<Points>) -> Result<Roster> {
        Ok(Roster {
            schema: SCHEMA,
            exitlab: env!("CARGO_PKG_VERSION").to_owned(),
            agent: agent()?,
            points,
            kernels,
        })
    }

    /// Begins a results directory: it appears with its roster, or not at all.
    pub fn begin(&self, out: &OutDir) -> Result<Lock> {
        out.prepare()?;
        let above = out_dir::parent(out.path());
        std::fs::create_dir_all(above).map_err(Error::io("create", above))?;
        // Of a name that nobody else has, and removed unless it gets its own.
        let staged = tempfile::Builder::new()
            .prefix(".beginning-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in(above)
            .map_err(Error::io("create", above))?;
        let lock = take(staged.path())?;
        self.write(staged.path())?;
        out.take(|path| match path.symlink_metadata() {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => std::fs::rename(staged.path(), path),
        })?;
        let _ = staged.keep();
        Ok(lock)
    }

    /// Takes up a results directory that was begun.
    pub fn resume(dir: &Path) -> Result<(Roster, Lock)> {
        let roster = Roster::read(dir)?;
        if roster.agent != agent()? {
            return Err(Error::Config {
                message: format!(
                    "{} was begun by another build of exitlab ({}), whose agent judges otherwise",
                    dir.display(),
                    roster.exitlab
                ),
                cure: "finish it with that build, or grade all of them anew with another --out"
                    .to_owned(),
            });
        }
        let lock = take(dir)?;
        exitlab_base::files::sweep(dir)?;
        Ok((roster, lock))
    }

    /// Writes it into a results directory.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let mut text = serde_json::to_vec_pretty(self).map_err(Error::json("write", &path))?;
        text.push(b'\n');
        write_whole(&path, &text)
    }

    fn read(dir: &Path) -> Result<Roster> {
        let wrong = |why: String| Error::Config {
            message: format!("{} cannot be gone on with: {FILE} {why}", dir.display()),
            cure: format!("name a results directory that holds {FILE}"),
        };
        let text = std::fs::read(dir.join(FILE)).map_err(|e| wrong(format!("is missing: {e}")))?;
        let roster: Roster =
            serde_json::from_slice(&text).map_err(|e| wrong(format!("is damaged: {e}")))?;
        roster.check().map_err(wrong)?;
        Ok(roster)
    }

    /// Names become paths: each must be plain, and nobody else's.
    fn check(&self) -> Result<(), String> {
        if self.schema != SCHEMA {
            let other = self.schema;
            return Err(format!(
                "is of version {other}, this exitlab reads {SCHEMA}"
            ));
        }
        let mut seen = BTreeSet::new();
        for Pupil { name, order, .. } in &self.kernels {
            if !names::is_plain(name) {
                return Err(format!("has {name:?}, which is no plain name"));
            }
            if !seen.insert(name.to_lowercase()) {
                return Err(format!("has {name} twice"));
            }
            if !(1..=3).contains(&order.leaf_map) {
                return Err(format!("has leaf map {} for {name}", order.leaf_map));
            }
        }
        match self.kernels.is_empty() {
            true => Err("has no kernel".to_owned()),
            false => Ok(()),
        }
    }
}

fn take(dir: &Path) -> Result<Lock> {
    Lock::try_acquire(&dir.join(LOCK))?.ok_or_else(|| Error::Config {
        message: format!("another exitlab is at work in {}", dir.display()),
        cure: "wait for its end, or name another directory".to_owned(),
    })
}

/// Digest of the agent of this build.
fn agent() -> Result<String> {
    let path = image::companion(image::AGENT)?;
    let digest = exitlab_base::artifact::digest::file(&path)?;
    Ok(digest.hex().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::fixture;
    use super::*;

    #[test]
    fn a_roster_is_begun_once_and_read_back() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("out");
        let roster = fixture::roster(&["ada", "bob"]);
        let lock = roster.begin(&OutDir::given(&dir)).unwrap();
        assert_eq!(Roster::read(&dir).unwrap(), roster);
        assert!(take(&dir).is_err(), "the lock is held on");
        drop(lock);
        take(&dir).unwrap();
        let again = roster.begin(&OutDir::given(&dir)).unwrap_err();
        assert!(again.to_string().contains("exists already"), "{again}");
        let names = std::fs::read_dir(parent.path()).unwrap().count();
        assert_eq!(names, 1, "nothing is left beside it");
    }

    #[test]
    fn names_that_lead_outside_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for names in [
            &["../../etc"][..],
            &["/etc/passwd"],
            &[".."],
            &["a/b"],
            &[""],
            &["ada", "Ada"],
            &[],
        ] {
            fixture::roster(names).write(dir.path()).unwrap();
            let error = Roster::read(dir.path()).unwrap_err();
            assert_eq!(error.exit_code(), exitlab_base::error::exit_code::CONFIG);
        }
    }
}
