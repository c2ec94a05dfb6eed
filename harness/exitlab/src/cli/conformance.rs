//! Arguments of `exitlab conformance`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared::{CacheArgs, ExperimentArgs, ShownArgs};

const EXAMPLES: &str = "\
Examples:
  exitlab conformance                                    the kernel that exitlab builds
  exitlab conformance --platform bochs-vmx --format json
  exitlab conformance --kernel student/bzImage --sdm 2021
  exitlab conformance --kernel hand-in/ --points points.toml     a whole class, graded
  exitlab conformance --kernels class.toml --out results/class
  exitlab conformance --resume results/class             what is missing, after an interruption
  exitlab conformance --format ktap >conformance.ktap    for the kernel's own tools

Exit code 0: no rule is broken; 1: at least one is; 5: a kernel could not be tried. \
docs/conformance.md explains each rule, what a kernel of one's own needs to boot, and how to \
grade many.";

/// `exitlab conformance`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConformanceArgs {
    /// Which kernel, host and platform: an experiment, of which the guest is not used.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// A bzImage to judge, instead of building a kernel; short for --set
    /// kernel.source=image:PATH. A directory of images, or several --kernel: all of them are
    /// graded, side by side.
    #[arg(long = "kernel", value_name = "PATH")]
    pub kernels: Vec<PathBuf>,
    /// A list of kernels, TOML: a [[kernel]] with path, name, set, leaf_map and sdm for each.
    #[arg(long = "kernels", value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Points for each rule that holds, TOML (per-vm = 10) or CSV (per-vm,10).
    #[arg(long, value_name = "FILE")]
    pub points: Option<PathBuf>,
    /// How many kernels are tried at the same time [default: as many as there are cores and
    /// memory for, and one where time is real].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Grade what is missing in the results directory of many kernels.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "sets", "platform", "host",
        "out", "kernels", "list", "leaf_map", "sdm", "profile", "quick"])]
    pub resume: Option<PathBuf>,
    /// Which leaf answers what when the kernel has booted [default: that of --profile].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=3))]
    pub leaf_map: Option<u8>,
    /// Which form of the assignment the kernel was made for.
    #[arg(long, value_enum, default_value_t = Profile::Census, value_name = "FORM")]
    pub profile: Profile,
    /// The manual of this year says which reasons are defined [default: whichever fits best].
    #[arg(long, value_name = "YEAR")]
    pub sdm: Option<u16>,
    /// A first look: every rule, but an eighth of what is tried thousands of times.
    #[arg(long)]
    pub quick: bool,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table, value_name = "FORMAT")]
    pub format: ReportFormat,
    /// The results directory [default: results/<UTC time>-conformance].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What is shown meanwhile.
    #[command(flatten)]
    pub shown: ShownArgs,
    /// Where built artifacts are kept.
    #[command(flatten)]
    pub cache: CacheArgs,
}

/// What a kernel is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// An exit census as exitlab's: counts by reason, each VM its own.
    Census,
    /// Totals only, the count in 0x4FFFFFFF and the cycles in 0x4FFFFFFE; all VMs may share
    /// counters.
    Totals,
    /// Leaf map 1; all VMs may share counters.
    #[value(name = "map-1")]
    Map1,
    /// Leaf map 2; all VMs may share counters.
    #[value(name = "map-2")]
    Map2,
    /// Leaf map 3; all VMs may share counters.
    #[value(name = "map-3")]
    Map3,
}

impl Profile {
    /// The leaf map of the form. That of the totals is the one that has a leaf for each.
    pub fn leaf_map(self) -> u8 {
        match self {
            Profile::Census | Profile::Map1 => 1,
            Profile::Totals | Profile::Map2 => 2,
            Profile::Map3 => 3,
        }
    }
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For spreadsheets: a line for each kernel and rule.
    Csv,
    /// For programs.
    Json,
    /// For kernel CI: as the kernel's own tests report.
    Ktap,
}
