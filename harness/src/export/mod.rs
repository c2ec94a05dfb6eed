//! The formats in which results are written. Pure: text out, no files.
//!
//! ```text
//! RunRecord ─► samples.csv
//! CountTable ─► counts.csv        (CountTable::from_csv reads it back)
//! Report ─► table.md · terminal
//! ```

mod csv;
mod grid;
mod markdown;
mod numbers;
mod sentences;
mod terminal;

pub use csv::{counts_csv, samples_csv};
pub use markdown::table_md;
pub use terminal::terminal_table;
