//! What the trial's guests execute: a list of steps, interpreted by a few dozen
//! instructions of 32-bit protected-mode code. A guest this small causes exactly the VM
//! exits that its steps ask for, which is what makes exact expectations possible.

use std::ops::Range;

/// Where the code lies in guest memory.
pub const CODE: u64 = 0x1000;
/// Where the interrupt descriptor table lies: 256 gates of 8 bytes.
pub const IDT: u64 = 0x2000;
/// Where the global descriptor table lies: null, code, data.
pub const GDT: u64 = 0x2800;
/// Selector of the flat code segment.
pub const CODE_SELECTOR: u16 = 8;
/// Selector of the flat data segment.
pub const DATA_SELECTOR: u16 = 16;
/// Page that long mode's top-level page table would lie in; it stays empty.
pub const EMPTY_PAGE: u64 = 0x3000;

/// Pages that [`Step::touch`] may touch: nothing else lies there.
pub const SPARE: Range<u32> = 0xc0_0000..0x100_0000;
/// Bytes of guest memory.
pub const MEMORY: usize = 0x100_0000;
/// Guest-physical address with nothing behind it: an access is MMIO.
pub const NOWHERE: u32 = 0xd000_0000;

/// Port by which a guest says that its steps are done.
pub const DONE_PORT: u16 = 0xe0;
/// Port that the host answers at once.
pub const PLAIN_PORT: u16 = 0xe1;
/// Port that the host answers after a while.
pub const SLOW_PORT: u16 = 0xe2;

/// Vector of every interrupt that a guest sends itself.
pub const VECTOR: u32 = 0x40;

/// x2APIC registers as MSRs (SDM volume 3, table "Local APIC Register Address Map").
mod msr {
    pub const SPURIOUS: u32 = 0x80f;
    pub const ICR: u32 = 0x830;
    pub const LVT_TIMER: u32 = 0x832;
    pub const TSC_DEADLINE: u32 = 0x6e0;
}

/// Bytes of a step in guest memory.
pub const STEP_BYTES: usize = 48;

/// One thing for a guest to do, `times` times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    kind: u32,
    times: u32,
    registers: [u32; 4],
}

/// The four registers that an instruction left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// eax
    pub eax: u32,
    /// ebx
    pub ebx: u32,
    /// ecx
    pub ecx: u32,
    /// edx
    pub edx: u32,
}

impl Step {
    const fn new(kind: u32, times: u32, registers: [u32; 4]) -> Step {
        Step {
            kind,
            times,
            registers,
        }
    }

    /// Tells the host that all is done.
    pub fn done() -> Step {
        Step::new(0, 1, [0, 0, 0, u32::from(DONE_PORT)])
    }

    /// CPUID of `leaf` with `ecx`, and `poison` in the registers that are no input.
    pub fn cpuid(leaf: u32, ecx: u32, poison: u32) -> Step {
        Step::new(1, 1, [leaf, poison, ecx, !poison])
    }

    /// CPUID of leaf 0, `times` times.
    pub fn hammer(times: u32) -> Step {
        Step::new(1, times, [0; 4])
    }

    fn wrmsr(msr: u32, value: u64, times: u32) -> Step {
        Step::new(2, times, [value as u32, 0, msr, (value >> 32) as u32])
    }

    /// Enables the local APIC and sets its timer to TSC-deadline mode.
    pub fn set_up_apic() -> [Step; 2] {
        [
            Step::wrmsr(msr::SPURIOUS, 0x1ff, 1),
            Step::set_timer_mode(1),
        ]
    }

    /// Sets the timer's mode to what it is: a write of an MSR that no fast path takes.
    pub fn set_timer_mode(times: u32) -> Step {
        Step::wrmsr(msr::LVT_TIMER, u64::from(2 << 17 | VECTOR), times)
    }

    /// Sends an interrupt to the vCPU itself by its physical x2APIC ID, with interrupts
    /// off. KVM's fast path for WRMSR takes just this form.
    pub fn send_ipi(apic_id: u32, times: u32) -> Step {
        Step::wrmsr(
            msr::ICR,
            u64::from(apic_id) << 32 | u64::from(VECTOR),
            times,
        )
    }

