//! Why exits have no detail, or details no exit, in words.

use crate::figures::{DetailSum, Kind};

/// Why exits have no detail of a kind, or details are no exits.
pub fn why(sum: &DetailSum, remainder: i128) -> &'static str {
    match (sum.kind, remainder < 0) {
        (Kind::Leaf, true) => "KVM looked a leaf up while it emulated an instruction",
        (Kind::Leaf, false) => "KVM answered without looking a leaf up",
        (Kind::Mmio, true) => {
            "the first access to a page of a device is a page fault, and one exit can make several"
        }
        (Kind::Mmio, false) => "KVM let the guest go on without an access",
        (Kind::Msr, true) => "KVM emulated an access in an exit of another reason",
        (Kind::Msr, false) => "user space or a fast path answered",
        (Kind::Hypercall, true) => "one exit made several",
        (Kind::Hypercall, false) => "the guest may not make hypercalls, or user space answered",
        (_, true) => "counted without such an exit",
        (_, false) => "counted without a detail",
    }
}
