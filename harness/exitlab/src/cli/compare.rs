//! Arguments of `compare`, `gate` and `baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use exitlab_analysis::compare::{Percent, Settings};
use exitlab_analysis::export;
use exitlab_analysis::reading::Promises;

const COMPARE_EXAMPLES: &str = "\
Examples:
  exitlab compare results/before results/after
  exitlab compare baseline.toml results/after --format markdown
  exitlab compare RUN RUN --base-cells kvm_intel.ept=true --head-cells kvm_intel.ept=false

A side is a results directory, a matrix, a directory of repeats, or a baseline file.
The exit code is 0 whether they differ or not; `exitlab gate` judges. docs/regression.md has
the formulas.";

const GATE_EXAMPLES: &str = "\
Examples:
  exitlab gate --rules gate.toml results/today
  exitlab gate --rules gate.toml --base baseline.toml results/vmx results/svm --junit gate.xml
  exitlab gate --rules gate.toml results/today --format ktap

Exit code 0: passed; 1: a regression; 6: undecided. docs/regression.md explains every rule.";

const BASELINE_EXAMPLES: &str = "\
Examples:
  exitlab baseline save baseline.toml results/vmx results/svm
  exitlab baseline show baseline.toml
  exitlab baseline update baseline.toml results/new --dry-run";

const SAVE_EXAMPLES: &str = "\
Examples:
  exitlab baseline save baseline.toml results/today
  exitlab baseline save baseline.toml results/vmx results/svm";

const SHOW_EXAMPLES: &str = "\
Examples:
  exitlab baseline show baseline.toml
  exitlab baseline show baseline.toml | grep EPT";

const UPDATE_EXAMPLES: &str = "\
Examples:
  exitlab baseline update baseline.toml results/new --dry-run
  exitlab baseline update baseline.toml results/new";

/// What counts as a difference where counts are noisy.
#[derive(Debug, Clone, Args)]
pub struct NoiseArgs {
    /// Probability of a false alarm in a whole comparison of equal sides [default: 5%].
    #[arg(long, value_name = "PERCENT", value_parser = level)]
    pub level: Option<Percent>,
    /// Relative changes below this do not matter [default: 1%].
    #[arg(long, value_name = "PERCENT")]
    pub floor: Option<Percent>,
    /// Reasons with fewer exits than this in a phase, on average, are not tested [default: 20].
    #[arg(long, value_name = "NUMBER")]
    pub least_exits: Option<u64>,
}

/// A level that a test can have: above 0 and at most one half.
fn level(text: &str) -> Result<Percent, String> {
    let level: Percent = text.parse()?;
    match level.fraction() {
        part if part > 0.0 && part <= 0.5 => Ok(level),
        _ => Err("give more than 0% and at most 50%".to_owned()),
    }
}

impl NoiseArgs {
    /// Lays the arguments over other settings.
    pub fn over(&self, settings: Settings) -> Settings {
        Settings {
            level: self.level.map_or(settings.level, Percent::fraction),
            floor: self.floor.map_or(settings.floor, Percent::fraction),
            least_exits: self.least_exits.unwrap_or(settings.least_exits),
        }
    }
}

/// `key=value`
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE: guest.machine=q35".to_owned()),
    }
}

/// Which runs are taken.
#[derive(Debug, Clone, Copy, Args)]
pub struct PromisesArgs {
    /// Also take runs that broke promises: what they counted may be wrong, and that is named.
    #[arg(long)]
    pub broken_checks: bool,
}

