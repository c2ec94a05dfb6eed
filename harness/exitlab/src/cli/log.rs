//! Arguments of `log` and `diverge`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use exitlab_analysis::log::printing::Format;

const LOG_EXAMPLES: &str = "\
Examples:
  exitlab log results/today --first 100
  exitlab log results/today --reason io --place io_serial_out
  exitlab log results/today --reason 48 --phase boot --format csv >faults.csv
  exitlab log results/today --format perfetto >timeline.json

A run keeps a log with sampling.log = true; docs/results.md says how Python reads its file.
Timelines open in ui.perfetto.dev and in chrome://tracing.";

const DIVERGE_EXAMPLES: &str = "\
Examples:
  exitlab diverge results/before results/after
  exitlab diverge results/before results/after --partings 1 --context 20
  exitlab diverge RUN RUN --format json

Exits are equal if reason, place and detail are; times and values may differ. From the first
parting on, it does not matter where in the guest an interrupt of the host came. Like compare, it
ends with 0 whatever it finds.";

/// `exitlab log`
#[derive(Debug, Clone, Args)]
#[command(after_help = LOG_EXAMPLES)]
pub struct LogArgs {
    /// The results directory of a run with a log.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Only exits for this reason: a number, a mnemonic, or a part of a name; repeatable.
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    /// Only those of this vCPU; repeatable.
    #[arg(long, value_name = "N")]
    pub vcpu: Vec<u16>,
    /// Only those of this phase: boot, idle, "idle +5s"; repeatable.
    #[arg(long, value_name = "PHASE")]
    pub phase: Vec<String>,
    /// Only those from this place in the guest: a symbol, symbol+0x10, or 0xADDRESS; repeatable.
    #[arg(long, value_name = "PLACE")]
    pub place: Vec<String>,
    /// Only those whose detail has these words, such as "port 0x3f8"; repeatable.
    #[arg(long, value_name = "WORDS")]
    pub detail: Vec<String>,
    /// Pass over so many of these.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,
    /// At most so many.
    #[arg(long, value_name = "N")]
    pub first: Option<u64>,
    /// Only the last so many.
    #[arg(long, value_name = "N")]
    pub last: Option<u32>,
    /// How they are written.
    #[arg(long, value_enum, default_value_t = LogFormat::Table, value_name = "FORMAT")]
    pub format: LogFormat,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Table,
    /// A line for each exit.
    Csv,
    /// An array with an object for each exit.
    Json,
    /// Chrome's trace format, for Perfetto and chrome://tracing: a track for each vCPU.
    Perfetto,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Format {
        match format {
            LogFormat::Table => Format::Table,
            LogFormat::Csv => Format::Csv,
            LogFormat::Json => Format::Json,
            LogFormat::Perfetto => Format::Perfetto,
        }
    }
}

/// `exitlab diverge`
#[derive(Debug, Clone, Args)]
#[command(after_help = DIVERGE_EXAMPLES)]
pub struct DivergeArgs {
    /// What it was before: a results directory with a log.
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// What it is now.
    #[arg(value_name = "HEAD")]
    pub head: PathBuf,
    /// So many partings of each vCPU are told.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub partings: u16,
    /// So many exits before and in each of them.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub context: u16,
    /// So many causes that moved.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub causes: u16,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = DivergeFormat::Table, value_name = "FORMAT")]
    pub format: DivergeFormat,
}

/// How a divergence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DivergeFormat {
    /// For people.
    Table,
    /// One object.
    Json,
}
