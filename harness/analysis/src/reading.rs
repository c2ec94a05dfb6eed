//! Reads a side of a comparison: results directories, matrix directories, directories of
//! results directories, or baseline files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::baseline;
use crate::compare::{ATTEMPTS, CellCounts, Side, channels_of};
use crate::figures::{Checks, Class};
use exitlab_base::error::{Error, Result};
use exitlab_model::layout::{MATRIX, RUN};
use exitlab_model::matrix::{self, Index, Unreadable};
use exitlab_model::record::{Channel, Outcome, RunRecord, SCHEMA};

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
struct Run {
    source: String,
    record: RunRecord,
    values: Filter,
}

/// Everything that one side names, before the channel is chosen.
#[derive(Debug)]
pub struct Reading {
    /// As the user named it.
    name: String,
    runs: Vec<Run>,
    /// Cells of baseline files.
    cells: Vec<CellCounts>,
}

impl Reading {
    /// Reads every path of a side.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a path holds no results, if a run is not complete, or if the
    /// filter fits nothing.
    pub fn of(paths: &[PathBuf], filter: &Filter, promises: Promises) -> Result<Reading> {
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut reading = Reading {
            name: names.join(" "),
            runs: Vec::new(),
            cells: Vec::new(),
        };
        for path in paths {
            reading.take(path, promises)?;
        }
        reading.keep(filter)?;
        Ok(reading)
    }

    fn take(&mut self, path: &Path, promises: Promises) -> Result<()> {
        if path.is_file() {
            self.cells.extend(baseline::load(path)?);
        } else if path.join(MATRIX).is_file() {
            self.runs.extend(matrix_runs(path, promises)?);
        } else if path.join(RUN).is_file() {
            self.runs.push(run(path, promises)?);
        } else {
            self.runs.extend(collection(path, promises)?);
        }
        Ok(())
    }

    /// Keeps the cells that the filter names.
    fn keep(&mut self, filter: &Filter) -> Result<()> {
        let all = || {
            let runs = self.runs.iter().map(|run| &run.values);
            runs.chain(self.cells.iter().map(|cell| &cell.key.values))
        };
        for (key, value) in filter {
            let known: BTreeSet<&String> = all().filter_map(|values| values.get(key)).collect();
            if !known.contains(value) {
                return Err(no_such_cell(&self.name, key, value, &known, all()));
            }
        }
        let fits = |values: &Filter| {
            filter
                .iter()
                .all(|(key, value)| values.get(key) == Some(value))
        };
        self.runs.retain(|run| fits(&run.values));
        self.cells.retain(|cell| fits(&cell.key.values));
        if self.runs.is_empty() && self.cells.is_empty() {
            let wanted: Vec<String> = filter.iter().map(|(k, v)| format!("{k}={v}")).collect();
            return Err(Error::Config {
                message: format!("{}: no cell has {}", self.name, wanted.join(" and ")),
                cure: "name fewer keys with --cells".to_owned(),
            });
        }
        Ok(())
    }

    /// The channels that everything on this side has, the steadiest first.
    fn channels(&self) -> Vec<Channel> {
        let runs = self.runs.iter().map(|run| channels_of(&run.record));
        let cells = self.cells.iter().map(|cell| vec![cell.channel]);
        let mut all = runs.chain(cells);
        let first = all.next().unwrap_or_default();
        all.fold(first, |common, more| {
            common
                .into_iter()
                .filter(|channel| more.contains(channel))
                .collect()
        })
    }

    /// The steadiest channel that all sides have.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if they have none in common.
    pub fn common_channel(sides: &[&Reading]) -> Result<Channel> {
        let mut common = vec![Channel::Stats, Channel::Cpuid, Channel::Trace];
        for side in sides {
            let own = side.channels();
            common.retain(|channel| own.contains(channel));
        }
        common.first().copied().ok_or_else(|| {
            let say = |side: &&Reading| {
                let own: Vec<String> = side.channels().iter().map(Channel::to_string).collect();
                let own = if own.is_empty() {
                    "none".to_owned()
                } else {
                    own.join(" and ")
                };
                format!("{} has {own}", side.name)
            };
            let sides: Vec<String> = sides.iter().map(say).collect();
            Error::Config {
                message: format!("no channel was read everywhere: {}", sides.join("; ")),
                cure: "run again with the same sampling.channels, or save the baseline again"
                    .to_owned(),
            }
        })
    }

    /// The side's cells, with the counts of one channel. Runs of equal keys become repeats
    /// of one cell. Keys in `without` do not tell cells apart.
    pub fn side(self, channel: Channel, without: &BTreeSet<String>) -> Result<Side> {
        let mut cells: BTreeMap<_, CellCounts> = BTreeMap::new();
        let mut add = |mut cell: CellCounts| {
            cell.key.values.retain(|key, _| !without.contains(key));
            match cells.get_mut(&cell.key) {
                None => drop(cells.insert(cell.key.clone(), cell)),
                Some(first) => {
                    require_repeat(first, &cell)?;
                    first.absorb(cell);
                }
            }
            Ok(())
        };
        for Run {
            source,
            record,
            values,
        } in self.runs
        {
            let cell = CellCounts::of_record(&record, values, channel, &source);
            add(cell.map_err(|what| Error::Config {
                message: format!("{source}/{RUN}: {what}"),
                cure: "the file was changed or is damaged: run the experiment again".to_owned(),
            })?)?;
        }
        self.cells.into_iter().try_for_each(add)?;
        Ok(Side {
            name: self.name,
            cells: cells.into_values().collect(),
        })
    }
}

