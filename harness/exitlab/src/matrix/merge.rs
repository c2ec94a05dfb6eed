//! Parts of a matrix that ran apart, put together. Only parts of the same work made from the
//! same artifacts belong together, and each cell comes once.

use std::path::{Path, PathBuf};

use crate::out_dir::OutDir;
use crate::pages;
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_config::Cell;
use exitlab_model::build::{Made, require_one};
use exitlab_model::layout::{CELLS, MATRIX};
use exitlab_model::matrix::{self, Index};
use exitlab_model::record::RunRecord;

use super::index::{self, done};
use super::staged::StagedDir;
use super::summary;

/// A part: its directory, index and the cells that are done in it.
struct Part<'a> {
    dir: &'a Path,
    index: Index,
}

/// Merges the parts in `dirs` into a new directory, which appears whole. Returns how many
/// cells it has, and the directory.
pub fn merge(out: &OutDir, dirs: &[PathBuf]) -> Result<(usize, PathBuf)> {
    out.prepare()?;
    let mut parts = Vec::new();
    for dir in dirs {
        let index = index::read(dir)?;
        parts.push(Part { dir, index });
    }
    let Some(first) = parts.first() else {
        return Err(refused(
            "no parts to merge".to_owned(),
            "name their directories",
        ));
    };
    let mut whole = first.index.clone();
    whole.shard = None;
    // Of the plans as this program writes them.
    whole.plan_digest = matrix::digest(&whole.cells).map_err(Error::json("write", MATRIX))?;
    for part in &parts {
        if part.index.plan_digest != first.index.plan_digest {
            let what = format!(
                "{} and {} are parts of different plans",
                first.dir.display(),
                part.dir.display()
            );
            return Err(refused(
                what,
                "merge parts of one configuration, run by one exitlab",
            ));
        }
    }
    let cells = gather(&whole, &parts)?;
    require_one_build(&cells)?;
    Ok((cells.len(), write(out, &whole, &cells)?))
}

/// Where each cell is done.
fn gather<'a>(
    whole: &'a Index,
    parts: &[Part<'a>],
) -> Result<Vec<(&'a Cell, &'a Path, RunRecord)>> {
    let (mut cells, mut missing) = (Vec::new(), Vec::new());
    for cell in &whole.cells {
        let mut found = parts
            .iter()
            .filter_map(|part| Some((part.dir, done(part.dir, cell)?)));
        let Some((dir, record)) = found.next() else {
            missing.push(cell.id.as_str());
            continue;
        };
        if let Some((other, _)) = found.next() {
            let what = format!(
                "cell {} is in {} and in {}",
                cell.id,
                dir.display(),
                other.display()
            );
            return Err(refused(what, "name each part once"));
        }
        cells.push((cell, dir, record));
    }
    if missing.is_empty() {
        return Ok(cells);
    }
    let what = format!(
        "{} of {} cells are in no part: {}",
        missing.len(),
        whole.cells.len(),
        missing.join(" ")
    );
    Err(refused(
        what,
        "finish the parts with exitlab run --resume DIR, and name all of them",
    ))
}

/// Cells of one matrix come from one build, whoever ran them.
fn require_one_build(cells: &[(&Cell, &Path, RunRecord)]) -> Result<()> {
    let name =
        |(cell, dir, _): &(&Cell, &Path, RunRecord)| format!("{} in {}", cell.id, dir.display());
    let names: Vec<String> = cells.iter().map(name).collect();
    let made = cells
        .iter()
        .zip(&names)
        .map(|((cell, _, record), name)| Made {
            name,
            values: &cell.values,
            from: &record.provenance,
        });
    require_one(made)
        .map_err(|two| refused(two.to_string(), "build once, and run all parts from that"))
}

fn write(out: &OutDir, whole: &Index, cells: &[(&Cell, &Path, RunRecord)]) -> Result<PathBuf> {
    let new = StagedDir::of(out, whole)?;
    let all = new.dir().make(CELLS)?;
    for (cell, dir, _) in cells {
        let from = Dir::open(dir)?.inner(CELLS)?.inner(&cell.id)?;
        copy(&from, &all.make(&cell.id)?)?;
    }
    summary::write(whole, new.dir().path())?;
    pages::of_matrix(new.dir().path())?;
    Ok(new.finish()?.0)
}

/// Copies the files of a results directory into a new one. A link in a part is none of
/// exitlab's, and what it leads to is no result.
fn copy(from: &Dir, to: &Dir) -> Result<()> {
    let names = from.names()?.into_iter();
    for name in names.filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
        let Some(mut file) = from.read(&name)? else {
            continue;
        };
        let path = to.path().join(&name);
        let mut copy = to.create(&name, 0o644)?;
        std::io::copy(&mut file, &mut copy).map_err(Error::io("write", path))?;
    }
    Ok(())
}

fn refused(message: String, cure: &str) -> Error {
    Error::Config {
        message,
        cure: cure.to_owned(),
    }
}

#[cfg(test)]
mod tests;
