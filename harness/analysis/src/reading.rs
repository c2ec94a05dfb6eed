//! Reads a side of a comparison: results directories, matrix directories, directories of
//! results directories, or baseline files. Of many runs the good ones are used; the others are
//! named.

mod look;
#[cfg(test)]
mod promises;
mod runs;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::baseline;
use crate::compare::{ATTEMPTS, CellCounts, LeftOut, Side, channels_of};
use exitlab_base::error::{Error, Result};
use exitlab_model::layout::{MATRIX, RUN};
use exitlab_model::record::Channel;

pub use look::{Seen, Sight, look, look_at_each};
pub use runs::{Filter, Promises};
use runs::{Refused, Run, collection, matrix_runs, run};
pub use runs::{records, results_of};

/// Everything that one side names, before the channel is chosen.
#[derive(Debug)]
pub struct Reading {
    /// As the user named it.
    name: String,
    runs: Vec<Run>,
    /// Cells of baseline files.
    cells: Vec<CellCounts>,
    /// Runs that are no good, among others.
    left_out: Vec<LeftOut>,
}

impl Reading {
    /// Reads every path of a side.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if a path holds no results, if the only run of a path is not
    /// complete, or if the filter fits nothing.
    pub fn of(paths: &[PathBuf], filter: &Filter, promises: Promises) -> Result<Reading> {
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut reading = Reading {
            name: names.join(" "),
            runs: Vec::new(),
            cells: Vec::new(),
            left_out: Vec::new(),
        };
        for path in paths {
            reading.take(&results_of(path), promises)?;
        }
        reading.keep(filter)?;
        Ok(reading)
    }

    fn take(&mut self, path: &Path, promises: Promises) -> Result<()> {
        if path.is_file() {
            self.cells.extend(baseline::load(path)?);
        } else if path.join(MATRIX).is_file() {
            let runs = matrix_runs(path, promises)?;
            self.take_good(path, runs)?;
        } else if path.join(RUN).is_file() {
            self.runs.push(run(path, promises)?);
        } else {
            let runs = collection(path, promises)?;
            self.take_good(path, runs)?;
        }
        Ok(())
    }

    /// Takes the good ones of many runs, and names the others.
    fn take_good(&mut self, dir: &Path, runs: Vec<Result<Run, Box<Refused>>>) -> Result<()> {
        let before = self.runs.len();
        let mut why = Vec::new();
        for run in runs {
            match run {
                Ok(run) => self.runs.push(run),
                Err(refused) => {
                    let Refused { error, key } = *refused;
                    why.push(error.to_string());
                    let why = format!("not used: {error}");
                    self.left_out.push(LeftOut { why, key });
                }
            }
        }
        if self.runs.len() == before {
            return Err(Error::Config {
                message: format!("{}: no run is good:\n  {}", dir.display(), why.join("\n  ")),
                cure: "run it again".to_owned(),
            });
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
        let may_fit = |run: &LeftOut| run.key.as_ref().is_none_or(|key| fits(&key.values));
        self.left_out.retain(may_fit);
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
        let mut add = |mut cell: CellCounts| -> Result<()> {
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
        let mut left_out = self.left_out;
        for key in left_out.iter_mut().filter_map(|run| run.key.as_mut()) {
            key.values.retain(|key, _| !without.contains(key));
        }
        Ok(Side {
            name: self.name,
            cells: cells.into_values().collect(),
            left_out,
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
