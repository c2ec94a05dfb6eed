//! What one VM exit costs: blocks of an instruction that exits, timed by the TSC.

use std::arch::x86_64::__cpuid;
use std::io::Write;

use crate::leaves::tsc;

/// Exits in a block: few, so that most blocks pass without an interrupt of the host.
const PER_BLOCK: u64 = 16;

/// Blocks that are executed first: what happens only once is not part of the cost.
const WARM_UP: u64 = 16;

/// The most blocks that are kept in memory.
const MOST_BLOCKS: u64 = 1 << 20;

/// `ebx` of CPUID leaf 0 of a processor with VMX: the start of "GenuineIntel".
const INTEL: u32 = u32::from_le_bytes(*b"Genu");

/// Executes as many blocks of `instruction` as `blocks` says and prints the shortest and
/// the median one.
pub fn run(instruction: &str, blocks: &str) -> Result<(), String> {
    let exit: fn() = match instruction {
        "cpuid" => cpuid,
        "hypercall" if __cpuid(0).ebx == INTEL => vmcall,
        "hypercall" => vmmcall,
        _ => return Err(format!("'{instruction}' is neither cpuid nor hypercall")),
    };
    let blocks = blocks
        .parse()
        .ok()
        .filter(|blocks| (1..=MOST_BLOCKS).contains(blocks))
        .ok_or_else(|| format!("'{blocks}' is not a number of blocks, 1 to {MOST_BLOCKS}"))?;
    for _ in 0..WARM_UP {
        block(exit);
    }
    let mut ticks: Vec<u64> = (0..blocks).map(|_| block(exit)).collect();
    ticks.sort_unstable();
    let (min, median) = (ticks[0], ticks[ticks.len() / 2]);
    writeln!(
        std::io::stdout(),
        "spin {instruction} per_block {PER_BLOCK} blocks {blocks} min {min} median {median}"
    )
    .map_err(|e| format!("failed to print: {e}"))
}

/// Executes one block; ticks of the TSC that it took.
fn block(exit: fn()) -> u64 {
    let start = tsc();
    for _ in 0..PER_BLOCK {
        exit();
    }
    tsc().wrapping_sub(start)
}

/// Leaf 0: the shortest way through KVM's CPUID table.
fn cpuid() {
    std::hint::black_box(__cpuid(0));
}

/// A hypercall of a program, which KVM refuses with an error in rax: about the shortest
/// exit there is, and one that passes no code of the census but the counting.
fn vmcall() {
    // SAFETY: KVM answers a hypercall from user mode with -KVM_EPERM in rax, and changes
    // nothing else.
    #[expect(unsafe_code, reason = "VMCALL has no wrapper in std")]
    unsafe {
        std::arch::asm!("vmcall", inout("rax") 0_u64 => _, options(nostack));
    }
}

/// [`vmcall`] of a processor with SVM.
fn vmmcall() {
    // SAFETY: as for `vmcall`.
    #[expect(unsafe_code, reason = "VMMCALL has no wrapper in std")]
    unsafe {
        std::arch::asm!("vmmcall", inout("rax") 0_u64 => _, options(nostack));
    }
}
