//! Runs in the files of results directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::compare::CellKey;
use crate::figures::{Checks, Class};
use exitlab_base::error::{Error, Result};
use exitlab_model::build;
use exitlab_model::layout::{self, MATRIX, RUN};
use exitlab_model::matrix::{self, Index};
use exitlab_model::record::{Outcome, RunRecord, SCHEMA};

/// Which cells of a matrix: each key must have this value.
pub type Filter = BTreeMap<String, String>;

/// Whether a run may break promises (`docs/results.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promises {
    /// It must keep them all, as it is judged now.
    Required,
    /// Its counts are taken all the same; that they broke promises is named.
    Waived,
}

/// A cell whose plan is left unread.
type MatrixCell = matrix::Cell<IgnoredAny>;

/// One run, as it was read.
#[derive(Debug)]
pub(super) struct Run {
    pub source: String,
    pub record: RunRecord,
    pub values: Filter,
}

/// Why a run cannot be used, and which cell it is of, if that is known.
pub(super) struct Refused {
    pub error: Error,
    pub key: Option<CellKey>,
}

impl From<Box<Refused>> for Error {
    fn from(refused: Box<Refused>) -> Error {
        refused.error
    }
}

/// The results that a path leads to: a file of theirs stands for all of them.
pub fn results_of(path: &Path) -> PathBuf {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    let is_one = path.is_file() && name.is_some_and(|name| layout::FILES.contains(&name));
    let dir = match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => return path.to_owned(),
    };
    let holds = |name| dir.join(name).is_file();
    match is_one
        && [RUN, MATRIX, layout::ROSTER, layout::CONFORMANCE]
            .into_iter()
            .any(holds)
    {
        true => dir.to_owned(),
        false => path.to_owned(),
    }
}

pub(super) fn run(dir: &Path, promises: Promises) -> Result<Run, Box<Refused>> {
    let record = record(dir).map_err(|error| Box::new(Refused { error, key: None }))?;
    let values = record.cell.as_ref();
    let values = values.map_or_else(Filter::new, |cell| cell.values.clone());
    match require_good(dir, &record, promises) {
        Ok(()) => Ok(Run {
            source: dir.display().to_string(),
            values,
            record,
        }),
        Err(error) => Err(Box::new(Refused {
            error,
            key: Some(CellKey {
                platform: record.platform,
                experiment: record.experiment,
                values,
            }),
        })),
    }
}

/// The records of a run, or of the cells of a matrix that have run, however they ended.
///
/// # Errors
///
/// [`Error::Config`] if there is none, or one cannot be read.
pub fn records(path: &Path) -> Result<Vec<RunRecord>> {
    let path = results_of(path);
    if !path.join(MATRIX).is_file() {
        return match path.join(RUN).is_file() {
            true => Ok(vec![record(&path)?]),
            false => Err(Error::Config {
                message: format!("no run and no matrix at {}", path.display()),
                cure: "give a results directory; exitlab list shows those in results/".to_owned(),
            }),
        };
    }
    let matrix = index(&path)?;
    let dirs = matrix.cells.iter().map(|cell| cell.dir(&path));
    let there = dirs.filter(|dir| dir.join(RUN).is_file());
    let records = there.map(|dir| record(&dir)).collect::<Result<Vec<_>>>()?;
    match records.is_empty() {
        false => Ok(records),
        true => Err(Error::Config {
            message: format!("{}: none of its cells has run", path.display()),
            cure: format!("run them: exitlab run --resume {}", path.display()),
        }),
    }
}

/// The record of a results directory, judged anew.
pub(super) fn record(dir: &Path) -> Result<RunRecord> {
    let path = dir.join(RUN);
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let wrong = |what: String| Error::Config {
        message: format!("{}: {what}", path.display()),
        cure: "give a results directory that this version of exitlab has written".to_owned(),
    };
    let mut record: RunRecord = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    if record.schema > SCHEMA {
        let schema = record.schema;
        return Err(wrong(format!("its schema {schema} is newer than {SCHEMA}")));
    }
    judge(&mut record);
    Ok(record)
}

/// Whether a run is the whole of what was planned.
fn require_good(dir: &Path, record: &RunRecord, promises: Promises) -> Result<()> {
    let ended = match &record.outcome {
        Outcome::Complete | Outcome::ChecksFailed { .. } if record.samples.is_empty() => {
            "it holds no samples"
        }
        Outcome::Complete | Outcome::ChecksFailed { .. } => "",
        Outcome::Unfinished => "the run is not finished",
        Outcome::Failed { .. } => "the run failed",
        Outcome::BrokenStream { .. } => "its events were not those of its agent",
        Outcome::Interrupted => "the run was interrupted",
    };
    if !ended.is_empty() {
        return Err(Error::Config {
            message: format!(
                "{}: {ended}: what it counted is not the whole",
                dir.display()
            ),
            cure: "run it again, or leave it out".to_owned(),
        });
    }
    if let (Outcome::ChecksFailed { broken }, Promises::Required) = (&record.outcome, promises) {
        return Err(Error::Config {
            message: format!(
                "{}: the run is not complete: {}",
                dir.display(),
                broken.join("; ")
            ),
            cure: "see the checks in its table.md; --broken-checks takes it all the same"
                .to_owned(),
        });
    }
    Ok(())
}

