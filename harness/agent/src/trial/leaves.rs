//! The CPUID leaves of the exit census, as `docs/kernel-abi.md` has them: where each of
//! the three leaf maps keeps what, and what an answer means.

use super::guest::{Answer, Step};

/// The discovery leaf.
pub const DISCOVERY: u32 = 0x4fff_fff0;
/// The status leaf.
pub const STATUS: u32 = 0x4fff_fff1;
/// `EXTL` in memory order, the discovery leaf's eax.
pub const SIGNATURE: u32 = 0x4c54_5845;
/// edx of an answer for a reason that is not defined.
pub const UNDEFINED: u32 = 0xffff_ffff;

/// A register pattern for the registers that are no input of CPUID.
pub const POISON: u32 = 0xa5c3_96e1;

/// Which leaf answers what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafMap {
    /// Its number, 1 to 3.
    pub number: u8,
    /// Count of the reason in ecx.
    pub count: u32,
    /// Cycles of the reason in ecx.
    pub cycles: u32,
    /// Count of all reasons together; eax.
    pub total_count: u32,
    /// Cycles of all reasons together; ebx:ecx.
    pub total_cycles: u32,
}

impl LeafMap {
    /// The map of that number.
    pub fn of(number: u8) -> Option<LeafMap> {
        let [count, cycles, total_count, total_cycles] = match number {
            1 => [0x4fff_fffe, 0x4fff_fffc, 0x4fff_ffff, 0x4fff_ffff],
            2 => [0x4fff_fffd, 0x4fff_fffc, 0x4fff_ffff, 0x4fff_fffe],
            3 => [0x4fff_fffe, 0x4fff_ffff, 0x4fff_fffc, 0x4fff_fffd],
            _ => return None,
        };
        Some(LeafMap {
            number,
            count,
            cycles,
            total_count,
            total_cycles,
        })
    }

    /// Reads the count of a reason.
    pub fn read_count(&self, reason: u32) -> Step {
        Step::cpuid(self.count, reason, POISON)
    }

    /// Reads the cycles of a reason.
    pub fn read_cycles(&self, reason: u32) -> Step {
        Step::cpuid(self.cycles, reason, POISON)
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

    /// As the answer of a count leaf. No VM of the trial lives for 2^32 exits; whether ebx
    /// holds a high half or something left over is for another rule.
    pub fn count(&self) -> u64 {
        self.eax.into()
    }

    /// As the answer of a leaf that returns cycles.
    pub fn cycles(&self) -> u64 {
        u64::from(self.ebx) << 32 | u64::from(self.ecx)
    }
}
