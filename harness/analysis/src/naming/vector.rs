//! Vectors: exceptions of the processor (SDM Vol. 3, "Protected-Mode Exceptions and
//! Interrupts"), and those that Linux gives to interrupts of its own
//! (`arch/x86/include/asm/irq_vectors.h`).

use super::of;

const EXCEPTIONS: &[(u64, &str)] = &[
    (0, "#DE divide error"),
    (1, "#DB debug"),
    (2, "NMI"),
    (3, "#BP breakpoint"),
    (4, "#OF overflow"),
    (5, "#BR bound range"),
    (6, "#UD invalid opcode"),
    (7, "#NM no FPU"),
    (8, "#DF double fault"),
    (10, "#TS invalid TSS"),
    (11, "#NP segment not present"),
    (12, "#SS stack segment"),
    (13, "#GP general protection"),
    (14, "#PF page fault"),
    (16, "#MF FPU error"),
    (17, "#AC alignment check"),
    (18, "#MC machine check"),
    (19, "#XM SIMD"),
    (20, "#VE virtualization"),
    (21, "#CP control protection"),
    (29, "#VC VMM communication"),
];

const LINUX: &[(u64, &str)] = &[
    (0xec, "Linux: local timer"),
    (0xed, "Linux: Hyper-V timer"),
    (0xee, "Linux: Hyper-V reenlightenment"),
    (0xf0, "Linux: posted interrupt, nested"),
    (0xf1, "Linux: posted interrupt, wake-up"),
    (0xf2, "Linux: posted interrupt"),
    (0xf3, "Linux: hypervisor callback"),
    (0xf4, "Linux: deferred error"),
    (0xf6, "Linux: work"),
    (0xf7, "Linux: platform IPI"),
    (0xf8, "Linux: reboot"),
    (0xf9, "Linux: threshold"),
    (0xfa, "Linux: thermal"),
    (0xfb, "Linux: call function, single"),
    (0xfc, "Linux: call function"),
    (0xfd, "Linux: reschedule"),
    (0xfe, "Linux: APIC error"),
    (0xff, "Linux: spurious"),
];

/// An exception.
pub fn exception(vector: u64) -> Option<&'static str> {
    of(EXCEPTIONS, vector)
}

/// An interrupt, as Linux uses its vector.
pub fn interrupt(vector: u64) -> Option<&'static str> {
    of(LINUX, vector)
}
