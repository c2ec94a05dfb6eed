//! Arguments of the commands around a matrix.

use std::path::PathBuf;

use clap::Args;

use super::shared::ExperimentArgs;
use crate::matrix::emit::Engine;

const PLAN_EXAMPLES: &str = "\
Examples:
  exitlab plan my.toml                                     every cell, as JSON
  exitlab plan my.toml --shards 8 --emit slurm > job.sh    then: OUT=results/big sbatch job.sh";

/// `exitlab plan`
#[derive(Debug, Clone, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub struct PlanArgs {
    /// Which matrix.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// In how many parts it runs.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub shards: u32,
    /// For whom it is written.
    #[arg(long, value_enum, default_value_t = Engine::Json, value_name = "ENGINE")]
    pub emit: Engine,
}

const MERGE_EXAMPLES: &str = "\
Examples:
  exitlab merge results/all results/part-1 results/part-2
  exitlab merge results/all parts/*";

/// `exitlab merge`
#[derive(Debug, Clone, Args)]
#[command(after_help = MERGE_EXAMPLES)]
pub struct MergeArgs {
    /// The results directory that is made.
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// Results directories of parts.
    #[arg(value_name = "DIR", required = true)]
    pub parts: Vec<PathBuf>,
}
