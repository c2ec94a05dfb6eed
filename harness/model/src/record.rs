//! What a run measured: samples as they were taken, and the whole run as
//! `run.json` keeps it. Raw material only; every figure derived from it comes from
//! `exitlab-analysis`.

mod beginning;
mod commonest;
mod durations;
mod histogram;
mod outcome;
mod plan;
pub mod tracepoint;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address_map::AddressMap;
use crate::log::LogSummary;
use crate::reasons::{Isa, ReasonTable};
use crate::symbols::Told;

pub use crate::left_behind::Remainder;
pub use commonest::MOST_ENTRIES;
pub use durations::{Bucket, Durations};
pub use histogram::{Histogram, REGION, Source};
pub use outcome::Outcome;
pub use plan::RecordedPlan;
pub use tracepoint::{OwnExits, OwnSource, TraceReading, VcpuReading};

/// Version of `run.json`. A record of version 1 reads as one: it holds no cycles, no
/// totals, and its host was VMX.
pub const SCHEMA: u32 = 2;

/// How a census was read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// By CPUID leaves from inside the guest: one exit per leaf read.
    Cpuid,
    /// By QMP `query-stats` on the host: no guest instruction is executed.
    Stats,
    /// By a histogram of the host's `kvm_exit` tracepoint, while the guest stands still:
    /// a count that the census has no part in.
    Trace,
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Channel::Cpuid => "cpuid",
            Channel::Stats => "stats",
            Channel::Trace => "trace",
        })
    }
}

/// What KVM says of one exit reason (CPUID leaf 0x4FFFFFF1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonStatus {
    /// Not defined by the SDM or APM.
    Undefined,
    /// Defined, but no control in force lets it happen in this VM.
    NotEnabled,
    /// It can happen in this VM.
    Enabled,
}

/// The clocks at one sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clocks {
    /// Guest uptime (`CLOCK_BOOTTIME`) just before the first leaf was read, seconds;
    /// absent where the guest is not asked (`stats` alone).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_s: Option<f64>,
    /// Host uptime (`CLOCK_BOOTTIME`) when the sample began, seconds.
    pub host_s: f64,
    /// The guest's time-stamp counter at `guest_s`, cycles.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_tsc: Option<u64>,
    /// The host's time-stamp counter at `host_s`, cycles.
    pub host_tsc: u64,
    /// The host's time-stamp counter when the last channel had been read, cycles.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host_end_tsc: Option<u64>,
}

/// A moment of the host, by both of its clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostMoment {
    /// Host uptime (`CLOCK_BOOTTIME`), seconds.
    pub host_s: f64,
    /// The host's time-stamp counter, cycles.
    pub host_tsc: u64,
}

/// What the census says of itself (CPUID leaf 0x4FFFFFF0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discovery {
    /// Whose exit reasons are counted.
    pub isa: Isa,
    /// Version of the interface.
    pub version: u32,
    /// Which leaf answers what: 1 to 3.
    pub leaf_map: u32,
    /// Whether cycles are counted.
    pub cycles: bool,
    /// Number of defined reasons.
    pub reasons: u32,
}

/// All reasons together, by CPUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TotalReading {
    /// How many leaves of this census had been read when `count` was, itself included.
    pub nth: u64,
    /// Exits. Leaf map 1 has room for bits 31:0 only.
    pub count: u64,
    /// Cycles; absent if they are not counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles: Option<u64>,
}

/// The totals that were read around the counts of single reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// How many bits of the counts are meaningful: 32 or 64.
    pub bits: u32,
    /// Just before the first reason.
    pub before: TotalReading,
    /// Just after the last.
    pub after: TotalReading,
}

/// A census read by CPUID from inside the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CpuidReading {
    /// Counts; the index is the slot ([`ReasonTable::slot`]), undefined reasons read 0.
    pub counts: Vec<u64>,
    /// Cycles from VM exit to VM entry, by slot; absent if they are not counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles: Option<Vec<u64>>,
    /// All reasons together.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub totals: Option<Totals>,
    /// Leaves read between the two `stats` readings around this one: CPUID exits
    /// that the reading itself caused.
    pub leaves: u64,
}

/// A census read by QMP `query-stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatsReading {
    /// Counts summed over vCPUs; the index is the slot ([`ReasonTable::slot`]).
    pub counts: Vec<u64>,
    /// Cycles from VM exit to VM entry, by slot, summed over vCPUs; absent if they are
    /// not counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cycles: Option<Vec<u64>>,
    /// Exits whose reason no table defines (a slot of the histogram of its own).
    pub other: u64,
    /// VM entries that failed with an exit reason, counted under that reason, too;
    /// absent if KVM does not count them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed_entries: Option<u64>,
    /// KVM's own `exits` statistic in the same query, summed over vCPUs.
    pub exits: u64,
}

/// All counters at one moment of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Position in the schedule, from 1; phases go on counting after it.
    pub number: u32,
    /// The schedule's entry, `boot` or `+5s`, or the name of the phase.
    pub label: String,
    /// What happened since the sample before: `boot`, `idle`, or the name of a phase.
    pub phase: String,
    /// The clocks.
    pub clocks: Clocks,
    /// `trace` channel, before the others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<TraceReading>,
    /// `stats` channel, immediately before the guest was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stats_before: Option<StatsReading>,
    /// `cpuid` channel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpuid: Option<CpuidReading>,
    /// `stats` channel, immediately after the guest answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stats_after: Option<StatsReading>,
}

impl Sample {
    /// The counts that tables show: `cpuid` where it was read, else `stats`, else `trace`.
    pub fn counts(&self) -> &[u64] {
        match (&self.cpuid, &self.stats_before, &self.trace) {
            (Some(cpuid), _, _) => &cpuid.counts,
            (None, Some(stats), _) => &stats.counts,
            (None, None, Some(trace)) => &trace.counts,
            (None, None, None) => &[],
        }
    }

