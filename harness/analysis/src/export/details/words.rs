//! Details in words, and why some of them are missing.

use crate::figures::{Detail, DetailSum, Kind};

/// Key and subkey in hexadecimal digits.
pub fn key(detail: &Detail) -> String {
    match detail.sub {
        Some(sub) => format!("{:#x}.{sub:#x}", detail.key),
        None => format!("{:#x}", detail.key),
    }
}

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

/// A detail in words: `write port 0x3f8 (COM1)`.
pub fn words(detail: &Detail) -> String {
    let key = key(detail);
    let mut words = match detail.kind {
        Kind::Port => format!("port {key}"),
        Kind::ControlRegister => format!("CR{}", detail.key),
        Kind::DebugRegister => format!("DR{}", detail.key),
        Kind::Exception | Kind::InjectedException | Kind::InjectedInterrupt => {
            format!("vector {key}")
        }
        Kind::Interrupt => format!("host's vector {key}"),
        // Its name says it all.
        Kind::PageFault => {
            let name = detail.name.as_deref().unwrap_or_default();
            return format!("{}: {name}", detail.direction);
        }
        Kind::Region => format!("region {key}"),
        Kind::Mmio => format!("address {key}"),
        Kind::Msr => format!("MSR {key}"),
        Kind::Leaf => format!("leaf {key}"),
        Kind::Hypercall => {
            let whose = match detail.sub {
                Some(1) => "Hyper-V's ",
                Some(2) => "Xen's ",
                _ => "",
            };
            format!("{whose}hypercall {:#x}", detail.key)
        }
        Kind::ApicRegister => format!("register {key}"),
        Kind::EndOfInterrupt => format!("end of vector {key}"),
        // A symbol says it all; what has none is told with its address.
        Kind::Place => match &detail.name {
            Some(name) if name.contains('+') => return name.clone(),
            _ => key,
        },
        Kind::Ipi => format!("ICR {:#x} for {:#x}", detail.key, detail.sub.unwrap_or(0)),
    };
    if !detail.direction.is_empty() {
        words = format!("{} {words}", detail.direction);
    }
    match &detail.name {
        Some(name) => format!("{words} ({name})"),
        None => words,
    }
}
