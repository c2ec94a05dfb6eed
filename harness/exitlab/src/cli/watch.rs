//! `exitlab watch`

use std::path::PathBuf;

use clap::Args;

use super::CacheArgs;
use super::attach::seconds;

const EXAMPLES: &str = "\
Examples:
  exitlab watch results/today                a run in progress, or a recorded one played back
  exitlab watch web                          a VM that runs here, by its name or process
  exitlab watch web --host root@machine      on another machine
  exitlab watch web --once                   one interval as text, for scripts
  exitlab watch web --plain --every 10s      one after the other

Keys: q quit, space pause, arrows samples and rows, s order, / filter, a reasons without exits,
b compare with the interval that is shown, v one vCPU alone. A VM is counted as by `exitlab
attach`, as root where it runs; it is not asked, stopped or told. docs/watch.md has more.";

/// `exitlab watch`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// A results directory, or a VM's process or name.
    #[arg(value_name = "RUN|PID|NAME")]
    pub target: String,
    /// Print each sample as text, and no screen.
    #[arg(long)]
    pub plain: bool,
    /// Print one interval as text.
    #[arg(long, conflicts_with = "plain")]
    pub once: bool,
    /// Time between samples of a VM: 500ms, 5s, 1m [default: 1s].
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub every: Option<f64>,
    /// One vCPU alone, from 0, by their threads [default: all].
    #[arg(long, value_name = "NUMBER")]
    pub vcpu: Option<usize>,
    /// The machine on which the VM runs, as ssh takes it [default: this one].
    #[arg(long, value_name = "MACHINE")]
    pub host: Option<String>,
    /// A configuration for ssh in place of your own.
    #[arg(long, value_name = "FILE", requires = "host")]
    pub ssh_config: Option<PathBuf>,
    /// Where agents work.
    #[command(flatten)]
    pub cache: CacheArgs,
}
