//! The command line: types only, no behaviour.

#![allow(
    rustdoc::invalid_html_tags,
    rustdoc::broken_intra_doc_links,
    reason = "help texts are for a terminal"
)]

mod ab;
mod attach;
mod bisect;
mod compare;
mod conformance;
mod keep;
pub mod kernel;
mod log;
mod matrix;
mod packaging;
mod reasons;
mod report;
mod schema;
mod shared;
mod watch;

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
pub use shared::{CacheArgs, ExperimentArgs, ListFormat, ShownArgs};

use exitlab_model::matrix::Shard;

use crate::provenance::PACKAGED_FROM;

pub use ab::AbArgs;
pub use attach::AttachArgs;
pub use bisect::{BisectArgs, BisectStepArgs};
pub use compare::{
    BaselineAction, BaselineArgs, CompareArgs, GateArgs, NoiseArgs, PromisesArgs, VerdictFormat,
    VerdictsArgs,
};
pub use conformance::{ConformanceArgs, Profile, ReportFormat};
pub use keep::{CleanArgs, ExportArgs, ListArgs};
pub use log::{DivergeArgs, DivergeFormat, LogArgs};
pub use matrix::{MergeArgs, PlanArgs};
pub use packaging::{CompletionsArgs, ManualArgs};
pub use reasons::ReasonsArgs;
pub use report::ReportArgs;
pub use schema::{SchemaArgs, SchemaFile};
pub use watch::WatchArgs;

const EXAMPLES: &str = "\
Examples:
  exitlab doctor                             what is missing here, and how to install it
  exitlab run                                boot against idle, the built-in experiment
  exitlab run configs/microvm.toml           an experiment of your own
  exitlab run --set guest.machine=pc         one key changed
  exitlab attach                             which VMs run here already; count one of them
  exitlab watch results/a                    look at it, live or played back
  exitlab report results/a                   look at it as a page, in a browser
  exitlab compare results/a results/b        did this change alter the exits?
  exitlab diverge results/a results/b        at which exit, and whose?
  exitlab gate --rules gate.toml results/b   is that allowed?
  exitlab bisect --repo ~/linux --good v6.12.1 --bad v6.12.9 --rules gate.toml
                                             which commit altered them?
  exitlab conformance                        is this kernel's counting right?
  exitlab list                               the results so far
  exitlab export results/a --format json     what it counted, for other programs
  exitlab clean                              what results and cache take up, and what could go
  exitlab reasons --format csv               every VM exit that can be counted
  exitlab kernel install                     a kernel that counts, for a machine of yours

Exit codes:
  0    success
  1    a gate found a regression
  2    usage or configuration
  3    a prerequisite is missing
  4    a build failed
  5    the experiment failed
  6    undecided: a gate can say neither yes nor no
  7    a run is whole, but its checks are broken
  130  interrupted";

const RUN_EXAMPLES: &str = "\
Examples:
  exitlab run
  exitlab run my.toml --out results/today
  exitlab run --set guest.vcpus=2 --set 'sampling.schedule=[\"boot\", \"+1m\"]'
  exitlab run --progress json 2>progress.jsonl

The first run builds a kernel, which takes some minutes; later ones find it in the cache.
docs/configuration.md explains every key of an experiment.";

/// The version; in a package, with the commit that it was made from.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    match PACKAGED_FROM {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    }
});

const BUILD_EXAMPLES: &str = "\
Examples:
  exitlab build kernel                             the kernel of the built-in experiment
  exitlab build host-image --platform tcg-svm

It prints where the part lies.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  exitlab doctor                                   for the built-in experiment
  exitlab doctor my.toml --platform local          can it run on this machine as it is?";

/// Counts the VM exits of a guest, by reason, from power-on to idle.
///
/// exitlab builds a Linux host whose KVM counts every VM exit, boots it, boots a QEMU
/// guest on it, and reads the counters when the guest has booted and while it is idle.
#[derive(Debug, Parser)]
#[command(name = "exitlab", version = VERSION.as_str(), after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Log more to standard error; repeat for still more (-vv, -vvv).
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is said to who says nothing.
pub const FIRST_STEPS: &str = "\
exitlab counts the VM exits of a guest, by reason.

