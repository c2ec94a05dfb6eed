//! The CPUID leaves of the exit census (`exitlab-abi`) as steps of a guest, and what an
//! answer means.

use exitlab_abi::{LeafMap, UNDEFINED};

use super::guest::{Answer, Step};

/// A register pattern for the registers that are no input of CPUID.
pub const POISON: u32 = 0xa5c3_96e1;

/// A leaf of the same range that nobody defines: KVM answers it as any it does not know.
pub const NOBODYS: u32 = 0x4fff_ffef;

impl Step {
    /// Reads the count of a reason.
    pub fn read_count(map: LeafMap, reason: u32) -> Step {
        Step::cpuid(map.count, reason, POISON)
    }

    /// Reads the cycles of a reason.
    pub fn read_cycles(map: LeafMap, reason: u32) -> Step {
        Step::cpuid(map.cycles, reason, POISON)
    }
}

impl Answer {
    /// The four registers, for messages.
    pub fn shown(&self) -> String {
        let Answer { eax, ebx, ecx, edx } = self;
        format!("eax {eax:#x}, ebx {ebx:#x}, ecx {ecx:#x}, edx {edx:#x}")
    }

    /// Whether it says that the reason is not defined.
    pub fn is_undefined(&self) -> bool {
        self.eax == 0 && self.edx == UNDEFINED
    }

    /// Whether it carries no data at all, whichever of the two empty answers it is.
    pub fn is_empty(&self) -> bool {
        (self.eax, self.ebx, self.ecx) == (0, 0, 0) && [0, UNDEFINED].contains(&self.edx)
    }

    /// As the answer of a leaf that returns cycles.
    pub fn cycles(&self) -> u64 {
        u64::from(self.ebx) << 32 | u64::from(self.ecx)
    }
}
