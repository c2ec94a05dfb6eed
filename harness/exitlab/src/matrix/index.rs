//! Makes, writes and reads the index of a matrix.

use std::path::Path;

use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_config::Matrix;
use exitlab_model::layout::{MATRIX, RUN};
use exitlab_model::matrix::{self, Cell, Index, SCHEMA, Shard};
use exitlab_model::record::{Outcome, RunRecord};

/// The index of a matrix.
pub fn of(matrix: &Matrix, shard: Option<Shard>) -> Result<Index> {
    let name = matrix.cells.first().map(|cell| cell.plan.name.clone());
    Ok(Index {
        schema: SCHEMA,
        experiment: name.unwrap_or_default(),
        plan_digest: matrix::digest(&matrix.cells).map_err(Error::json("write", MATRIX))?,
        axes: matrix.axes.clone(),
        repeat: matrix.repeat,
        shard,
        cells: matrix.cells.clone(),
    })
}

/// Writes the index of a results directory that has none.
pub fn write(index: &Index, dir: &Dir) -> Result<()> {
    let path = dir.path().join(MATRIX);
    let mut text = serde_json::to_vec_pretty(index).map_err(Error::json("write", path))?;
    text.push(b'\n');
    dir.write(MATRIX, &text, 0o644)
}

/// Reads the index of a results directory.
pub fn read(dir: &Path) -> Result<Index> {
    matrix::read_whole(dir).map_err(|unreadable| Error::Config {
        message: format!("{} holds no matrix: {unreadable}", dir.display()),
        cure: format!("name a results directory that holds a {MATRIX} as exitlab wrote it"),
    })
}

/// The record of a cell that ran to its good end.
pub fn done(dir: &Path, cell: &Cell) -> Option<RunRecord> {
    let text = std::fs::read_to_string(cell.dir(dir).join(RUN)).ok()?;
    let record: RunRecord = serde_json::from_str(&text).ok()?;
    (record.outcome == Outcome::Complete).then_some(record)
}
