//! What lies somewhere, to be looked at: also what failed, is missing, or is still going on.

use std::path::{Path, PathBuf};

use super::runs::{Filter, index, record, results_below, results_of};
use exitlab_base::error::{Error, Result};
use exitlab_model::layout::{MATRIX, RUN};
use exitlab_model::record::RunRecord;

/// What a path leads to.
#[derive(Debug)]
pub enum Sight {
    /// One run.
    Run {
        /// Its results directory.
        dir: PathBuf,
        /// Its record, judged anew.
        record: Box<RunRecord>,
    },
    /// A matrix, or a directory of results.
    Several {
        /// Where they are.
        dir: PathBuf,
        /// The experiment of a matrix, or the name of the directory.
        title: String,
        /// Each of them, in order.
        runs: Vec<Seen>,
    },
}

/// One of several runs. Its record is not read yet: all of them may be too much for a memory.
#[derive(Debug)]
pub struct Seen {
    /// A cell's name, or that of a directory.
    pub name: String,
    /// What a cell has of each axis.
    pub values: Filter,
    /// Its results directory.
    pub dir: PathBuf,
}

impl Seen {
    /// The record, judged anew; `None` if it was never begun.
    ///
    /// # Errors
    ///
    /// If there is one that cannot be read.
    pub fn record(&self) -> Result<Option<RunRecord>> {
        match self.dir.join(RUN).is_file() {
            true => record(&self.dir).map(Some),
            false => Ok(None),
        }
    }
}

/// Looks at a results directory, a file of one, a matrix, or a directory of results.
///
/// # Errors
///
/// [`Error::Config`] if none of them is there, or if what is there cannot be read.
pub fn look(path: &Path) -> Result<Sight> {
    let dir = results_of(path);
    if dir.join(MATRIX).is_file() {
        let index = index(&dir)?;
        let runs = index.cells.iter().map(|cell| Seen {
            name: cell.id.to_string(),
            values: cell.values.clone(),
            dir: cell.dir(&dir),
        });
        return Ok(Sight::Several {
            title: index.experiment.clone(),
            runs: runs.collect(),
            dir,
        });
    }
    if dir.join(RUN).is_file() {
        let record = Box::new(record(&dir)?);
        return Ok(Sight::Run { dir, record });
    }
    if dir.is_file() {
        return Err(Error::Config {
            message: format!("{} is no results directory", dir.display()),
            cure: "give a results directory or a matrix; a baseline is shown beside another side: \
                   exitlab report BASELINE RUN"
                .to_owned(),
        });
    }
    let mut runs = Vec::new();
    for dir in results_below(&dir)? {
        match look(&dir)? {
            Sight::Several { runs: more, .. } => runs.extend(more),
            Sight::Run { dir, .. } => runs.push(seen(dir)),
        }
    }
    Ok(Sight::Several {
        title: name(&dir),
        runs,
        dir,
    })
}

/// Some runs that were named one by one.
///
/// # Errors
///
/// As for [`look`].
pub fn look_at_each(paths: &[PathBuf]) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for path in paths {
        match look(path)? {
            Sight::Run { dir, .. } => all.push(seen(dir)),
            Sight::Several { runs, .. } => all.extend(runs),
        }
    }
    Ok(all)
}

fn seen(dir: PathBuf) -> Seen {
    Seen {
        name: name(&dir),
        values: Filter::new(),
        dir,
    }
}

fn name(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or(dir.as_os_str());
    name.to_string_lossy().into_owned()
}
