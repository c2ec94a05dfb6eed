//! What exitlab keeps: results, wherever they are, and the cache. They are looked at, listed
//! and cleared away. A directory may be anybody's, and hold anything.
//!
//! ```text
//! directories ─► look ─► Kept ─┬─► listing
//!                              └─► clearing ─► removal
//! cache ─► Contents ───────────────┘
//! ```

pub mod clearing;
pub mod listing;
mod living;
mod reader;
mod removal;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use exitlab_analysis::reading::results_of;
use exitlab_base::dir::{Dir, Kind, Measure};
use exitlab_base::error::{Error, Result};

use crate::out_dir;

pub use reader::{About, Found, Sort};
pub use words::typed_age;

/// Something that lies where results do.
#[derive(Debug)]
pub struct Kept {
    /// The directory that it is in.
    pub place: PathBuf,
    /// Its name there.
    pub name: OsString,
    /// What it is.
    pub found: Found,
    /// What it takes up, and when it changed last.
    pub measure: Measure,
    /// Whether an exitlab works in it.
    pub in_use: bool,
}

impl Kept {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        match self.place == Path::new(".") {
            true => PathBuf::from(&self.name),
            false => self.place.join(&self.name),
        }
    }

    /// When it began, or else changed last.
    pub fn when(&self) -> SystemTime {
        let started = match &self.found {
            Found::Results(about) => about.started.as_deref(),
            Found::Damaged(_) | Found::Foreign => None,
        };
        let started = started.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        started.map_or(self.measure.changed, SystemTime::from)
    }
}

/// Everything in a directory of results directories, or the results that the path leads to
/// itself; in the order in which it began.
///
/// # Errors
///
/// [`Error::Config`] if there is no such directory.
pub fn look(path: &Path) -> Result<Vec<Kept>> {
    let path = results_of(path);
    let dir = Dir::open(&path).map_err(|error| Error::Config {
        message: format!("no results at {}: {error}", path.display()),
        cure: "name a directory that exitlab wrote results into".to_owned(),
    })?;
    if reader::is_results(&dir) {
        let whole = path.canonicalize().map_err(Error::io("find", &path))?;
        if let Some(name) = whole.file_name() {
            let place = match path.file_name() == Some(name) {
                true => out_dir::parent(&path).to_owned(),
                false => out_dir::parent(&whole).to_owned(),
            };
            return Ok(one(&Dir::open(&place)?, name)?.into_iter().collect());
        }
    }
    let mut all = Vec::new();
    for name in dir.names()? {
        // Files beside results, such as notes, are nobody's business.
        if !matches!(dir.about(&name), Some((Kind::File, _)) | None) {
            all.extend(one(&dir, &name)?);
        }
    }
    all.sort_by_key(|kept| (kept.when(), kept.name.clone()));
    Ok(all)
}

/// One of a directory; none if it went meanwhile.
fn one(place: &Dir, name: &OsStr) -> Result<Option<Kept>> {
    let inner = place.inner(name).ok();
    let found = match &inner {
        Some(dir) => reader::about(dir, name),
        None if !place.has(name) => return Ok(None),
        None => Found::Foreign,
    };
    let in_use = match (&inner, &found) {
        // Whose locks cannot be opened is somebody else's; removing it says so.
        (Some(dir), Found::Results(_)) => living::locks(dir).is_ok_and(|locks| locks.is_none()),
        _ => false,
    };
    Ok(Some(Kept {
        place: place.path().to_owned(),
        name: name.to_owned(),
        found,
        measure: place.measure(name)?,
        in_use,
    }))
}

#[cfg(test)]
mod tests;
