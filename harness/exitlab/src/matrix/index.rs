//! `matrix.json`: what a matrix consists of. It is written before anything runs, holds every
//! plan, and is what a run is resumed, merged and read by.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use exitlab_base::error::{Error, Result};
use exitlab_config::{Cell, Dimension, Matrix};
use exitlab_model::record::{Outcome, RunRecord};

use super::shard::Shard;

/// Version of the file.
const SCHEMA: u32 = 1;

/// Its name.
pub const FILE: &str = "matrix.json";

/// Where the cells' results directories are.
const CELLS: &str = "cells";

/// What a matrix consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// Digest of all cells with their plans (BLAKE3, hex): equal for the same work.
    pub plan_digest: String,
    /// The keys with several values.
    pub axes: Vec<Dimension>,
    /// How often each combination runs.
    pub repeat: u32,
    /// Which part of the cells runs here; none for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// All cells, also those of other shards.
    pub cells: Vec<Cell>,
}

impl Index {
    /// The index of a matrix.
    pub fn of(matrix: &Matrix, shard: Option<Shard>) -> Result<Index> {
        let cells = serde_json::to_vec(&matrix.cells).map_err(|e| Error::Io {
            action: "write",
            path: FILE.into(),
            source: e.into(),
        })?;
        let name = matrix.cells.first().map(|cell| cell.plan.name.clone());
        Ok(Index {
            schema: SCHEMA,
            experiment: name.unwrap_or_default(),
            plan_digest: blake3::hash(&cells).to_hex().to_string(),
            axes: matrix.axes.clone(),
            repeat: matrix.repeat,
            shard,
            cells: matrix.cells.clone(),
        })
    }

    /// The cells that run here, in the plan's order.
    pub fn mine(&self) -> impl Iterator<Item = &Cell> {
        let shard = self.shard;
        let cells = self.cells.iter().enumerate();
        cells
            .filter(move |(number, _)| shard.is_none_or(|shard| shard.has(*number)))
            .map(|(_, cell)| cell)
    }

    /// Writes the index of a results directory.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Error::Io {
            action: "write",
            path: path.clone(),
            source: e.into(),
        })?;
        text.push(b'\n');
        std::fs::write(&path, text).map_err(Error::io("write", path))
    }

    /// Reads the index of a results directory.
    pub fn read(dir: &Path) -> Result<Index> {
        let path = dir.join(FILE);
        let wrong = |why: String| Error::Config {
            message: format!("{} holds no matrix: {why}", dir.display()),
            cure: format!("name a results directory that holds {FILE}"),
        };
        let text = std::fs::read_to_string(&path).map_err(|e| wrong(format!("{FILE}: {e}")))?;
        let index: Index =
            serde_json::from_str(&text).map_err(|e| wrong(format!("{FILE}: {e}")))?;
        if index.schema == SCHEMA {
            Ok(index)
        } else {
            Err(wrong(format!(
                "{FILE} is of version {}, this exitlab reads {SCHEMA}",
                index.schema
            )))
        }
    }
}

/// The results directory of a cell.
pub fn cell_dir(dir: &Path, cell: &Cell) -> PathBuf {
    dir.join(CELLS).join(&cell.id)
}

/// The record of a cell that ran to its good end.
pub fn done(dir: &Path, cell: &Cell) -> Option<RunRecord> {
    let text = std::fs::read_to_string(cell_dir(dir, cell).join("run.json")).ok()?;
    let record: RunRecord = serde_json::from_str(&text).ok()?;
    (record.outcome == Outcome::Complete).then_some(record)
}
