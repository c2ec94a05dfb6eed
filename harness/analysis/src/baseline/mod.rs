//! Baselines: counts that are kept in a repository, as text that can be reviewed. One line
//! for each reason of each phase; what is not there had no exits.
//!
//! ```text
//! Side ─► text ─► file ─► load ─► cells of a Side
//! ```

mod below;
pub(crate) mod document;
mod line;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

pub use text::text;

use crate::compare::{CellCounts, Comparison, Settings, Side, compare};
use crate::export::reason_title;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::foreign::{cell as cell_text, line};
use exitlab_base::toml::{Text, as_error};

/// Reads the cells of a baseline file.
///
/// # Errors
///
/// [`Error::Config`] with file, line, key and cure.
pub fn load(path: &Path) -> Result<Vec<CellCounts>> {
    let content = std::fs::read_to_string(path).map_err(|error| Error::Config {
        message: format!("failed to read the baseline {}: {error}", path.display()),
        cure: format!(
            "check the path, or make it: exitlab baseline save {} RUN",
            path.display()
        ),
    })?;
    if content.trim_start().starts_with('{') {
        return Err(Error::Config {
            message: format!("{}: this is JSON, and a baseline is TOML", path.display()),
            cure: "give the results directory that the file is of; `exitlab baseline save FILE \
                   RUN` makes a baseline"
                .to_owned(),
        });
    }
    let name = path.display().to_string();
    document::read(&Text::new(name, content)).map_err(|problem| as_error(vec![problem]))
}

/// Writes a new baseline.
///
/// # Errors
///
/// [`Error::Config`] if the file exists: that is what `update` is for.
pub fn save(path: &Path, side: &Side) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::Config {
            message: format!("baseline {} exists already", path.display()),
            cure: format!("change it: exitlab baseline update {} RUN", path.display()),
        });
    }
    write(path, &side.cells)
}

/// One line for each cell: what it is, and how much is kept of it.
pub fn summary(cells: &[CellCounts]) -> String {
    let told = |cell: &CellCounts| {
        let counts: usize = cell.phases.iter().map(|phase| phase.reasons.len()).sum();
        format!(
            "{}, channel {}, repeats: {}, phases: {}, counts: {counts}\n",
            cell.key,
            cell.channel,
            cell.repeats,
            line(&cell.phase_names().join(", "))
        )
    };
    cells.iter().map(told).collect()
}

/// A baseline for people: each cell with the exits of each phase, all reasons together,
/// and its three most frequent reasons.
pub fn shown(cells: &[CellCounts]) -> String {
    let mut text = String::new();
    for cell in cells {
        text += &summary(std::slice::from_ref(cell));
        for phase in &cell.phases {
            let total: f64 = phase.reasons.values().map(|series| series.mean()).sum();
            let mut reasons: Vec<_> = phase.reasons.iter().collect();
            reasons.sort_by(|one, other| other.1.mean().total_cmp(&one.1.mean()));
            let most = reasons.iter().take(3).map(|(reason, series)| {
                format!("{} {:.0}", reason_title(**reason, cell.isa), series.mean())
            });
            let most: Vec<String> = most.collect();
            let (name, most) = (cell_text(&phase.name), most.join(", "));
            text += &format!("  {name}: {total:.0} exits; {most}\n");
        }
        for name in [
            "host kernel",
            "kernel image",
            "guest image",
            "QEMU",
            "emulator",
            "CPU",
        ] {
            if let Some(value) = cell.facts.0.get(name) {
                text += &format!("  {name}: {}\n", line(value));
            }
        }
    }
    text
}

/// What an update of a baseline does.
#[derive(Debug)]
pub struct Update {
    path: PathBuf,
    cells: Vec<CellCounts>,
    /// Old against new, of the cells that both have; `None` if there are no such.
    pub comparison: Option<Comparison>,
    /// Cells that are new.
    pub added: Vec<String>,
    /// Cells that no run was given for, and that stay as they are.
    pub kept: Vec<String>,
    /// Runs that were not used, and why.
    pub left_out: Vec<String>,
    /// Whether the file's text changes.
    pub changes: bool,
}

impl Update {
    /// Lays new runs over the baseline at `path`, without writing anything yet.
    pub fn of(path: &Path, new: Side, settings: &Settings) -> Result<Update> {
        let old = Side {
            name: path.display().to_string(),
            cells: load(path)?,
            left_out: Vec::new(),
        };
        let left_out = new.left_out.iter().map(|run| run.why.clone()).collect();
        let new = named_as(&old, new)?;
        let name = |cell: &&CellCounts| cell.key.to_string();
        let (common, added): (Vec<CellCounts>, Vec<CellCounts>) = new
            .cells
            .iter()
            .cloned()
            .partition(|cell| old.cell(&cell.key).is_some());
        let kept: Vec<&CellCounts> = old
            .cells
            .iter()
            .filter(|c| new.cell(&c.key).is_none())
            .collect();
        let shared = Side {
            name: old.name.clone(),
            cells: common
                .iter()
                .filter_map(|cell| old.cell(&cell.key))
                .cloned()
                .collect(),
            left_out: Vec::new(),
        };
        let common = Side {
            name: new.name,
            cells: common,
            left_out: Vec::new(),
        };
        let comparison = match common.cells.is_empty() {
            true => None,
            false => Some(compare(&shared, &common, settings)?),
        };
        let (added_names, kept_names) = (
            added.iter().map(|c| name(&c)).collect(),
            kept.iter().map(name).collect(),
        );
        let cells: Vec<CellCounts> = common
            .cells
            .into_iter()
            .chain(added)
            .chain(kept.into_iter().cloned())
            .collect();
        let before = text(&old.cells);
        Ok(Update {
            path: path.to_owned(),
            changes: before != text(&cells),
            cells,
            comparison,
            added: added_names,
            kept: kept_names,
            left_out,
        })
    }

    /// Writes it.
    pub fn write(&self) -> Result<()> {
        write(&self.path, &self.cells)
    }
}

/// New cells under the names that the baseline has for them: a run has the values of a matrix
/// that it is no part of in its plan.
fn named_as(old: &Side, new: Side) -> Result<Side> {
    let mut named: Vec<CellCounts> = Vec::new();
    for mut cell in new.cells {
        if let Some(known) = old.counterpart(&cell)? {
            cell.key = known.key.clone();
        }
        if let Some(other) = named.iter().find(|other| other.key == cell.key) {
            return Err(Error::Config {
                message: format!(
                    "{} and {} are both {}",
                    other.sources.join(" and "),
                    cell.sources.join(" and "),
                    cell.key
                ),
                cure: "give one of them".to_owned(),
            });
        }
        named.push(cell);
    }
    Ok(Side {
        cells: named,
        ..new
    })
}

fn write(path: &Path, cells: &[CellCounts]) -> Result<()> {
    write_whole(path, text(cells).as_bytes())
}