impl From<PromisesArgs> for Promises {
    fn from(args: PromisesArgs) -> Promises {
        match args.broken_checks {
            true => Promises::Waived,
            false => Promises::Required,
        }
    }
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ComparisonFormat {
    /// For people.
    Table,
    /// For people, in a browser.
    Markdown,
    /// For spreadsheets: one line for each reason of each phase.
    Csv,
    /// For programs.
    Json,
}

impl From<ComparisonFormat> for export::ComparisonFormat {
    fn from(format: ComparisonFormat) -> export::ComparisonFormat {
        match format {
            ComparisonFormat::Table => export::ComparisonFormat::Table,
            ComparisonFormat::Markdown => export::ComparisonFormat::Markdown,
            ComparisonFormat::Csv => export::ComparisonFormat::Csv,
            ComparisonFormat::Json => export::ComparisonFormat::Json,
        }
    }
}

/// `exitlab compare`
#[derive(Debug, Clone, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub struct CompareArgs {
    /// What it was before.
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// What it is now.
    #[arg(value_name = "HEAD")]
    pub head: PathBuf,
    /// Only cells with this value, on both sides; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub cells: Vec<(String, String)>,
    /// Only cells with this value in the base; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub base_cells: Vec<(String, String)>,
    /// Only cells with this value in the head; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub head_cells: Vec<(String, String)>,
    /// Which runs are taken.
    #[command(flatten)]
    pub promises: PromisesArgs,
    /// What counts as a difference where counts are noisy.
    #[command(flatten)]
    pub noise: NoiseArgs,
    /// How the comparison is written.
    #[arg(long, value_enum, default_value_t = ComparisonFormat::Table, value_name = "FORMAT")]
    pub format: ComparisonFormat,
    /// Also show what is equal.
    #[arg(long)]
    pub all: bool,
}

/// `exitlab gate`
#[derive(Debug, Clone, Args)]
#[command(after_help = GATE_EXAMPLES)]
pub struct GateArgs {
    /// The rules, a TOML file.
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// The results to judge.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// What to judge against, in place of the rules' `baseline`; repeatable.
    #[arg(long, value_name = "BASE")]
    pub base: Vec<PathBuf>,
    /// Only cells with this value; repeatable.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub cells: Vec<(String, String)>,
    /// Which runs are taken.
    #[command(flatten)]
    pub promises: PromisesArgs,
    /// Only the rules that concern this platform.
    #[arg(long, value_name = "NAME")]
    pub platform: Option<String>,
    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// How the verdicts are printed.
    #[arg(long, value_enum, default_value_t = VerdictFormat::Table, value_name = "FORMAT")]
    pub format: VerdictFormat,
}

/// How verdicts are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum VerdictFormat {
    /// For people.
    Table,
    /// For kernel CI: as the kernel's own tests report.
    Ktap,
}

/// `exitlab baseline`
#[derive(Debug, Clone, Args)]
#[command(after_help = BASELINE_EXAMPLES)]
pub struct BaselineArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub action: BaselineAction,
}

/// What to do with a baseline.
#[derive(Debug, Clone, Subcommand)]
pub enum BaselineAction {
    /// Write a new baseline of runs.
    #[command(after_help = SAVE_EXAMPLES)]
    Save {
        /// The file, which must not exist.
        file: PathBuf,
        /// The results; runs of equal experiment, platform and values become repeats.
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
        /// Which runs are taken.
        #[command(flatten)]
        promises: PromisesArgs,
    },
    /// Show what a baseline holds.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Show in what runs differ from a baseline, then write them to it.
    #[command(after_help = UPDATE_EXAMPLES)]
    Update {
        /// The file.
        file: PathBuf,
        /// The results.
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
        /// Which runs are taken.
        #[command(flatten)]
        promises: PromisesArgs,
        /// Only show the difference.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `exitlab verdicts`
#[derive(Debug, Clone, Args)]
pub struct VerdictsArgs {
    /// Repeats of one cell.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Repeats on each side; repeatable.
    #[arg(long, value_name = "NUMBER", default_values_t = [8])]
    pub repeats: Vec<usize>,
    /// How often repeats are dealt to two sides.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub comparisons: usize,
    /// The increase that is planted.
    #[arg(long, value_name = "PERCENT", default_value = "5%")]
    pub plant: Percent,
    /// Plant it where there are at least so many exits on average.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub plant_least: u64,
    /// What counts as a difference.
    #[command(flatten)]
    pub noise: NoiseArgs,
}