    /// The cycles that belong to [`counts`](Self::counts), if they were counted.
    pub fn cycles(&self) -> Option<&[u64]> {
        match (&self.cpuid, &self.stats_before) {
            (Some(cpuid), _) => cpuid.cycles.as_deref(),
            (None, Some(stats)) => stats.cycles.as_deref(),
            (None, None) => None,
        }
    }
}

/// A command of the plan's `inspect` list, run in the guest over SSH after the last sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inspection {
    /// The command line.
    pub command: String,
    /// Its exit status; of a command that a signal ended, 128 and the signal's number, as
    /// shells tell it.
    pub exit: u32,
    /// The signal that ended it; 0 for one that SSH has no name for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<u32>,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
    /// `stats` channel before the command; absent where no channel is asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<StatsReading>,
    /// `stats` channel after the command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<StatsReading>,
}

impl Inspection {
    /// How the command ended, in words: `exit status 1`, `signal 9`.
    pub fn ended(&self) -> String {
        match self.signal {
            Some(0) => "a signal without a name".to_owned(),
            Some(signal) => format!("signal {signal}"),
            None => format!("exit status {}", self.exit),
        }
    }
}

/// A parameter of KVM that the plan sets, as the host has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParameterReading {
    /// Module and name: `kvm_intel.ept`.
    pub parameter: String,
    /// The value that the plan asks for.
    pub asked: String,
    /// What `/sys/module/<module>/parameters/<name>` showed; absent for the module of the
    /// other vendor, which has no part in this host's KVM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
}

/// Where everything in a run came from. Repeatability is promised for equal provenance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// exitlab's version.
    pub exitlab: String,
    /// Commit that `scripts/run` built exitlab from, `-dirty` if changed; else empty.
    pub commit: String,
    /// Digest of the exitlab binary (BLAKE3, hex).
    pub exitlab_digest: String,
    /// Digest of the agent's binary, which runs on the host.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub agent_digest: String,
    /// Packages that the files of the host's image and of the guest's are from: name and
    /// version.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub packages: Vec<(String, String)>,
    /// `uname -r` of the host.
    pub host_kernel: String,
    /// Digest of every input of the kernel (source, overlay, hooks, fragments, compiler).
    pub kernel_key: String,
    /// The inputs one by one: name and digest or version.
    pub kernel_inputs: Vec<(String, String)>,
    /// Digest of the kernel image.
    pub kernel_digest: String,
    /// Digest of the host's root file system.
    pub host_image_digest: String,
    /// Digest of the guest's initramfs.
    pub guest_image_digest: String,
    /// Digest of each file that host and guest booted from, and of what emulated the host, as
    /// they were when the run began: what it is, and BLAKE3 in hexadecimal digits.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub booted: Vec<(String, String)>,
    /// Version of the emulator that the host ran on.
    pub emulator: String,
    /// Version of QEMU on the host.
    pub qemu: String,
    /// CPU model as the host saw it.
    pub cpu: String,
}

/// Which cell of a matrix a run was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellName {
    /// What it has of each axis, by key.
    pub values: BTreeMap<String, String>,
    /// Which of the repeats, from 1.
    pub repeat: u32,
}

/// One run, as `run.json` keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// When the run started, UTC, RFC 3339. The only field that differs between equal runs,
    /// with `finished` and directory names in `plan`.
    pub started: String,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finished: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Platform, as [`crate::plan::Plan::platform_name`] calls it.
    pub platform: String,
    /// Whose exit reasons were counted; absent until the host has said it, and in
    /// version 1, which knew VMX only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub isa: Option<Isa>,
    /// Whether the host's KVM emulates a guest whose state VMX refuses (no unrestricted
    /// guest mode): then its own count of exits contains such rounds, too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub emulates: bool,
    /// How often the host was started: more than once only where its emulator stopped it.
    #[serde(skip_serializing_if = "is_one", default = "one")]
    pub attempts: u32,
    /// When the agent started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub agent_started: Option<HostMoment>,
    /// What the census says of itself; absent if the guest was not asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub discovery: Option<Discovery>,
    /// The parameters of KVM that the plan sets, as the host has them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kvm_parameters: Vec<ParameterReading>,
    /// Which cell of a matrix it was; absent for a run by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cell: Option<CellName>,
    /// The plan as resolved.
    pub plan: RecordedPlan,
    /// Where everything came from.
    pub provenance: Provenance,
    /// Status of each reason, by slot; empty until known.
    pub statuses: Vec<ReasonStatus>,
    /// Samples in the order in which they were taken.
    pub samples: Vec<Sample>,
    /// What phases left running; each phase that left something once.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_behind: Vec<Remainder>,
    /// Output of `inspect` commands.
    pub inspections: Vec<Inspection>,
    /// What QEMU said is at the guest's ports and addresses, where details were counted or exits
    /// logged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address_map: Option<AddressMap>,
    /// What the guest told of its kernel's code, where places were counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub symbols: Option<Told>,
    /// What is in the log of single exits, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogSummary>,
}

fn one() -> u32 {
    1
}

fn is_one(attempts: &u32) -> bool {
    *attempts == 1
}

impl RunRecord {
    /// The exit reasons that were counted.
    pub fn reasons(&self) -> &'static ReasonTable {
        ReasonTable::of(self.isa.unwrap_or(Isa::Vmx))
    }

    /// The guest's number of vCPUs, from the plan.
    pub fn vcpus(&self) -> Option<u64> {
        self.plan.vcpus()
    }
}