    /// Arms the timer for a moment that never comes; KVM's fast path on VMX.
    pub fn arm_timer(times: u32) -> Step {
        Step::wrmsr(msr::TSC_DEADLINE, u64::MAX >> 8, times)
    }

    /// Disarms the timer.
    pub fn disarm_timer() -> Step {
        Step::wrmsr(msr::TSC_DEADLINE, 0, 1)
    }

    /// Writes a byte to a port.
    pub fn out(port: u16, times: u32) -> Step {
        Step::new(3, times, [0, 0, 0, u32::from(port)])
    }

    /// Halts until the timer, armed `ticks` of the TSC ahead, interrupts.
    pub fn sleep(ticks: u32, times: u32) -> Step {
        Step::new(4, times, [ticks, 0, msr::TSC_DEADLINE, 0])
    }

    /// Does nothing, with interrupts on, for `ticks` of the TSC.
    pub fn spin(ticks: u32) -> Step {
        Step::new(5, 1, [ticks, 0, 0, 0])
    }

    /// Reads the first word of so many pages from `address` on.
    pub fn touch(address: u32, pages: u32) -> Step {
        Step::new(6, pages, [0, address, 4096, 0])
    }

    /// Reads one word again and again.
    pub fn read(address: u32, times: u32) -> Step {
        Step::new(6, times, [0, address, 0, 0])
    }

    /// Sends itself an interrupt while interrupts are off, then switches them on.
    pub fn open_window(apic_id: u32, times: u32) -> Step {
        Step::new(7, times, [VECTOR, 0, msr::ICR, apic_id])
    }

    /// How many CPUID instructions the step executes.
    pub fn cpuids(&self) -> u64 {
        if self.kind == 1 {
            u64::from(self.times)
        } else {
            0
        }
    }

    /// The step as it lies in guest memory: kind, times, input registers, room for the
    /// answer.
    pub fn to_bytes(self) -> [u8; STEP_BYTES] {
        let mut bytes = [0; STEP_BYTES];
        let words = [self.kind, self.times].into_iter().chain(self.registers);
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

impl Answer {
    /// The answer in a step as it lies in guest memory.
    pub fn of_bytes(step: &[u8; STEP_BYTES]) -> Answer {
        let word = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&step[24 + 4 * at..28 + 4 * at]);
            u32::from_le_bytes(bytes)
        };
        Answer {
            eax: word(0),
            ebx: word(1),
            ecx: word(2),
            edx: word(3),
        }
    }
}

// Entered with esi at the first step and esp at a stack. A step of kind 0 hands over to
// the host, which never comes back to the same place.
#[expect(unsafe_code, reason = "guest code, never executed by the host")]
mod code {
    std::arch::global_asm!(
        ".pushsection .rodata.exitlab_trial, \"a\"",
        ".globl exitlab_trial_start",
        ".globl exitlab_trial_interrupt",
        ".globl exitlab_trial_end",
        ".code32",
        "exitlab_trial_start:",
        "20: mov ebp, [esi + 4]",
        "    mov edi, [esi]",
        "    cmp edi, 1",
        "    je 21f",
        "    cmp edi, 2",
        "    je 22f",
        "    cmp edi, 3",
        "    je 23f",
        "    cmp edi, 4",
        "    je 24f",
        "    cmp edi, 5",
        "    je 25f",
        "    cmp edi, 6",
        "    je 26f",
        "    cmp edi, 7",
        "    je 27f",
        // done
        "    mov edx, [esi + 20]",
        "    out dx, al",
        "    ud2",
        // CPUID
        "21: mov eax, [esi + 8]",
        "    mov ebx, [esi + 12]",
        "    mov ecx, [esi + 16]",
        "    mov edx, [esi + 20]",
        "    cpuid",
        "    dec ebp",
        "    jnz 21b",
        "    mov [esi + 24], eax",
        "    mov [esi + 28], ebx",
        "    mov [esi + 32], ecx",
        "    mov [esi + 36], edx",
        "    jmp 30f",
        // WRMSR
        "22: mov eax, [esi + 8]",
        "    mov ecx, [esi + 16]",
        "    mov edx, [esi + 20]",
        "    wrmsr",
        "    dec ebp",
        "    jnz 22b",
        "    jmp 30f",
        // OUT
        "23: mov edx, [esi + 20]",
        "    out dx, al",
        "    dec ebp",
        "    jnz 23b",
        "    jmp 30f",
        // sleep
        "24: rdtsc",
        "    add eax, [esi + 8]",
        "    adc edx, 0",
        "    mov ecx, [esi + 16]",
        "    wrmsr",
        "    sti",
        "    hlt",
        "    cli",
        "    dec ebp",
        "    jnz 24b",
        "    jmp 30f",
        // spin
        "25: sti",
        "    rdtsc",
        "    mov ebx, eax",
        "    mov ecx, edx",
        "    add ebx, [esi + 8]",
        "    adc ecx, 0",
        "251: rdtsc",
        "    sub eax, ebx",
        "    sbb edx, ecx",
        "    jc 251b",
        "    cli",
        "    jmp 30f",
        // touch
        "26: mov ebx, [esi + 12]",
        "261: mov eax, [ebx]",
        "    add ebx, [esi + 16]",
        "    dec ebp",
        "    jnz 261b",
        "    jmp 30f",
        // open the interrupt window
        "27: mov eax, [esi + 8]",
        "    mov ecx, [esi + 16]",
        "    mov edx, [esi + 20]",
        "    wrmsr",
        "    sti",
        "    nop",
        "    nop",
        "    cli",
        "    dec ebp",
        "    jnz 27b",
        "30: add esi, {step}",
        "    jmp 20b",
        // every interrupt: tell the APIC that it is served
        "exitlab_trial_interrupt:",
        "    push eax",
        "    push ecx",
        "    push edx",
        "    mov ecx, 0x80b",
        "    xor eax, eax",
        "    xor edx, edx",
        "    wrmsr",
        "    pop edx",
        "    pop ecx",
        "    pop eax",
        "    iretd",
        "exitlab_trial_end:",
        ".code64",
        ".popsection",
        step = const super::STEP_BYTES,
    );