First:
  exitlab doctor      what is missing here, and how to install it
  exitlab run         boot against idle: a minute, and once some more to build a kernel
  exitlab list        the results so far
Of a VM that runs already:
  sudo exitlab attach

exitlab --help lists all commands, and exitlab run --help what one of them takes.
";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment and write its tables.
    Run(RunArgs),
    /// Count the exits of a VM that runs already, or list those that do.
    Attach(Box<AttachArgs>),
    /// Look at the exits of a run or of a VM, live or played back.
    Watch(WatchArgs),
    /// Run the same experiments on two kernels, and compare.
    Ab(Box<AbArgs>),
    /// Find the commit that altered the exits.
    Bisect(Box<BisectArgs>),
    /// What `git bisect run` runs; started by exitlab itself.
    #[command(hide = true)]
    BisectStep(BisectStepArgs),
    /// Write the plan of a matrix for an engine that runs its parts.
    Plan(PlanArgs),
    /// Put the parts of a matrix together.
    Merge(MergeArgs),
    /// Build one part of an experiment, without running it.
    Build(BuildArgs),
    /// Check everything that a run needs, and say how to install what is missing.
    Doctor(DoctorArgs),
    /// Show runs as a page: one, two sides, or a matrix.
    Report(ReportArgs),
    /// Compare two sides: which exits did a change alter?
    Compare(CompareArgs),
    /// Print the single exits of a run, or some of them.
    Log(Box<LogArgs>),
    /// Find the exit at which two runs part, and what moved.
    Diverge(DivergeArgs),
    /// Judge runs by rules: passed, a regression, or undecided.
    Gate(GateArgs),
    /// Keep counts as text in a repository, to judge later runs by.
    Baseline(BaselineArgs),
    /// How often verdicts on noise are wrong; for scripts/benchmark-verdicts.
    #[command(hide = true)]
    Verdicts(VerdictsArgs),
    /// Judge a kernel's exit census, rule by rule.
    Conformance(Box<ConformanceArgs>),
    /// Write what a run counted as CSV, JSON, Markdown or OpenMetrics.
    Export(ExportArgs),
    /// Print the JSON Schema of run.json or matrix.json.
    Schema(SchemaArgs),
    /// List results: when, what, what came of it, how many exits, how large.
    List(ListArgs),
    /// Show what results and the cache take up, and remove what is not used.
    Clean(CleanArgs),
    /// List the VM-exit reasons that are counted.
    Reasons(ReasonsArgs),
    /// Build a kernel, or KVM's modules, for machines that exitlab does not boot.
    #[command(subcommand)]
    Kernel(kernel::KernelCommand),
    /// Print what a shell completes exitlab's command line by.
    Completions(CompletionsArgs),
    /// Write the pages of the manual; for packages.
    #[command(hide = true)]
    Manual(ManualArgs),
}

impl Command {
    /// Where it keeps what it builds; none for a command that builds nothing.
    pub fn cache(&self) -> Option<&CacheArgs> {
        match self {
            Command::Run(args) => Some(&args.cache),
            Command::Attach(args) => Some(&args.cache),
            Command::Watch(args) => Some(&args.cache),
            Command::Ab(args) => Some(&args.cache),
            Command::Bisect(args) => Some(&args.cache),
            Command::Build(args) => Some(&args.cache),
            Command::Doctor(args) => Some(&args.cache),
            Command::Conformance(args) => Some(&args.cache),
            Command::Kernel(kernel::KernelCommand::Install(args)) => Some(&args.cache),
            Command::Kernel(kernel::KernelCommand::Modules(args)) => Some(&args.cache),
            Command::Kernel(kernel::KernelCommand::Patch(_))
            | Command::BisectStep(_)
            | Command::Plan(_)
            | Command::Merge(_)
            | Command::Report(_)
            | Command::Compare(_)
            | Command::Log(_)
            | Command::Diverge(_)
            | Command::Gate(_)
            | Command::Baseline(_)
            | Command::Verdicts(_)
            | Command::Export(_)
            | Command::Schema(_)
            | Command::List(_)
            | Command::Clean(_)
            | Command::Reasons(_)
            | Command::Completions(_)
            | Command::Manual(_) => None,
        }
    }
}

