//! The hooks, by which KVM calls the census: one table (`kernel/hooks/census.toml`) for all
//! kernel series. A hook goes to a place that has a meaning in the code, not to lines that
//! look as they did.
//!
//! Pure but for what `pristine` does: untouched texts in, changed texts out.

mod edit;
#[cfg(test)]
pub(crate) mod fixture;
mod makefile;
mod pattern;
mod place;
mod tokens;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::edit::Edit;
use self::place::{Anchor, Place};
use super::assets;
use super::patch::Files;
use super::source::Series;
use crate::stage;
use exitlab_base::error::{Error, Result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    hook: Vec<Hook>,
}

/// Some lines of KVM's that call the census.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    name: String,
    file: PathBuf,
    /// What would be missing without it.
    why: String,
    text: String,
    /// Whether a tree without the file needs none.
    #[serde(default)]
    optional: bool,
    /// The first that the tree has counts.
    at: Vec<Place>,
}

/// A hook for which the tree has no place.
struct Misfit {
    hook: String,
    why: String,
    /// A file and what is wrong with it, for each place that was tried.
    reasons: Vec<String>,
    /// Whether the tree has the hook already.
    hooked: bool,
}

/// What the hooked files of a tree of `series` hold after the hooks. `pristine` gives a file
/// of the untouched tree. Fails with the name of every hook that finds no place, and what
/// was looked for.
pub fn apply(series: Series, pristine: impl Fn(&Path) -> Result<Option<Vec<u8>>>) -> Result<Files> {
    let (table, source) = table()?;
    let mut texts: BTreeMap<PathBuf, Option<Vec<u8>>> = BTreeMap::new();
    let mut edits: BTreeMap<PathBuf, Vec<Edit>> = BTreeMap::new();
    let mut misfits = Vec::new();
    for hook in &table {
        for file in hook.files() {
            if !texts.contains_key(file) {
                texts.insert(file.to_owned(), pristine(file)?);
            }
        }
        match hook.place(&texts) {
            Ok(Some((file, more))) => edits.entry(file.to_owned()).or_default().extend(more),
            Ok(None) => {}
            Err(misfit) => misfits.push(misfit),
        }
    }
    if !misfits.is_empty() {
        return Err(no_place(series, source, &misfits));
    }
    let hooked = |(path, edits): (PathBuf, Vec<Edit>)| {
        let text = texts.get(&path).and_then(Option::as_deref).unwrap_or(&[]);
        let text = edit::apply(text, edits);
        (path, Some(text))
    };
    Ok(edits.into_iter().map(hooked).collect())
}

/// The table, and the name of its file.
fn table() -> Result<(Vec<Hook>, &'static str)> {
    let (name, text) = assets::HOOKS[0];
    let table: Table = toml::from_str(text).map_err(|error| Error::Build {
        stage: stage::named(stage::HOOKS),
        message: format!("kernel/hooks/{name}: {error}"),
        tail: Vec::new(),
        cure: format!("mend kernel/hooks/{name}, and build exitlab again"),
    })?;
    Ok((table.hook, name))
}

impl Hook {
    fn file<'a>(&'a self, place: &'a Place) -> &'a Path {
        place.file.as_deref().unwrap_or(&self.file)
    }

    fn files(&self) -> impl Iterator<Item = &Path> {
        self.at.iter().map(|place| self.file(place))
    }

    /// The first place that there is: a file, and what to write into it; none if none is
    /// needed.
    fn place(
        &self,
        texts: &BTreeMap<PathBuf, Option<Vec<u8>>>,
    ) -> Result<Option<(&Path, Vec<Edit>)>, Misfit> {
        let text_of = |file: &Path| texts.get(file).and_then(Option::as_deref);
        if self.optional && self.files().all(|file| text_of(file).is_none()) {
            return Ok(None);
        }
        let mut reasons = Vec::new();
        let mut hooked = false;
        for place in &self.at {
            let file = self.file(place);
            let reason = match (text_of(file), place.anchor()) {
                (None, _) => "no such file in the tree".to_owned(),
                (_, None) => "kernel/hooks/ names no place".to_owned(),
                (Some(text), Some(anchor)) => match self.edits(&anchor, text) {
                    Ok(edits) => return Ok(Some((file, edits))),
                    Err(None) => {
                        hooked = true;
                        "has this hook already".to_owned()
                    }
                    Err(Some(reason)) => reason,
                },
            };
            reasons.push(format!("{}: {reason}", file.display()));
            if hooked {
                break;
            }
        }
        Err(Misfit {
            hook: self.name.clone(),
            why: self.why.replace('\n', " "),
            reasons,
            hooked,
        })
    }

    /// What to write, or why not: nothing if the hook is there already.
    fn edits(&self, anchor: &Anchor, text: &[u8]) -> Result<Vec<Edit>, Option<String>> {
        if anchor.is_hooked(text, &self.text) {
            return Err(None);
        }
        let edits = anchor.edits(text, &self.text);
        edits.map_err(|missing| Some(missing.to_string()))
    }
}

fn no_place(series: Series, source: &str, misfits: &[Misfit]) -> Error {
    let mut message = format!("kernel/hooks/{source} does not fit this {series} tree:");
    for misfit in misfits {
        let _ = write!(message, "\n  {} ({})", misfit.hook, misfit.why);
        for reason in &misfit.reasons {
            let _ = write!(message, "\n    {reason}");
        }
    }
    let cure = if misfits.iter().all(|misfit| misfit.hooked) {
        "this tree carries the census already: set kernel.census to false, or choose an \
         untouched source"
            .to_owned()
    } else {
        format!(
            "find in your tree what these hooks look for, add its place to their `at` in \
             kernel/hooks/{source} and build exitlab again; or choose another source; or set \
             kernel.census to false and sampling.channels to [\"trace\"], which needs no hooks \
             (docs/kernel-build.md)"
        )
    };
    Error::Build {
        stage: stage::named(stage::HOOKS),
        message,
        tail: Vec::new(),
        cure,
    }
}

#[cfg(test)]
mod tests;
