//! The formats in which results are written. Pure: text out, no files.
//!
//! ```text
//! RunRecord ─► samples.csv
//! CountTable ─► counts.csv
//! Details ─► details.csv · places.csv, where they were counted
//! Durations ─► times.csv, where they were taken
//! RunFigures ─► table.md · terminal
//! Comparison ─► terminal · Markdown · CSV · JSON
//! RunRecord… ─► exitlab export: CSV · JSON · Markdown · OpenMetrics
//! verdicts ─► KTAP
//! sentences, numbers ─► exitlab-report, which writes the same words as a page
//! ```

mod benchmark;
mod comparison;
mod csv;
mod details;
mod durations;
mod finding;
mod grid;
mod ktap;
mod laws;
mod line;
mod markdown;
mod moved;
mod numbers;
mod openmetrics;
mod reasons;
mod sentences;
mod terminal;
mod tidy;
mod time;
mod whole;

pub use benchmark::benchmark;
pub use comparison::{
    Column, ComparisonFormat, columns, comparison, difference, left_out, moved_within, verdict,
};
pub(crate) use csv::csv_text;
pub use durations::explanations as duration_explanations;
pub use durations::span_title as duration_title;
pub use finding::{finding_details, finding_line, finding_test};
pub use ktap::{Result as KtapResult, Test as KtapTest, ktap};
pub use laws::checks;
pub(crate) use markdown::aligned;
pub(crate) use moved::changed;
pub use moved::moved_lines;
pub use numbers::{counted, decimal, grouped, nanoseconds, percent, signed};
pub(crate) use reasons::reason_title;
pub use reasons::{Format, reasons};
pub use sentences::{left_behind, observations, sampling};
pub use terminal::terminal_table;
pub use time::{explanations as time_explanations, observations as time_observations};
pub use whole::{ExportFormat, export};

use crate::figures::RunFigures;
use csv::counts_csv;
use details::{details_csv, places_csv};
use durations::times_csv;
use exitlab_model::layout;
use exitlab_model::record::RunRecord;
use markdown::table_md;
pub use tidy::tidy_csv;

/// Every file of tables that a run is written to: its name and its content.
pub fn tables(record: &RunRecord) -> Vec<(&'static str, String)> {
    let reasons = record.reasons();
    let figures = RunFigures::of_record(record, reasons);
    let mut tables = vec![
        (layout::SAMPLES, tidy_csv([record])),
        (layout::COUNTS, counts_csv(&figures.table)),
        (layout::TABLE, table_md(&figures)),
    ];
    if let Some(found) = &figures.details {
        let details = details_csv(found, record);
        tables.extend(details.map(|text| (layout::DETAILS, text)));
        let places = places_csv(found, record);
        tables.extend(places.map(|text| (layout::PLACES, text)));
    }
    let durations = figures.durations.as_ref();
    let times = durations.and_then(|found| times_csv(found, record, reasons));
    tables.extend(times.map(|text| (layout::TIMES, text)));
    tables
}
