//! What a detail is: which kind of thing, and which one of its kind.

use exitlab_model::record::Source;

/// Kinds of details. Each is counted by one histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An I/O port.
    Port,
    /// A control register.
    ControlRegister,
    /// A debug register.
    DebugRegister,
    /// A vector, of an exception or NMI that was an exit.
    Exception,
    /// A vector of the host's, of an interrupt that was an exit.
    Interrupt,
    /// Why a page fault of nested paging came: the bits of its error code or qualification.
    PageFault,
    /// The region of guest-physical memory in which it was.
    Region,
    /// An address that is no memory.
    Mmio,
    /// An MSR.
    Msr,
    /// A CPUID leaf, with its subleaf where it has some.
    Leaf,
    /// A hypercall of KVM's, Hyper-V's or Xen's, which the subkey tells apart: 0, 1 or 2.
    Hypercall,
    /// An offset in the local APIC's page, of an access that the processor reports as such.
    ApicRegister,
    /// A vector whose end the guest told, and the I/O APIC waits for.
    EndOfInterrupt,
    /// A vector, of an interrupt that KVM injects. It is below no reason.
    InjectedInterrupt,
    /// A vector, of an exception that KVM injects. It is below no reason.
    InjectedException,
    /// A write to the local APIC's interrupt command register; the subkey is the destination.
    /// It is below no reason, for it can come by several.
    Ipi,
    /// An address of the guest's code.
    Place,
}

impl Kind {
    /// As it is written in `details.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Port => "port",
            Kind::ControlRegister => "control-register",
            Kind::DebugRegister => "debug-register",
            Kind::Exception => "exception",
            Kind::Interrupt => "interrupt",
            Kind::PageFault => "page-fault",
            Kind::Region => "region",
            Kind::Mmio => "mmio",
            Kind::Msr => "msr",
            Kind::Leaf => "leaf",
            Kind::Hypercall => "hypercall",
            Kind::ApicRegister => "apic-register",
            Kind::EndOfInterrupt => "end-of-interrupt",
            Kind::InjectedInterrupt => "injected-interrupt",
            Kind::InjectedException => "injected-exception",
            Kind::Ipi => "ipi",
            Kind::Place => "place",
        }
    }

    /// What is counted of each, for sentences.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Port => "accesses to ports",
            Kind::ControlRegister => "accesses to control registers",
            Kind::DebugRegister => "accesses to debug registers",
            Kind::Exception => "exceptions",
            Kind::Interrupt => "interrupts",
            Kind::PageFault => "kinds of page faults",
            Kind::Region => "regions of page faults",
            Kind::Mmio => "accesses to devices in memory",
            Kind::Msr => "accesses to MSRs",
            Kind::Leaf => "CPUID leaves",
            Kind::Hypercall => "hypercalls",
            Kind::ApicRegister => "accesses to the local APIC",
            Kind::EndOfInterrupt => "ends of interrupts",
            Kind::InjectedInterrupt => "injected interrupts",
            Kind::InjectedException => "injected exceptions",
            Kind::Ipi => "interrupt commands",
            Kind::Place => "places in the guest",
        }
    }

    /// Whether it is told by the exit itself, so that its sum must be the reason's count.
    /// The others are told by what KVM does for an exit.
    pub fn is_of_the_exit(self) -> bool {
        matches!(
            self,
            Kind::Port
                | Kind::ControlRegister
                | Kind::DebugRegister
                | Kind::Exception
                | Kind::Interrupt
                | Kind::PageFault
                | Kind::ApicRegister
                | Kind::EndOfInterrupt
                | Kind::Place
        )
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 17] = [
        Kind::Port,
        Kind::ControlRegister,
        Kind::DebugRegister,
        Kind::Exception,
        Kind::Interrupt,
        Kind::PageFault,
        Kind::Region,
        Kind::Mmio,
        Kind::Msr,
        Kind::Leaf,
        Kind::Hypercall,
        Kind::ApicRegister,
        Kind::EndOfInterrupt,
        Kind::InjectedInterrupt,
        Kind::InjectedException,
        Kind::Ipi,
        Kind::Place,
    ];

    /// The histograms that it is counted by.
    pub fn sources(self) -> &'static [Source] {
        match self {
            Kind::Port
            | Kind::ControlRegister
            | Kind::DebugRegister
            | Kind::PageFault
            | Kind::ApicRegister
            | Kind::EndOfInterrupt => &[Source::Qualification],
            Kind::Exception | Kind::Interrupt => &[Source::Interruption],
            Kind::Region => &[Source::PageFault],
            Kind::Mmio => &[Source::Mmio, Source::FastMmio],
            Kind::Msr => &[Source::Msr],
            Kind::Leaf => &[Source::Cpuid],
            Kind::Hypercall => &[
                Source::Hypercall,
                Source::HypervHypercall,
                Source::XenHypercall,
            ],
            Kind::InjectedInterrupt => &[Source::Virq],
            Kind::InjectedException => &[Source::Exception],
            Kind::Ipi => &[Source::Ipi],
            Kind::Place => &[Source::Place],
        }
    }
}

/// What one entry of a histogram counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detail {
    /// Basic exit reason (VMX) or exit code (SVM) that it is below of.
    pub reason: Option<u32>,
    /// Its kind.
    pub kind: Kind,
    /// Which of its kind.
    pub key: u64,
    /// Which of those, where there are several.
    pub sub: Option<u64>,
    /// `read`, `write` and the like; empty where there is no direction.
    pub direction: &'static str,
    /// What it is called, if it has a name.
    pub name: Option<String>,
}

/// Where each source is read from, for sentences about what a kernel lacks.
pub fn purpose(source: Source) -> &'static str {
    match source {
        Source::Qualification => "ports, registers, kinds of page faults",
        Source::Interruption => "vectors of exceptions and interrupts",
        Source::PageFault => "regions of page faults",
        Source::Mmio => "addresses of devices",
        Source::FastMmio => "addresses that wake a device",
        Source::Msr => "MSRs",
        Source::Cpuid => "CPUID leaves",
        Source::Hypercall => "hypercalls",
        Source::HypervHypercall => "Hyper-V's hypercalls",
        Source::XenHypercall => "Xen's hypercalls",
        Source::Virq => "injected interrupts",
        Source::Exception => "injected exceptions",
        Source::Ipi => "interrupt commands",
        Source::Place => "places in the guest",
    }
}