/// A record says what held when it was written, by what was promised then. It is judged anew.
fn judge(record: &mut RunRecord) {
    let whole = matches!(
        record.outcome,
        Outcome::Complete | Outcome::ChecksFailed { .. }
    );
    if !whole || record.samples.is_empty() {
        return;
    }
    let laws = Checks::of(record, record.reasons()).broken(Class::Promise);
    let mut broken: Vec<String> = laws.iter().map(ToString::to_string).collect();
    if let Outcome::ChecksFailed { broken: before } = &record.outcome {
        let more = before.iter().filter(|law| !broken.contains(law));
        let more: Vec<String> = more.cloned().collect();
        broken.extend(more);
    }
    if !broken.is_empty() {
        record.outcome = Outcome::ChecksFailed { broken };
    }
}

/// The cells of a matrix, whose plans are left unread.
pub(super) fn index(dir: &Path) -> Result<Index<IgnoredAny>> {
    matrix::read(dir).map_err(|unreadable| Error::Config {
        message: format!("{}/{unreadable}", dir.display()),
        cure: "give a results directory that this version of exitlab has written".to_owned(),
    })
}

pub(super) fn matrix_runs(
    dir: &Path,
    promises: Promises,
) -> Result<Vec<Result<Run, Box<Refused>>>> {
    let matrix = index(dir)?;
    let absent = |cell: &&MatrixCell| !cell.dir(dir).join(RUN).is_file();
    let missing: Vec<&str> = matrix
        .cells
        .iter()
        .filter(absent)
        .map(|cell| cell.id.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(Error::Config {
            message: format!(
                "{}: {} of {} cells are missing: {}",
                dir.display(),
                missing.len(),
                matrix.cells.len(),
                missing.join(", ")
            ),
            cure: match matrix.shard {
                Some(_) => "merge all parts first: exitlab merge".to_owned(),
                None => format!("finish the run: exitlab run --resume {}", dir.display()),
            },
        });
    }
    let read = |cell: &MatrixCell| match run(&cell.dir(dir), promises) {
        Ok(run) => Ok(Run {
            values: cell.values.clone(),
            ..run
        }),
        Err(mut refused) => {
            if let Some(key) = &mut refused.key {
                key.values = cell.values.clone();
            }
            Err(refused)
        }
    };
    let runs: Vec<Result<Run, Box<Refused>>> = matrix.cells.iter().map(read).collect();
    require_one_build(dir, &matrix.cells, &runs)?;
    Ok(runs)
}

/// Cells of one matrix come from one build, or they are no answer to one question.
fn require_one_build(
    dir: &Path,
    cells: &[MatrixCell],
    runs: &[Result<Run, Box<Refused>>],
) -> Result<()> {
    let good = cells.iter().zip(runs);
    let made = good.filter_map(|(cell, run)| {
        run.as_ref().ok().map(|run| build::Made {
            name: cell.id.as_str(),
            values: &cell.values,
            from: &run.record.provenance,
        })
    });
    build::require_one(made).map_err(|two| Error::Config {
        message: format!("{}: {two}", dir.display()),
        cure: "run the matrix again with one exitlab; what two builds count is compared as two \
               sides, by the directories of their cells"
            .to_owned(),
    })
}

/// The results directories below a directory that is none itself, matrices too; at least one.
pub(super) fn results_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let none = || Error::Config {
        message: format!("no results at {}", dir.display()),
        cure: "give a results directory (run.json or matrix.json), a directory of such, or a \
               baseline file, which `exitlab baseline save` makes"
            .to_owned(),
    };
    let entries = std::fs::read_dir(dir).map_err(|_| none())?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    found.retain(|path| path.join(RUN).is_file() || path.join(MATRIX).is_file());
    if found.is_empty() {
        return Err(none());
    }
    Ok(found)
}

/// The runs of the results directories below a directory.
pub(super) fn collection(dir: &Path, promises: Promises) -> Result<Vec<Result<Run, Box<Refused>>>> {
    let mut runs = Vec::new();
    for path in &results_below(dir)? {
        match path.join(MATRIX).is_file() {
            true => runs.extend(matrix_runs(path, promises)?),
            false => runs.push(run(path, promises)),
        }
    }
    Ok(runs)
}
