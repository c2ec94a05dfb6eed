//! A matrix that is gone on with: its cells must come from one build, and what is done in it
//! is held against this program and what it has built, before anything is run.

use std::collections::BTreeMap;
use std::path::Path;

use exitlab_base::error::{Error, Result};
use exitlab_config::Cell;
use exitlab_model::build::{Made, require_one};
use exitlab_model::matrix::Index;
use exitlab_model::record::{Provenance, RunRecord};

use super::index::done;
use crate::build::Artifacts;
use crate::provenance;

/// How a message calls what would be run now.
const NOW: &str = "what would be run now";

/// Fails if the cells that are done come from two builds, or, unless all of them are, if
/// another program has run them.
pub fn of_this_program(index: &Index, dir: &Path, all: bool) -> Result<()> {
    if all {
        return check(index, dir, &[]);
    }
    let this = provenance::of_this_program()?;
    let none = BTreeMap::new();
    let now = Made {
        name: NOW,
        values: &none,
        from: &this,
    };
    check(index, dir, &[now])
}

/// Fails if repeats that are done were run with other kernels or images than these.
pub fn of_these_artifacts(index: &Index, dir: &Path, built: &[(&Cell, Artifacts)]) -> Result<()> {
    let collect = |(cell, artifacts): &(&Cell, Artifacts)| {
        let from = provenance::collect(&cell.plan, artifacts)?;
        Ok((cell.values.clone(), from))
    };
    let built: Vec<(_, Provenance)> = built.iter().map(collect).collect::<Result<_>>()?;
    let made = built.iter().map(|(values, from)| Made {
        name: NOW,
        values,
        from,
    });
    check(index, dir, &made.collect::<Vec<_>>())
}

/// Holds cells that are done, and what would be run now, to the one rule.
fn check(index: &Index, dir: &Path, now: &[Made<'_>]) -> Result<()> {
    let cells = index.cells.iter();
    let done: Vec<(&Cell, RunRecord)> = cells
        .filter_map(|cell| Some((cell, done(dir, cell)?)))
        .collect();
    if done.is_empty() {
        return Ok(());
    }
    let made = done.iter().map(|(cell, record)| Made {
        name: cell.id.as_str(),
        values: &cell.values,
        from: &record.provenance,
    });
    require_one(made.chain(now.iter().copied())).map_err(|two| {
        let commit = done
            .first()
            .map(|(_, record)| record.provenance.commit.as_str());
        let commit = commit.filter(|commit| !commit.is_empty());
        let commit = commit.map_or_else(String::new, |commit| format!(" (commit {commit})"));
        Error::Config {
            message: format!("{}: cells of two builds: {two}", dir.display()),
            cure: format!(
                "finish it with the exitlab that began it{commit} and what that had built, or \
                 run the whole matrix again with --out"
            ),
        }
    })
}
