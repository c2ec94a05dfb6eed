//! Removes results: the files that exitlab writes, by their names, and directories that are
//! empty then. What else somebody put there stays, and so does what it lies in.

use std::ffi::OsStr;

use exitlab_base::dir::{Dir, Kind};
use exitlab_base::error::Result;
use exitlab_model::layout::{CELLS, FILES, KERNELS, PAGES, RUN, STEPS};

use super::living;
use crate::litter::{self, LOCK, MACHINE};

/// What became of results.
#[derive(Debug, PartialEq, Eq)]
pub enum Removed {
    /// They are gone.
    Gone,
    /// An exitlab works in them: they are there.
    InUse,
    /// They are gone, and these are somebody else's: paths below the results directory.
    Rest(Vec<String>),
}

/// Removes the results called `name`.
pub fn remove(place: &Dir, name: &OsStr) -> Result<Removed> {
    let Ok(dir) = place.inner(name) else {
        // It went meanwhile, or is a link now.
        return Ok(Removed::Gone);
    };
    let Some(_locks) = living::locks(&dir)? else {
        return Ok(Removed::InUse);
    };
    if litter::is_beginning(name) {
        place.remove(name)?;
        return Ok(Removed::Gone);
    }
    let mut rest = Vec::new();
    empty(&dir, "", &mut rest)?;
    if !rest.is_empty() {
        return Ok(Removed::Rest(rest));
    }
    place.remove_if_empty(name)?;
    Ok(Removed::Gone)
}

/// Removes what exitlab wrote; `below` is how the directory is called for people.
fn empty(dir: &Dir, below: &str, rest: &mut Vec<String>) -> Result<()> {
    let mut marks = Vec::new();
    for name in dir.names()? {
        let word = name.to_string_lossy().into_owned();
        let shown = format!("{below}{word}");
        let kind = dir.about(&name).map(|(kind, _)| kind);
        match (word.as_str(), kind) {
            (_, None) => {}
            (MACHINE | ".machine-new", Some(Kind::Dir)) => dir.remove(&name)?,
            (CELLS | STEPS | KERNELS, Some(Kind::Dir)) => groups(dir, &word, &shown, rest)?,
            (PAGES, Some(Kind::Dir)) => pages(dir, &shown, rest)?,
            // What marks results goes last: a removal that is broken off can be begun again.
            (name, Some(Kind::File)) if FILES.contains(&name) || name == LOCK => {
                marks.push(word);
            }
            (name, Some(Kind::File)) if name.starts_with(".writing-") => dir.remove(name)?,
            _ => rest.push(shown),
        }
    }
    marks.sort_by_key(|name| (name == LOCK, name.ends_with(".json"), name == RUN));
    marks.iter().try_for_each(|name| dir.remove(name))
}

/// Results directories in one.
fn groups(dir: &Dir, name: &str, shown: &str, rest: &mut Vec<String>) -> Result<()> {
    let group = dir.inner(name)?;
    for name in group.names()? {
        let shown = format!("{shown}/{}", name.to_string_lossy());
        match group.inner(&name) {
            Ok(inner) => {
                empty(&inner, &format!("{shown}/"), rest)?;
                group.remove_if_empty(&name)?;
            }
            Err(_) => rest.push(shown),
        }
    }
    dir.remove_if_empty(name)
}

/// A page for each kernel.
fn pages(dir: &Dir, shown: &str, rest: &mut Vec<String>) -> Result<()> {
    let pages = dir.inner(PAGES)?;
    for name in pages.names()? {
        let word = name.to_string_lossy().into_owned();
        match pages.about(&name) {
            Some((Kind::File, _)) if word.ends_with(".md") => pages.remove(&name)?,
            _ => rest.push(format!("{shown}/{word}")),
        }
    }
    dir.remove_if_empty(PAGES)
}
