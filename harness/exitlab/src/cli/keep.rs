//! Arguments of `list`, `clean` and `export`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::ListFormat;
use crate::kept;
use exitlab_analysis::export;

const LIST_EXAMPLES: &str = "\
Examples:
  exitlab list                          what lies in results/
  exitlab list /srv/runs --format json  for programs

What is damaged, or is none of exitlab's, is told as that.";

const CLEAN_EXAMPLES: &str = "\
Examples:
  exitlab clean                                       what could go, and how much that is
  exitlab clean --cache --older-than 30d --yes        what no run used for 30 days
  exitlab clean --results --keep 10 --yes             all results but the newest ten
  exitlab clean --results /srv/runs --older-than 2w   what would go there

Without --yes nothing is removed. What a run in progress uses stays, and so does what exitlab
did not make; no link is followed. The cache comes back by itself: that costs time only.
Results do not come back.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  exitlab export results/today >samples.csv                   a line for each count
  exitlab export results/matrix --format openmetrics >exits.prom

Of a matrix all cells that have run are written, one after the other. Parquet is one line of
Python away: pandas.read_csv('samples.csv').to_parquet('samples.parquet').";

/// `exitlab export`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct ExportArgs {
    /// The results directory of a run or of a matrix.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv, value_name = "FORMAT")]
    pub format: ExportFormat,
}

/// How a run is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A line for each count, with all that says what it is a count of.
    Csv,
    /// The same as one object, with reasons by number and name.
    Json,
    /// The table for people, of each cell.
    Markdown,
    /// OpenMetrics text, for Prometheus and what reads its format.
    #[value(name = "openmetrics")]
    OpenMetrics,
}

impl From<ExportFormat> for export::ExportFormat {
    fn from(format: ExportFormat) -> export::ExportFormat {
        match format {
            ExportFormat::Csv => export::ExportFormat::Csv,
            ExportFormat::Json => export::ExportFormat::Json,
            ExportFormat::Markdown => export::ExportFormat::Markdown,
            ExportFormat::OpenMetrics => export::ExportFormat::OpenMetrics,
        }
    }
}

/// `exitlab list`
#[derive(Debug, Clone, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    /// Directories of results directories, or such themselves [default: results].
    #[arg(value_name = "DIR")]
    pub dirs: Vec<PathBuf>,
    /// How the list is written.
    #[arg(long, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
}

/// `exitlab clean`
#[derive(Debug, Clone, Args)]
#[command(after_help = CLEAN_EXAMPLES)]
pub struct CleanArgs {
    /// Only results: in these directories of results directories, or these themselves
    /// [default: results].
    #[arg(long, value_name = "DIR", num_args = 0..)]
    pub results: Option<Vec<PathBuf>>,
    /// Only the cache: the one in this directory [default: $XDG_CACHE_HOME/exitlab].
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    pub cache: Option<Option<PathBuf>>,
    /// Only what was not used, or written, for so long: 30d, 12h, 2w.
    #[arg(long, value_name = "AGE", value_parser = kept::typed_age)]
    pub older_than: Option<Duration>,
    /// Keep the newest N: of the results, and of each part of the cache.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep: usize,
    /// Remove it. Say --results, --cache or both with it.
    #[arg(long)]
    pub yes: bool,
}
