//! The one reader of `matrix.json`. Whoever resumes, merges, compares or judges a matrix reads
//! it here, and what comes out of it is whole: it may come from anywhere, and cells are
//! removed, written and copied by the names in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Index, SCHEMA, cells, digest};
use crate::layout::MATRIX;
use crate::plan::Plan;

/// The longest `matrix.json`, bytes: ten thousand cells with plans of several pages.
const LONGEST: u64 = 256 << 20;

/// Why a `matrix.json` cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// There is none, or it is no file.
    Io(std::io::Error),
    /// It is no index.
    Json(serde_json::Error),
    /// It is one of this version, not of [`SCHEMA`].
    Schema(u32),
    /// It is one that exitlab does not write: what does not fit.
    Wrong(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Io(error) => write!(f, "{MATRIX}: {error}"),
            Unreadable::Json(error) => write!(f, "{MATRIX}: {error}"),
            Unreadable::Schema(other) => {
                write!(
                    f,
                    "{MATRIX} is of version {other}, this exitlab reads {SCHEMA}"
                )
            }
            Unreadable::Wrong(what) => {
                write!(f, "{MATRIX} was changed or is damaged: {what}")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads the `matrix.json` of a results directory. Its plans may be another version's: `P`
/// says what is wanted of them.
///
/// # Errors
///
/// Why it cannot be read. Its version, its parts, the names and the number of its cells, and
/// the digest of their plans are all checked.
pub fn read<P: DeserializeOwned>(dir: &Path) -> Result<Index<P>, Unreadable> {
    Index::parse(&bytes(dir)?)
}

/// The same, for who runs the plans or writes them anew: all that they hold is understood.
///
/// # Errors
///
/// As for [`read`], and where a plan says something that this version does not know.
pub fn read_whole(dir: &Path) -> Result<Index<Plan>, Unreadable> {
    let text = bytes(dir)?;
    let index: Index<Plan> = Index::parse(&text)?;
    let written: Index<Value> = Index::parse(&text)?;
    for (cell, written) in index.cells.iter().zip(&written.cells) {
        let known = serde_json::to_value(&cell.plan).map_err(Unreadable::Json)?;
        if known != written.plan {
            let id = &cell.id;
            let what = format!("the plan of {id} is of another version of exitlab");
            return Err(Unreadable::Wrong(what));
        }
    }
    Ok(index)
}

fn bytes(dir: &Path) -> Result<Vec<u8>, Unreadable> {
    let path = dir.join(MATRIX);
    // Before it is opened: opening a pipe waits for its other end.
    if !path.metadata().map_err(Unreadable::Io)?.is_file() {
        return Err(Unreadable::Wrong("it is no file".to_owned()));
    }
    let file = File::open(path).map_err(Unreadable::Io)?;
    let mut text = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut text)
        .map_err(Unreadable::Io)?;
    if text.len() as u64 > LONGEST {
        let what = format!("it is longer than {} MiB", LONGEST >> 20);
        return Err(Unreadable::Wrong(what));
    }
    Ok(text)
}

/// The part of an index that tells its version.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

impl<P: DeserializeOwned> Index<P> {
    /// Reads what a `matrix.json` holds.
    ///
    /// # Errors
    ///
    /// As for [`read`].
    pub fn parse(text: &[u8]) -> Result<Index<P>, Unreadable> {
        let Version { schema } = serde_json::from_slice(text).map_err(Unreadable::Json)?;
        if schema != SCHEMA {
            return Err(Unreadable::Schema(schema));
        }
        let index: Index<P> = serde_json::from_slice(text).map_err(Unreadable::Json)?;
        cells::check(&index).map_err(Unreadable::Wrong)?;
        if digest::of_text(text).as_ref() != Some(&index.plan_digest) {
            let what = "plan_digest is not that of its cells".to_owned();
            return Err(Unreadable::Wrong(what));
        }
        Ok(index)
    }
}
