//! What came of each cell, in a line: for people, and as `cells.csv`.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};

use exitlab_analysis::export;
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_base::foreign;
use exitlab_config::Cell;
use exitlab_model::layout;
use exitlab_model::matrix::Index;
use exitlab_model::record::{RunRecord, Sample};

use super::index::done;

/// The file of all cells.
pub const FILE: &str = layout::CELL_TABLE;

/// All exits up to a sample, as its own table counts them.
fn exits(sample: &Sample) -> u128 {
    sample.counts().iter().map(|&n| u128::from(n)).sum()
}

/// A cell; with the attempt that it ran in, if its host was started more than once.
fn named(cell: &Cell, record: &RunRecord) -> String {
    match record.attempts {
        1 => cell.id.to_string(),
        attempts => format!("{} (attempt {attempts} of its host)", cell.id),
    }
}

/// The table of the cells that are done.
pub fn table(index: &Index, dir: &Path) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let cells: Vec<(&Cell, RunRecord)> = records(index, dir);
    let labels: Vec<String> = cells
        .first()
        .map(|(_, record)| record.samples.iter().map(|s| s.label.clone()).collect())
        .unwrap_or_default();
    let labels = labels.iter().map(|label| foreign::cell(label));
    table.set_header(std::iter::once("exits until".to_owned()).chain(labels));
    for (cell, record) in &cells {
        let counts = record
            .samples
            .iter()
            .map(|sample| exits(sample).to_string());
        table.add_row(std::iter::once(foreign::cell(&named(cell, record))).chain(counts));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// Writes what came of the cells: a line for each cell and sample, and the samples of all.
pub fn write(index: &Index, dir: &Path) -> Result<()> {
    cells(index, dir)?;
    samples(index, dir)
}

/// The samples of every cell, one after the other, as each cell has them itself. There may be
/// very many: one record is held at a time.
fn samples(index: &Index, dir: &Path) -> Result<()> {
    let path = dir.join(layout::SAMPLES);
    files::write_whole_with(&path, |file| {
        // Also of none: what reads it finds its columns.
        let header = export::tidy_csv([]);
        file.write_all(header.as_bytes())?;
        for cell in &index.cells {
            let Some(record) = done(dir, cell) else {
                continue;
            };
            let text = export::tidy_csv([&record]);
            file.write_all(&text.as_bytes()[header.len()..])?;
        }
        Ok(())
    })
}

fn cells(index: &Index, dir: &Path) -> Result<()> {
    let path = dir.join(FILE);
    let failed = |e: csv::Error| Error::Io {
        action: "write",
        path: path.clone(),
        source: e.into(),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let keys = index.axes.iter().map(|axis| axis.key.as_str());
    let head = ["cell"].into_iter().chain(keys);
    writer
        .write_record(head.chain(["repeat", "sample", "label", "phase", "exits"]))
        .map_err(failed)?;
    for (cell, record) in records(index, dir) {
        for sample in &record.samples {
            let mut row = vec![cell.id.to_string()];
            row.extend(index.axes.iter().map(|axis| cell.values[&axis.key].clone()));
            row.extend([cell.repeat.to_string(), sample.number.to_string()]);
            row.extend([sample.label.clone(), sample.phase.clone()]);
            row.push(exits(sample).to_string());
            let row: Vec<String> = row.iter().map(|field| foreign::csv(field)).collect();
            writer.write_record(&row).map_err(failed)?;
        }
    }
    let text = writer
        .into_inner()
        .map_err(|e| Error::io("write", &path)(e.into_error()))?;
    files::write_whole(&path, &text)
}

fn records<'a>(index: &'a Index, dir: &Path) -> Vec<(&'a Cell, RunRecord)> {
    let cells = index.cells.iter();
    cells
        .filter_map(|cell| Some((cell, done(dir, cell)?)))
        .collect()
}
