//! Which exit reason each step of a guest causes.

use exitlab_model::reasons::Isa;

/// Numbers of the reasons that a guest's steps cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasons {
    /// CPUID
    pub cpuid: u32,
    /// Port I/O
    pub io: u32,
    /// HLT
    pub hlt: u32,
    /// A write of an MSR; on SVM a read, too
    pub wrmsr: u32,
    /// The guest became able to take an interrupt
    pub window: u32,
    /// An interrupt of the host
    pub interrupt: u32,
    /// An access to memory that is not there: KVM's mark for MMIO
    pub mmio: u32,
    /// A VM entry that failed for an invalid guest state
    pub entry_failed: u32,
}

impl Reasons {
    /// SDM volume 3, appendix C; APM volume 2, appendix C.
    pub fn of(isa: Isa) -> Reasons {
        match isa {
            Isa::Vmx => Reasons {
                cpuid: 10,
                io: 30,
                hlt: 12,
                wrmsr: 32,
                window: 7,
                interrupt: 1,
                mmio: 49,
                entry_failed: 33,
            },
            Isa::Svm => Reasons {
                cpuid: 0x72,
                io: 0x7b,
                hlt: 0x78,
                wrmsr: 0x7c,
                window: 0x64,
                interrupt: 0x60,
                mmio: 0x400,
                entry_failed: 0xffff_ffff,
            },
        }
    }
}
