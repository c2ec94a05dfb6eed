//! Arguments of several commands.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use exitlab_analysis::export;

use crate::ui::Progress;

/// Which experiment.
#[derive(Debug, Clone, Args)]
pub struct ExperimentArgs {
    /// The experiment, a TOML file [default: the built-in boot-vs-idle].
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// Override one key of the experiment; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Where the host comes from; short for --set platform=NAME. `auto` chooses.
    #[arg(long, value_name = "NAME")]
    pub platform: Option<String>,
    /// The machine of platform ssh, as ssh takes it; short for --set host.address=MACHINE.
    #[arg(long, value_name = "MACHINE")]
    pub host: Option<String>,
}

/// Where built kernels and images are kept.
#[derive(Debug, Clone, Args)]
pub struct CacheArgs {
    /// Where built kernels and images are kept [default: $XDG_CACHE_HOME/exitlab].
    #[arg(long = "cache", value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What is shown while a host runs.
#[derive(Debug, Clone, Args)]
pub struct ShownArgs {
    /// How progress is shown, on standard error.
    #[arg(long, value_enum, default_value_t = Progress::Auto, value_name = "HOW")]
    pub progress: Progress,
    /// Show the consoles of host and guest as they are written.
    #[arg(long)]
    pub console: bool,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

impl From<ListFormat> for export::Format {
    fn from(format: ListFormat) -> export::Format {
        match format {
            ListFormat::Table => export::Format::Table,
            ListFormat::Csv => export::Format::Csv,
            ListFormat::Json => export::Format::Json,
        }
    }
}
