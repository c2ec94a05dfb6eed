//! The CPUID leaves of the exit census (`docs/kernel-abi.md`).

use std::arch::x86_64::{__cpuid_count, CpuidResult};

const STATUS: u32 = 0x4fff_fff1;
const COUNT: u32 = 0x4fff_fffe;
const UNDEFINED: u32 = 0xffff_ffff;

/// A reason that no edition of the SDM defines. An unpatched KVM may answer unknown
/// leaves with the data of another leaf, so only this answer proves a census.
const PROBE: u32 = 35;

/// Fails unless KVM carries the census.
pub fn require_census() -> Result<(), String> {
    let CpuidResult { eax, ebx, ecx, edx } = __cpuid_count(COUNT, PROBE);
    if (eax, ebx, ecx, edx) == (0, 0, 0, UNDEFINED) {
        return Ok(());
    }
    Err(format!(
        "the KVM under this guest carries no exit census: leaf {COUNT:#x} answers \
         {eax:#x} {ebx:#x} {ecx:#x} {edx:#x} for the undefined reason {PROBE}"
    ))
}

/// How many exits of `reason` this VM has had; `None` if the reason is undefined.
pub fn count(reason: u32) -> Option<u64> {
    let CpuidResult { eax, ebx, edx, .. } = __cpuid_count(COUNT, reason);
    (edx != UNDEFINED).then_some(u64::from(ebx) << 32 | u64::from(eax))
}

/// 0 undefined, 1 defined but not enabled, 2 enabled.
pub fn status(reason: u32) -> u32 {
    __cpuid_count(STATUS, reason).eax
}

/// The time-stamp counter, cycles.
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC, and Linux leaves it open to user space.
    #[expect(unsafe_code, reason = "reading the TSC has no safe wrapper in std")]
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
}
