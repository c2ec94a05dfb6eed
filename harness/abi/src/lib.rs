//! The numbers of the interface by which a guest reads its exit census: CPUID leaves, what
//! they mean in each leaf map, and what an answer carries (`docs/kernel-abi.md`).
//!
//! The kernel says the same in C; a test of this crate holds the two against each other.

#![no_std]

/// The discovery leaf: what the census says of itself.
pub const DISCOVERY: u32 = 0x4fff_fff0;

/// The status leaf: whether the reason in ecx is defined and enabled.
pub const STATUS: u32 = 0x4fff_fff1;

/// The first of the four leaves whose meaning the leaf map decides.
pub const MAPPED: u32 = 0x4fff_fffc;

/// `EXTL` in memory order: eax of the discovery leaf.
pub const SIGNATURE: u32 = 0x4c54_5845;

/// Version of the interface: bits 15:0 of ebx of the discovery leaf.
pub const VERSION: u32 = 2;

/// Where the number of the leaf map begins in ebx of the discovery leaf; it has 8 bits.
pub const MAP_SHIFT: u32 = 16;

/// The bit in ebx of the discovery leaf that says that cycles are counted now.
pub const CYCLES_ON: u32 = 1 << 24;

/// ecx of the discovery leaf where exit reasons of VMX are counted.
pub const ISA_VMX: u32 = 1;

/// ecx of the discovery leaf where exit codes of SVM are counted.
pub const ISA_SVM: u32 = 2;

/// edx of an answer for a reason that is not defined; the other registers are 0.
pub const UNDEFINED: u32 = 0xffff_ffff;

/// eax of the status leaf for a reason that is not defined.
pub const STATUS_UNDEFINED: u32 = 0;

/// eax of the status leaf for a reason that is defined but not enabled.
pub const STATUS_NOT_ENABLED: u32 = 1;

/// eax of the status leaf for a reason that is enabled.
pub const STATUS_ENABLED: u32 = 2;

/// Which leaf answers what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafMap {
    /// Its number, 1 to 3.
    pub number: u8,
    /// Count of the reason in ecx; ebx:eax.
    pub count: u32,
    /// Cycles of the reason in ecx; ebx:ecx.
    pub cycles: u32,
    /// Count of all reasons together; ebx:eax, but eax alone where the same leaf answers the
    /// total cycles, too.
    pub total_count: u32,
    /// Cycles of all reasons together; ebx:ecx.
    pub total_cycles: u32,
}

/// Every leaf map, in the order of their numbers.
pub const LEAF_MAPS: [LeafMap; 3] = [
    LeafMap {
        number: 1,
        count: 0x4fff_fffe,
        cycles: 0x4fff_fffc,
        total_count: 0x4fff_ffff,
        total_cycles: 0x4fff_ffff,
    },
    LeafMap {
        number: 2,
        count: 0x4fff_fffd,
        cycles: 0x4fff_fffc,
        total_count: 0x4fff_ffff,
        total_cycles: 0x4fff_fffe,
    },
    LeafMap {
        number: 3,
        count: 0x4fff_fffe,
        cycles: 0x4fff_ffff,
        total_count: 0x4fff_fffc,
        total_cycles: 0x4fff_fffd,
    },
];

impl LeafMap {
    /// The map of that number.
    pub fn of(number: u32) -> Option<LeafMap> {
        LEAF_MAPS
            .into_iter()
            .find(|map| u32::from(map.number) == number)
    }

    /// Whether one leaf answers both totals, and so has room for half of the count only.
    pub fn shares_totals(self) -> bool {
        self.total_count == self.total_cycles
    }
}

#[cfg(test)]
mod tests;
