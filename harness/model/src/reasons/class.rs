//! Kinds of exit reasons, for rules that concern more than one: the column `class` of the
//! tables.

use serde::{Deserialize, Serialize};

/// A kind of exit reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Port I/O, and MMIO where KVM tells it apart (EPT misconfiguration).
    Io,
    /// Nested page tables, and what the guest does to TLBs and caches.
    Memory,
    /// Interrupts of host and guest, their windows and controllers, and the VMX timer.
    Interrupt,
    /// Exceptions (on VMX with NMIs, which share their reason).
    Exception,
    /// The guest waits: HLT, MWAIT, PAUSE.
    Idle,
    /// Control, debug, descriptor-table and model-specific registers.
    Register,
    /// Any other instruction: CPUID, RDTSC, hypercalls.
    Instruction,
    /// The guest is a hypervisor itself.
    Nested,
    /// The guest or its entry failed.
    Failure,
}

impl Class {
    /// Every class and its word.
    pub const ALL: [(&'static str, Class); 9] = [
        ("io", Class::Io),
        ("memory", Class::Memory),
        ("interrupt", Class::Interrupt),
        ("exception", Class::Exception),
        ("idle", Class::Idle),
        ("register", Class::Register),
        ("instruction", Class::Instruction),
        ("nested", Class::Nested),
        ("failure", Class::Failure),
    ];
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = Class::ALL.iter().find(|(_, class)| class == self);
        f.write_str(found.map_or("", |(word, _)| word))
    }
}
