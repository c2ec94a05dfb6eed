//! Makes, writes and reads the index of a matrix.

use std::path::Path;

use exitlab_base::error::{Error, Result};
use exitlab_config::Matrix;
use exitlab_model::layout::{MATRIX, RUN};
use exitlab_model::matrix::{Cell, Index, SCHEMA, Shard, Unreadable};
use exitlab_model::record::{Outcome, RunRecord};

/// The index of a matrix.
pub fn of(matrix: &Matrix, shard: Option<Shard>) -> Result<Index> {
    let cells = serde_json::to_vec(&matrix.cells).map_err(Error::json("write", MATRIX))?;
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

/// Writes the index of a results directory.
pub fn write(index: &Index, dir: &Path) -> Result<()> {
    let path = dir.join(MATRIX);
    let mut text = serde_json::to_vec_pretty(index).map_err(Error::json("write", &path))?;
    text.push(b'\n');
    std::fs::write(&path, text).map_err(Error::io("write", path))
}

/// Reads the index of a results directory.
pub fn read(dir: &Path) -> Result<Index> {
    let wrong = |why: String| Error::Config {
        message: format!("{} holds no matrix: {MATRIX}{why}", dir.display()),
        cure: format!("name a results directory that holds {MATRIX}"),
    };
    let text = std::fs::read(dir.join(MATRIX)).map_err(|e| wrong(format!(": {e}")))?;
    Index::parse(&text).map_err(|unreadable| match unreadable {
        Unreadable::Json(error) => wrong(format!(": {error}")),
        Unreadable::Schema(other) => wrong(format!(
            " is of version {other}, this exitlab reads {SCHEMA}"
        )),
    })
}

/// The record of a cell that ran to its good end.
pub fn done(dir: &Path, cell: &Cell) -> Option<RunRecord> {
    let text = std::fs::read_to_string(cell.dir(dir).join(RUN)).ok()?;
    let record: RunRecord = serde_json::from_str(&text).ok()?;
    (record.outcome == Outcome::Complete).then_some(record)
}
