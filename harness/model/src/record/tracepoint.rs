//! What the channel `trace` reads: the host's `kvm_exit` tracepoint, and what KVM itself says of
//! the same exits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Durations, Histogram, StatsReading};
use crate::log::LogReading;
use crate::reasons::Isa;

/// Exits by the host's `kvm_exit` tracepoint. Of a guest that exitlab runs, read while QMP
/// `stop` held it; of a VM that runs on, between two readings of KVM's own count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceReading {
    /// Events by reason, summed over the VM's threads; the index is the slot
    /// ([`crate::reasons::ReasonTable::slot`]).
    pub counts: Vec<u64>,
    /// Events whose basic reason no table defines.
    pub other: u64,
    /// The same of each vCPU that has any, by thread. Their sums are `counts`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub vcpus: Vec<VcpuReading>,
    /// Events for which the histogram had no room, of all VMs of the host; 0 if it is complete.
    #[serde(skip_serializing_if = "is_none", default)]
    pub dropped: u64,
    /// `stats` channel at the same standstill; absent where KVM carries no census, and of a VM
    /// that runs on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stats: Option<StatsReading>,
    /// KVM's own count of the same exits; absent where `stats` has it, or nobody tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exits: Option<OwnExits>,
    /// What lies below the reasons (`sampling.detail`, `sampling.places`), a histogram for each
    /// source that is counted.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub details: Vec<Histogram>,
    /// How long exits took (`sampling.time`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub durations: Option<Durations>,
    /// How far the log of single exits had come (`sampling.log`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogReading>,
}

/// What one vCPU caused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VcpuReading {
    /// Its thread on the host.
    pub thread: u64,
    /// Slots that have events, and how many.
    pub counts: Vec<[u64; 2]>,
}

fn is_none(dropped: &u64) -> bool {
    *dropped == 0
}

/// KVM's own count of exits (`kvm_vcpu_stat.exits`) since the tracepoint is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnExits {
    /// At least so many.
    pub least: u64,
    /// At most so many: as many as at least, where the guest stood still.
    pub most: u64,
    /// Who says so.
    pub source: OwnSource,
}

/// Who tells KVM's own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnSource {
    /// QMP `query-stats`.
    QueryStats,
    /// `kvm/<pid>-<fd>/exits` in debugfs.
    Debugfs,
}

impl TraceReading {
    /// Events of all reasons together.
    pub fn sum(&self) -> u128 {
        let all = self.counts.iter().chain([&self.other]);
        all.map(|&n| u128::from(n)).sum()
    }

    /// KVM's own count: at least, and at most.
    pub fn own(&self) -> Option<(u64, u64)> {
        match (&self.exits, &self.stats) {
            (Some(own), _) => Some((own.least, own.most)),
            (None, Some(stats)) => Some((stats.exits, stats.exits)),
            (None, None) => None,
        }
    }
}

/// The first series of Linux in which the tracepoint sees every exit of SVM. Before it, the
/// tracepoint is in `svm_handle_exit`, which the loop of exits that are handled with interrupts
/// off (`EXIT_FASTPATH_REENTER_GUEST`) does not come to.
const SEES_ALL: (u32, u32) = (6, 10);

/// Whether the tracepoint of a host may miss exits, by its instruction set and `uname -r`.
pub fn may_miss(isa: Isa, release: &str) -> bool {
    isa == Isa::Svm && series(release).is_some_and(|series| series < SEES_ALL)
}

/// The first series of Linux in which each VM entry has a tracepoint. Before it, KVM enters a
/// guest again from its innermost loop without one.
const TELLS_ENTRIES: (u32, u32) = (6, 10);

/// Whether the tracepoint of VM entries may miss some, by `uname -r`.
pub fn may_miss_entries(release: &str) -> bool {
    series(release).is_some_and(|series| series < TELLS_ENTRIES)
}

fn series(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_svm_before_the_tracepoint_moved_may_miss_exits() {
        for (isa, release, misses) in [
            (Isa::Svm, "6.1.0-56-cloud-amd64", true),
            (Isa::Svm, "6.9.12", true),
            (Isa::Svm, "6.10-rc1", false),
            (Isa::Svm, "6.12.117-exitlab", false),
            (Isa::Svm, "7.3.0", false),
            (Isa::Vmx, "6.1.0", false),
            (Isa::Svm, "", false),
        ] {
            assert_eq!(may_miss(isa, release), misses, "{isa:?} {release}");
        }
        assert!(may_miss_entries("6.1.0-56-cloud-amd64") && !may_miss_entries("6.12.117"));
    }
}
