//! Histograms that the channel `trace` reads beside its counts: what lies below a reason, how
//! long it took, and where in the guest it came from. They are kept as the kernel told them;
//! what their keys mean is [`Source`]'s to say, and names are `exitlab-analysis`'s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commonest::commonest;
use crate::absent;

/// A stretch of guest-physical memory that page faults are told apart by, bytes.
pub const REGION: u64 = 2 << 20;

/// Which fields of which tracepoint a histogram is of. The tracepoints are those of
/// `arch/x86/kvm/trace.h` and `include/trace/events/kvm.h`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `kvm_exit`: reason and `info1`, which is the exit qualification (VMX) or `EXITINFO1`
    /// (SVM), of reasons for which that has few values.
    Qualification,
    /// `kvm_exit`: reason and `intr_info`, the VM-exit interruption information (VMX).
    Interruption,
    /// `kvm_page_fault`: `error_code` and `fault_address`, rounded down to [`REGION`] where the
    /// kernel can. With nested paging that is the address of the guest's memory.
    PageFault,
    /// `kvm_mmio`: `type` (1 read, 2 write) and `gpa`. Reads that user space has still to
    /// answer (0) are left out, for they come again when they are answered.
    Mmio,
    /// `kvm_fast_mmio`: `gpa`, of writes that only wake somebody.
    FastMmio,
    /// `kvm_msr`: `ecx` and `write`.
    Msr,
    /// `kvm_cpuid`: `function` and `index`, the latter 0 where the tracepoint lacks it.
    Cpuid,
    /// `kvm_hypercall`: `nr`.
    Hypercall,
    /// `kvm_hv_hypercall`: `code`.
    HypervHypercall,
    /// `kvm_xen_hypercall`: `nr`.
    XenHypercall,
    /// `kvm_inj_virq`: `vector`, of interrupts that are injected.
    Virq,
    /// `kvm_inj_exception`: `exception`.
    Exception,
    /// `kvm_apic_ipi`: `icr_low` and `dest_id`, of writes to the local APIC's ICR.
    Ipi,
    /// `kvm_exit`: reason and `guest_rip`, the address of the guest's instruction.
    Place,
}

impl Source {
    /// All of them, in the order of tables.
    pub const ALL: [Source; 14] = [
        Source::Qualification,
        Source::Interruption,
        Source::PageFault,
        Source::Mmio,
        Source::FastMmio,
        Source::Msr,
        Source::Cpuid,
        Source::Hypercall,
        Source::HypervHypercall,
        Source::XenHypercall,
        Source::Virq,
        Source::Exception,
        Source::Ipi,
        Source::Place,
    ];
}

/// One histogram, cumulative since before the guest's first exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Histogram {
    /// What it is of.
    pub source: Source,
    /// Two keys (0 for one that is not there) and how often, by ascending keys; summed over
    /// the VM's threads.
    pub entries: Vec<[u64; 3]>,
    /// Events for which the kernel had no room, of all VMs of the host.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub dropped: u64,
    /// Events in entries beyond [`MOST_ENTRIES`](super::MOST_ENTRIES), the rarest.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub unsent: u64,
    /// Why there is none, where the kernel lacks what it takes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacks: Option<String>,
}

impl Histogram {
    /// A histogram of whatever entries there are, at most [`MOST_ENTRIES`](super::MOST_ENTRIES) of them.
    pub fn of(source: Source, entries: Vec<[u64; 3]>, dropped: u64) -> Histogram {
        let (entries, unsent) = commonest(entries, |&[_, _, count]| count);
        Histogram {
            source,
            entries,
            dropped,
            unsent,
            lacks: None,
        }
    }

    /// The histogram of a kernel that cannot make it, and why.
    pub fn lacking(source: Source, why: String) -> Histogram {
        Histogram {
            lacks: Some(why),
            ..Histogram::of(source, Vec::new(), 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::MOST_ENTRIES;

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let entries = (0..MOST_ENTRIES as u64 + 2).map(|key| [key, 0, key + 1]);
        let histogram = Histogram::of(Source::Mmio, entries.collect(), 4);
        assert_eq!(histogram.entries[0], [2, 0, 3]);
        assert_eq!((histogram.unsent, histogram.dropped), (1 + 2, 4));
        let of_few = Histogram::of(Source::Msr, vec![[9, 1, 5], [8, 0, 7]], 0);
        assert_eq!(of_few.entries, [[8, 0, 7], [9, 1, 5]]);
        assert_eq!(of_few.unsent, 0);
    }
}