/// Reads one side by itself, with the steadiest channel that it has everywhere.
pub fn read_side(paths: &[PathBuf], filter: &Filter, promises: Promises) -> Result<Side> {
    let reading = Reading::of(paths, filter, promises)?;
    let channel = Reading::common_channel(&[&reading])?;
    reading.side(channel, &BTreeSet::new())
}

fn require_repeat(first: &CellCounts, next: &CellCounts) -> Result<()> {
    let what = if first.isa != next.isa {
        format!(
            "one is of {}, the other of {}",
            first.isa.name(),
            next.isa.name()
        )
    } else if let Some(conflict) = first.facts.conflict(&next.facts) {
        let say = |value: Option<String>| value.unwrap_or_else(|| "nothing".to_owned());
        let (one, other) = (say(conflict.base), say(conflict.head));
        match conflict.name.as_str() {
            ATTEMPTS => format!("one is of attempt {one} of its host, the other of {other}"),
            name => format!("their {name} differs: {one} and {other}"),
        }
    } else if first.phase_names() != next.phase_names() {
        "their phases differ".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Config {
        message: format!(
            "{} and {} are no repeats of one cell ({}): {what}",
            first.sources.first().map_or("the first", String::as_str),
            next.sources.first().map_or("the second", String::as_str),
            first.key
        ),
        cure: "compare them as two sides; on one side, give repeats, or the cells of a matrix"
            .to_owned(),
    })
}

fn run(dir: &Path, promises: Promises) -> Result<Run> {
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
    judge(&mut record);
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
    Ok(Run {
        source: dir.display().to_string(),
        values: record
            .cell
            .as_ref()
            .map_or_else(Filter::new, |cell| cell.values.clone()),
        record,
    })
}

/// A record says what held when it was written, by what was promised then. It is judged anew.
fn judge(record: &mut RunRecord) {
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

fn matrix_runs(dir: &Path, promises: Promises) -> Result<Vec<Run>> {
    let path = dir.join(MATRIX);
    let text = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let wrong = |what: String| Error::Config {
        message: format!("{}: {what}", path.display()),
        cure: "give a results directory that this version of exitlab has written".to_owned(),
    };
    let matrix: Index<IgnoredAny> = Index::parse(&text).map_err(|unreadable| match unreadable {
        Unreadable::Json(error) => wrong(error.to_string()),
        Unreadable::Schema(other) => wrong(format!("its schema {other} is not {}", matrix::SCHEMA)),
    })?;
    let absent = |cell: &&MatrixCell| !cell.dir(dir).join(RUN).is_file();
    let missing: Vec<&str> = matrix
        .cells
        .iter()
        .filter(absent)
        .map(|c| c.id.as_str())
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
    let read = |cell: &MatrixCell| {
        let mut run = run(&cell.dir(dir), promises)?;
        run.values = cell.values.clone();
        Ok(run)
    };
    matrix.cells.iter().map(read).collect()
}

/// The results directories below a directory that is none itself.
fn collection(dir: &Path, promises: Promises) -> Result<Vec<Run>> {
    let none = || Error::Config {
        message: format!("no results at {}", dir.display()),
        cure: "give a results directory (run.json or matrix.json), a directory of such, or a \
               baseline file, which `exitlab baseline save` makes"
            .to_owned(),
    };
    let entries = std::fs::read_dir(dir).map_err(|_| none())?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    found.retain(|path| path.join(RUN).is_file());
    if found.is_empty() {
        return Err(none());
    }
    found.iter().map(|path| run(path, promises)).collect()
}

fn no_such_cell<'a>(
    side: &str,
    key: &str,
    value: &str,
    known: &BTreeSet<&String>,
    all: impl Iterator<Item = &'a Filter>,
) -> Error {
    let list = |names: Vec<&str>| names.join(", ");
    let cure = if known.is_empty() {
        let keys: BTreeSet<&str> = all
            .flat_map(|values| values.keys())
            .map(String::as_str)
            .collect();
        match keys.len() {
            0 => "this is no matrix: leave the filter out".to_owned(),
            _ => format!("its cells differ in {}", list(keys.into_iter().collect())),
        }
    } else {
        let values = known.iter().map(|value| value.as_str()).collect();
        format!("{key} has the values {}", list(values))
    };
    Error::Config {
        message: format!("{side}: no cell has {key}={value}"),
        cure,
    }
}

#[cfg(test)]
mod tests;
