//! Parts of a matrix that ran apart, put together. Only parts of the same work made from the
//! same artifacts belong together, and each cell comes once.

use std::path::{Path, PathBuf};

use crate::results::Results;
use exitlab_base::error::{Error, Result};
use exitlab_config::Cell;
use exitlab_model::matrix::Index;
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
/// cells it has.
pub fn merge(out: &Path, dirs: &[PathBuf]) -> Result<usize> {
    Results::require_absent(out)?;
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
    for part in &parts {
        if part.index.plan_digest != whole.plan_digest {
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
    require_same_artifacts(&cells)?;
    write(out, &whole, &cells)?;
    Ok(cells.len())
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

/// Cells of one plan must come from the same kernel, images and binary, whoever built them.
fn require_same_artifacts(cells: &[(&Cell, &Path, RunRecord)]) -> Result<()> {
    let artifacts = |record: &RunRecord| {
        let origin = &record.provenance;
        [
            ("exitlab binary", origin.exitlab_digest.clone()),
            ("kernel", origin.kernel_digest.clone()),
            ("host image", origin.host_image_digest.clone()),
            ("guest image", origin.guest_image_digest.clone()),
            ("emulator", origin.emulator.clone()),
            ("booted files", format!("{:?}", origin.booted)),
        ]
    };
    for (number, (cell, dir, record)) in cells.iter().enumerate() {
        let alike = |(other, _, _): &&(&Cell, &Path, RunRecord)| other.values == cell.values;
        let Some((other, other_dir, other_record)) = cells[..number].iter().find(alike) else {
            continue;
        };
        let pairs = artifacts(record).into_iter().zip(artifacts(other_record));
        for ((what, one), (_, two)) in pairs {
            if one != two {
                let what = format!(
                    "{} in {} and {} in {} were made with different artifacts: {what}",
                    other.id,
                    other_dir.display(),
                    cell.id,
                    dir.display()
                );
                return Err(refused(what, "build once, and run all parts from that"));
            }
        }
    }
    Ok(())
}

fn write(out: &Path, whole: &Index, cells: &[(&Cell, &Path, RunRecord)]) -> Result<()> {
    let new = StagedDir::of(out, whole)?;
    for (cell, dir, _) in cells {
        copy(&cell.dir(dir), &cell.dir(new.path()))?;
    }
    summary::write(whole, new.path())?;
    new.finish().map(drop)
}

/// Copies a results directory.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_file() {
            std::fs::copy(&path, &target).map_err(Error::io("copy", path))?;
        }
    }
    Ok(())
}

fn refused(message: String, cure: &str) -> Error {
    Error::Config {
        message,
        cure: cure.to_owned(),
    }
}
