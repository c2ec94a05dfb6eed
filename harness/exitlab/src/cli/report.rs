//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args;

use super::PromisesArgs;

const EXAMPLES: &str = "\
Examples:
  exitlab report results/today                          one run: written with it anyway
  exitlab report results/before results/after           two sides: what differs, with verdicts
  exitlab report results/matrix --out matrix.html       every cell side by side
  exitlab report results/a results/b results/c          so are three runs and more

A page is one file that loads nothing from anywhere: open it in a browser, mail it, print it.
docs/results.md says what is in it.";

/// `exitlab report`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Results directories, matrices, directories of results; of two sides also baseline files.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// The page's file [default: report.html in the results directory; of several, here].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Which runs two sides may have.
    #[command(flatten)]
    pub promises: PromisesArgs,
}
