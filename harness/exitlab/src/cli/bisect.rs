//! Arguments of `exitlab bisect`, and of what `git bisect run` runs for it.

use std::path::PathBuf;

use clap::Args;

use super::shared::{CacheArgs, ExperimentArgs, ShownArgs};

const EXAMPLES: &str = "\
Examples:
  exitlab bisect --repo ~/linux --good v6.12.1 --bad v6.12.9 --rules gate.toml
  exitlab bisect --repo ~/linux --good main~50 --bad main --rules gate.toml --platform tcg-svm

The experiment runs on the good kernel, which is the base of the rules, and on the bad one, which
must break them. Then `git bisect run` asks for one commit after the other: one that breaks the
rules is bad, one that keeps them is good; one that does not build, or of which the gate can say
neither, is skipped. The repository's work trees, and bisections in them, are left alone.

Exit code 0: the first bad commit is found; 2: there is nothing to bisect; 6: skipped commits
hide it; anything else that goes wrong ends the bisection with its own code.";

/// `exitlab bisect`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct BisectArgs {
    /// What runs on each kernel.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The Git repository of the kernel.
    #[arg(long, value_name = "DIR")]
    pub repo: PathBuf,
    /// A revision that is as it should be.
    #[arg(long, value_name = "REVISION")]
    pub good: String,
    /// A revision that is not.
    #[arg(long, value_name = "REVISION")]
    pub bad: String,
    /// What tells them apart: rules as `exitlab gate` takes them, against the good revision.
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// How often each kernel runs [default: that of the experiment].
    #[arg(long, value_name = "N")]
    pub repeat: Option<u32>,
    /// The results directory [default: results/<UTC time>-bisect].
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

/// `exitlab bisect-step`
#[derive(Debug, Clone, Args)]
pub struct BisectStepArgs {
    /// Where the exitlab that bisects listens.
    #[arg(value_name = "SOCKET")]
    pub socket: PathBuf,
}
