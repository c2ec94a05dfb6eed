//! CPUID leaves (SDM Vol. 2 and APM Vol. 3, "CPUID"; KVM's and Hyper-V's; exitlab's own).

use super::{in_ranges, of};

const LEAVES: &[(u64, &str)] = &[
    (0x0, "vendor"),
    (0x1, "features"),
    (0x2, "caches and TLBs"),
    (0x4, "caches"),
    (0x5, "MWAIT"),
    (0x6, "power"),
    (0x7, "extended features"),
    (0xa, "performance monitoring"),
    (0xb, "topology"),
    (0xd, "XSAVE"),
    (0xf, "resource monitoring"),
    (0x10, "resource allocation"),
    (0x12, "SGX"),
    (0x14, "processor trace"),
    (0x15, "TSC frequency"),
    (0x16, "frequencies"),
    (0x19, "key locker"),
    (0x1a, "kind of core"),
    (0x1d, "tiles"),
    (0x1f, "topology, version 2"),
    (0x4000_0000, "hypervisor"),
    (0x4000_0001, "hypervisor's features"),
    (0x4000_0010, "TSC and bus frequency"),
    (0x8000_0000, "highest extended leaf"),
    (0x8000_0001, "extended features"),
    (0x8000_0005, "L1 caches"),
    (0x8000_0006, "L2 caches"),
    (0x8000_0007, "power"),
    (0x8000_0008, "address sizes"),
    (0x8000_000a, "SVM"),
    (0x8000_001a, "performance"),
    (0x8000_001d, "caches"),
    (0x8000_001e, "topology"),
    (0x8000_001f, "memory encryption"),
    (0x8000_0021, "extended features"),
    (0x8000_0022, "performance monitoring"),
    (0x8000_0026, "topology"),
];

const RANGES: &[(u64, u64, &str)] = &[
    // Hypervisors begin at multiples of 0x100, so guests look at each.
    (0x4000_0002, 0x4000_ffff, "hypervisor"),
    (0x4fff_ff00, 0x4fff_ffff, "exit census"),
    (0x8000_0002, 0x8000_0004, "brand"),
];

/// Leaves whose answer depends on ECX. Of the others, whatever happens to be in ECX says
/// nothing.
const WITH_SUBLEAVES: &[u64] = &[
    0x4,
    0x7,
    0xb,
    0xd,
    0xf,
    0x10,
    0x12,
    0x14,
    0x17,
    0x18,
    0x1b,
    0x1d,
    0x1e,
    0x1f,
    0x20,
    0x23,
    0x24,
    0x8000_001d,
    0x8000_0020,
    0x8000_0026,
];

/// What a leaf answers.
pub fn leaf(leaf: u64) -> Option<&'static str> {
    of(LEAVES, leaf).or_else(|| in_ranges(RANGES, leaf))
}

/// Whether a leaf has subleaves.
pub fn has_subleaves(leaf: u64) -> bool {
    WITH_SUBLEAVES.contains(&leaf)
}
