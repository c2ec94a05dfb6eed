//! The log: every single exit, in the order in which they happened.

mod base64;
mod wire;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent;

pub use wire::{Decoder, Encoder, Malformed};

/// Exits that a log keeps unless the plan says otherwise.
pub const USUAL_LIMIT: u64 = 1_000_000;

/// Most exits that a log can keep: the agent holds all of them, some ten bytes each, until the
/// guest has ended.
pub const MOST: u64 = 10_000_000;

/// What the kernel has for events until the agent takes them, KiB for each processor, unless
/// the plan says otherwise: some hundred thousand exits.
pub const USUAL_BUFFER_KIB: u32 = 16 << 10;

/// Most bytes of a log in one event.
pub const LONGEST_PART: usize = 16 << 10;

/// One exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedExit {
    /// When it happened, nanoseconds of the host's `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// How long until the vCPU entered the guest again, nanoseconds; none if it did not, or KVM
    /// did not tell.
    pub duration_ns: Option<u64>,
    /// What it was.
    pub cause: Cause,
    /// What was written or read: of `kvm_pio`, `kvm_mmio` and `kvm_msr`; else 0.
    pub value: u64,
}

/// What an exit was, as the tracepoints told it: equal for exits that are alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause {
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// The guest's instruction pointer (`kvm_exit`, `guest_rip`).
    pub rip: u64,
    /// `kvm_exit`, `info1`: the exit qualification (VMX) or `EXITINFO1` (SVM).
    pub info: u64,
    /// `kvm_exit`, `intr_info`: the interruption information (VMX) or `EXITINTINFO` (SVM).
    pub vector: u32,
    /// Which tracepoint between exit and entry told `key` and `sub`.
    pub told: ToldBy,
    /// Its first key.
    pub key: u64,
    /// Its second key.
    pub sub: u64,
}

/// The tracepoints that tell a detail between exit and entry, by their number in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ToldBy {
    /// None.
    #[default]
    Nobody = 0,
    /// `kvm_pio`: `port`, and `rw` (0 read, 1 write); the value is `val`, of a single access.
    Pio = 1,
    /// `kvm_msr`: `ecx` and `write`; the value is `data`.
    Msr = 2,
    /// `kvm_mmio`: `gpa` and `type` (1 read, 2 write); the value is `val`.
    Mmio = 3,
    /// `kvm_fast_mmio`: `gpa`.
    FastMmio = 4,
    /// `kvm_cpuid`: `function` and `index`.
    Cpuid = 5,
    /// `kvm_hypercall`: `nr`.
    Hypercall = 6,
    /// `kvm_hv_hypercall`: `code`.
    HypervHypercall = 7,
    /// `kvm_xen_hypercall`: `nr`.
    XenHypercall = 8,
    /// `kvm_page_fault`: `fault_address` and `error_code`.
    PageFault = 9,
}

impl ToldBy {
    /// All of them; the index is the number.
    pub const ALL: [ToldBy; 10] = [
        ToldBy::Nobody,
        ToldBy::Pio,
        ToldBy::Msr,
        ToldBy::Mmio,
        ToldBy::FastMmio,
        ToldBy::Cpuid,
        ToldBy::Hypercall,
        ToldBy::HypervHypercall,
        ToldBy::XenHypercall,
        ToldBy::PageFault,
    ];

    /// Of this number.
    pub fn of(number: u8) -> Option<ToldBy> {
        ToldBy::ALL.get(usize::from(number)).copied()
    }

    /// Whether it tells a value.
    pub fn has_value(self) -> bool {
        matches!(self, ToldBy::Pio | ToldBy::Msr | ToldBy::Mmio)
    }
}

/// A part of the log of one vCPU, on its way from the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// Whose it is.
    pub vcpu: u16,
    /// The next bytes of what an [`Encoder`] makes, in base64.
    #[serde(with = "base64")]
    pub bytes: Vec<u8>,
}

/// What the agent says of the whole log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogSummary {
    /// Exits that are in it.
    pub exits: u64,
    /// Exits after the limit, which were counted only.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub left_out: u64,
    /// Events for which the kernel had no room.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub lost: u64,
    /// Tracepoints that this kernel lacks, so that no exit is told by them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lacks: Vec<String>,
}

/// How far the log had come at a sample, while the guest stood still.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogReading {
    /// Exits by reason, those beyond the limit included; the index is the slot
    /// ([`crate::reasons::ReasonTable::slot`]).
    pub counts: Vec<u64>,
    /// Exits whose reason no table defines.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub other: u64,
    /// How many of all these are beyond the limit.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub left_out: u64,
    /// Events for which the kernel had no room until then.
    #[serde(skip_serializing_if = "absent::is_zero", default)]
    pub lost: u64,
}

impl LogReading {
    /// Exits that are in the log so far.
    pub fn kept(&self) -> u64 {
        let all = self.counts.iter().chain([&self.other]);
        let all = all.fold(0_u64, |sum, count| sum.saturating_add(*count));
        all.saturating_sub(self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_same_after_its_way() {
        for bytes in [vec![], vec![0xff], vec![1, 2], vec![0, 0x10, 0x83, 9]] {
            let part = LogPart { vcpu: 3, bytes };
            let json = serde_json::to_string(&part).expect("JSON");
            assert_eq!(
                serde_json::from_str::<LogPart>(&json).expect("a part"),
                part
            );
        }
        let part: LogPart = serde_json::from_str(r#"{"vcpu":0,"bytes":"AP8="}"#).expect("a part");
        assert_eq!(part.bytes, [0, 255]);
        for wrong in ["A", "AP8", "A===", "AP8=AP8=", "A*==", "====", "AP\u{e9}="] {
            let json = serde_json::json!({"vcpu": 0, "bytes": wrong});
            assert!(serde_json::from_value::<LogPart>(json).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_tracepoints_are_their_places() {
        for (number, told) in (0..).zip(ToldBy::ALL) {
            assert_eq!((told as u8, ToldBy::of(number)), (number, Some(told)));
        }
        assert_eq!(ToldBy::of(10), None);
    }
}