    unsafe extern "C" {
        safe static exitlab_trial_start: u8;
        safe static exitlab_trial_interrupt: u8;
        safe static exitlab_trial_end: u8;
    }

    pub fn bytes() -> (&'static [u8], usize) {
        let start = &raw const exitlab_trial_start;
        let len = (&raw const exitlab_trial_end).addr() - start.addr();
        let interrupt = (&raw const exitlab_trial_interrupt).addr() - start.addr();
        // SAFETY: the assembly above defines both labels around bytes of one section.
        let code = unsafe { std::slice::from_raw_parts(start, len) };
        (code, interrupt)
    }
}

/// What guest memory holds before the first step: pairs of address and bytes.
pub fn image() -> Vec<(u64, Vec<u8>)> {
    let (code, interrupt) = code::bytes();
    let handler = CODE as u32 + interrupt as u32;
    // A present 32-bit interrupt gate for the one vector: what else comes is a triple
    // fault, which ends the trial with an error (SDM volume 3, "IDT Descriptors").
    let gate = u64::from(handler & 0xffff)
        | u64::from(CODE_SELECTOR) << 16
        | 0x8e00 << 32
        | u64::from(handler >> 16) << 48;
    let flat = [0_u64, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff];
    vec![
        (CODE, code.to_vec()),
        (IDT + u64::from(VECTOR) * 8, gate.to_le_bytes().to_vec()),
        (GDT, flat.iter().flat_map(|d| d.to_le_bytes()).collect()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_and_has_its_handler() {
        let image = image();
        let code = &image[0].1;
        assert!(CODE as usize + code.len() <= IDT as usize);
        // mov ebp, [esi + 4] first, iretd last: it was assembled as 32-bit code.
        assert_eq!(code[..3], [0x8b, 0x6e, 0x04]);
        assert_eq!(code.last(), Some(&0xcf));
        // push eax
        assert_eq!(code[super::code::bytes().1], 0x50);
    }

    #[test]
    fn a_step_keeps_its_answer_behind_its_input() {
        let mut bytes = Step::cpuid(0x4fff_fffe, 10, 0xaaaa_5555).to_bytes();
        assert_eq!(bytes[8..12], 0x4fff_fffe_u32.to_le_bytes());
        assert_eq!(bytes[20..24], 0x5555_aaaa_u32.to_le_bytes());
        bytes[24..28].copy_from_slice(&7_u32.to_le_bytes());
        assert_eq!(Answer::of_bytes(&bytes).eax, 7);
    }
}
