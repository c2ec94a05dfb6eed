//! The order: the part of a plan that the agent carries out, as it is handed to the
//! host on a small disk of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attach::AttachOrder;
use crate::guest_files::GuestFiles;
use crate::plan::Plan;
use crate::plan::{Deadlines, GuestPlan, KvmParameter, Phase, SamplingPlan};
use crate::record::Channel;

/// Time between two of the conductor's signs of life.
pub const BEAT: Duration = Duration::from_secs(5);

/// The conductor's word on an agent's leash that asks for the good end, where that is left to it.
pub const END: &str = "end";

/// Longest task, bytes: more than any plan needs, less than the disk it comes on.
pub const LONGEST: u64 = 256 * 1024;

/// Files of the agent's host with which a guest is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFiles {
    /// QEMU: a path, or a name to be looked for on the search path.
    pub qemu: PathBuf,
    /// QEMU's firmware (`-L`); none where QEMU finds its own.
    pub firmware: Option<PathBuf>,
    /// The guest's files.
    pub guest: GuestFiles,
}

/// What the agent is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Where this host has what the guest is run with.
    pub files: HostFiles,
    /// The guest.
    pub guest: GuestPlan,
    /// When and how counters are read.
    pub sampling: SamplingPlan,
    /// Commands to run in the guest after the last sample.
    pub inspect: Vec<String>,
    /// Workloads to run in the guest after the schedule.
    pub phases: Vec<Phase>,
    /// Parameters that KVM must have here.
    pub kvm: Vec<KvmParameter>,
    /// How long each wait may take.
    pub deadlines: Deadlines,
    /// Seconds of the host's clock after which the conductor must hear from the agent; none
    /// where the usual ones do.
    pub pulse_s: Option<f64>,
}

/// So many instructions of an emulated host lie between two words of its agent: with a guest
/// that executes PAUSE and nothing else they take an emulator twenty seconds.
const PULSE_INSTRUCTIONS: f64 = 0.125e9;

impl Order {
    /// The agent's part of a plan.
    pub fn of(plan: &Plan, files: HostFiles) -> Order {
        Order {
            files,
            guest: plan.guest.clone(),
            sampling: plan.sampling.clone(),
            inspect: plan.inspect.clone(),
            phases: plan.phases.clone(),
            kvm: plan.kvm.clone(),
            deadlines: plan.deadlines.clone(),
            pulse_s: pulse_s(plan.host.instructions_per_second),
        }
    }

    /// Whether a channel is asked for.
    pub fn reads(&self, channel: Channel) -> bool {
        self.sampling.channels.contains(&channel)
    }
}

fn pulse_s(instructions_per_second: u64) -> Option<f64> {
    // None on the real clock.
    (instructions_per_second > 0).then(|| PULSE_INSTRUCTIONS / instructions_per_second as f64)
}

/// Everything that an agent can be told to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Run a guest and count its exits.
    Experiment(Box<Order>),
    /// Judge the host's exit census.
    Trial(TrialOrder),
    /// List the virtual machines that run there, or count the exits of one.
    Attach(AttachOrder),
}

impl Task {
    /// The files that a guest is run with, by their paths on the agent's host.
    pub fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Task::Experiment(order) => order.files.guest.paths_mut(),
            Task::Trial(_) | Task::Attach(_) => Vec::new(),
        }
    }

    /// Has guests run by that QEMU.
    pub fn use_qemu(&mut self, qemu: &Path) {
        if let Task::Experiment(order) = self {
            order.files.qemu = qemu.to_owned();
        }
    }

    /// The task as the content of a disk of `size` bytes, padded with zeros.
    pub fn to_disk(&self, size: u64) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.resize(bytes.len().max(size as usize), 0);
        Ok(bytes)
    }
}

/// What is to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialOrder {
    /// Which leaf map the kernel has after boot, 1 to 3.
    pub leaf_map: u8,
    /// The SDM or APM of which year says which reasons are defined; none: the one that the
    /// kernel fits best.
    pub sdm: Option<u16>,
    /// Whether the kernel is asked for totals only, by no leaf that takes a reason.
    #[serde(default)]
    pub totals_only: bool,
    /// Whether counters may be those of all VMs together.
    #[serde(default)]
    pub all_vms: bool,
    /// Whether an eighth of what is tried thousands of times is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quick: bool,
}

/// Where agents live that work for this user on this machine, below the cache.
pub fn place_in(cache: &Path) -> PathBuf {
    cache.join("agents")
}
