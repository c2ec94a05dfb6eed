//! Arguments of `exitlab ab`.

use std::path::PathBuf;

use clap::Args;

use super::shared::{CacheArgs, ExperimentArgs, ShownArgs};

const EXAMPLES: &str = "\
Examples:
  exitlab ab --base ~/linux-before --head ~/linux-after
  exitlab ab --repo ~/linux --base v6.12.1 --head my-branch --rules gate.toml
  exitlab ab --patch halt-polling.patch --platform tcg-svm

Both kernels are built, each experiment runs on both, and the two sides are compared. Without
--rules the exit code is 0 whether they differ or not; with them it is that of `exitlab gate`.";

/// `exitlab ab`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct AbArgs {
    /// What runs on both kernels.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The kernel as it was: what kernel.source takes, or a revision of --repo.
    #[arg(long, value_name = "SOURCE", required_unless_present = "patch")]
    pub base: Option<String>,
    /// The kernel as it is now.
    #[arg(
        long,
        value_name = "SOURCE",
        required_unless_present = "patch",
        conflicts_with = "patch"
    )]
    pub head: Option<String>,
    /// A Git repository of the kernel, of which base and head are revisions.
    #[arg(long, value_name = "DIR", requires = "base")]
    pub repo: Option<PathBuf>,
    /// The kernel as it is now: the base with this patch; repeatable.
    #[arg(long, value_name = "FILE")]
    pub patch: Vec<PathBuf>,
    /// How often each side runs [default: that of the experiment].
    #[arg(long, value_name = "N")]
    pub repeat: Option<u32>,
    /// Judge the change by these rules, against the base.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Write the verdicts as JUnit XML.
    #[arg(long, value_name = "FILE", requires = "rules")]
    pub junit: Option<PathBuf>,
    /// The results directory [default: results/<UTC time>-ab].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many cells run at the same time [default: as `exitlab run`].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// What is shown meanwhile.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}