/// `exitlab run`
#[derive(Debug, Clone, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// Which experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The results directory [default: results/<UTC time>-<name>].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many cells of a matrix run at the same time [default: as many as there are cores and
    /// memory for, and one where time is real].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Run one part of a matrix: the I-th of N.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Finish what is missing in the results directory of a matrix.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "sets", "platform", "host", "out", "shard"])]
    pub resume: Option<PathBuf>,
    /// Print where the time went, and write timings.json, which trace viewers open.
    #[arg(long)]
    pub timings: bool,
    /// What is shown meanwhile.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// `exitlab build`
#[derive(Debug, Clone, Args)]
#[command(after_help = BUILD_EXAMPLES)]
pub struct BuildArgs {
    /// What to build.
    #[arg(value_enum)]
    pub part: Part,
    /// Which experiment it is for.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// A part of an experiment that can be built by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The kernel of host and guest, with the exit census.
    Kernel,
    /// What the host boots from.
    HostImage,
    /// The guest's initramfs.
    GuestImage,
}

/// `exitlab doctor`
#[derive(Debug, Clone, Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct DoctorArgs {
    /// Which experiment is to run here.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::ui::Progress;

    #[test]
    fn help() {
        let mut root = Cli::command().term_width(100);
        root.build();
        let mut text = root.render_long_help().to_string();
        let shown =
            |command: &clap::Command| !command.is_hide_set() && command.get_name() != "help";
        for command in root.get_subcommands_mut().filter(|command| shown(command)) {
            let help = command.render_help().to_string();
            text += &format!("\n=== {} ===\n{help}", command.get_name());
            let name = command.get_name().to_owned();
            for command in command
                .get_subcommands_mut()
                .filter(|command| shown(command))
            {
                let help = command.render_help().to_string();
                text += &format!("\n=== {name} {} ===\n{help}", command.get_name());
            }
        }
        insta::assert_snapshot!(text);
    }

    /// Every command that can be run by itself, with its whole name.
    fn leaves(command: &clap::Command, name: &str) -> Vec<(String, String)> {
        let shown = |c: &&clap::Command| !c.is_hide_set() && c.get_name() != "help";
        let inner: Vec<_> = command.get_subcommands().filter(shown).collect();
        if inner.is_empty() {
            let help = command.clone().render_long_help().to_string();
            return vec![(name.to_owned(), help)];
        }
        let inner = inner.into_iter();
        inner
            .flat_map(|inner| leaves(inner, &format!("{name} {}", inner.get_name())))
            .collect()
    }

    #[test]
    fn every_command_has_two_examples() {
        let mut root = Cli::command();
        root.build();
        let all = leaves(&root, "exitlab");
        assert!(all.len() > 15);
        for (name, help) in all {
            let (_, examples) = help
                .split_once("Examples:\n")
                .unwrap_or_else(|| panic!("{name}"));
            let begin = format!("  {name}");
            let number = examples
                .lines()
                .filter(|line| line.starts_with(&begin))
                .count();
            assert!(number >= 2, "{name} has {number} examples");
        }
    }

    #[test]
    fn reads_every_argument() {
        Cli::command().debug_assert();
        let arguments = "exitlab run x.toml --set a=1 --set b=c=d --progress json --console \
                         --out o --cache c -vv";
        let cli = Cli::try_parse_from(arguments.split_whitespace()).expect("good arguments");
        assert_eq!(cli.verbose, 2);
        let Some(Command::Run(run)) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.experiment.sets, ["a=1", "b=c=d"]);
        assert_eq!(
            (run.shown.progress, run.shown.console),
            (Progress::Json, true)
        );

        let usage = Cli::try_parse_from(["exitlab", "run", "--progress", "0"])
            .expect_err("no such progress");
        assert_eq!(
            usage.exit_code(),
            i32::from(exitlab_base::error::exit_code::CONFIG)
        );
    }
}
