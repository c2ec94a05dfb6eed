//! What a function adds to in memory that vCPUs share, with no lock.

use std::collections::{BTreeMap, BTreeSet};

use super::decode::{Instruction, Memory, decode};

/// Displacements below are addresses of the kernel: it lies in the highest 2 GiB, and in the
/// lower half of them.
const ADDRESSES: i32 = -0x4000_0000;
/// Instructions between reading a variable and writing it back.
const APART: usize = 12;
/// Registers that a called function may change: rax, rcx, rdx, rsi, rdi, r8 to r11.
const CHANGED: u16 = 0x0fc7;

/// What was seen of a function.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where it adds to what is shared.
    pub shared: Vec<Shared>,
    /// The functions that it calls.
    pub calls: Vec<u64>,
}

/// An instruction that adds to what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Its address.
    pub at: u64,
    /// In words: `adds to`.
    pub how: &'static str,
    /// What it adds to.
    pub target: Target,
}

/// What is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A variable of the kernel, at that address or indexed from there.
    Global(u64),
    /// Something that hangs on `vcpu->kvm`.
    OfVm,
}

/// Which parts of a VM count as shared: of what is read from the first word of something, as
/// `vcpu->kvm` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfVm {
    /// All: in functions that do nothing but enter a guest and leave it.
    All,
    /// Arrays: KVM adds to variables of a VM for many reasons, and to none by an index.
    Arrays,
}

/// A variable by the way it is named.
type Name = (u64, Option<u8>, Option<u8>);

/// What is known of the registers and variables at some place.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Registers that hold what the first word of something pointed to.
    vm: u16,
    /// Variables that were read, and how many instructions ago.
    read: BTreeMap<Name, usize>,
    /// Instructions so far.
    number: usize,
}

/// Goes through what a function executes, from its first byte along all its jumps: code that
/// is patched out, as that of a static key which is off, is not executed.
pub fn look(start: u64, code: &[u8], of_vm: OfVm) -> Seen {
    let mut seen = Seen::default();
    let mut been = BTreeSet::new();
    let mut to_do = vec![(0, Known::default())];
    while let Some((mut at, mut known)) = to_do.pop() {
        while been.insert(at) {
            let Some(found) = code.get(at..).and_then(decode) else {
                break;
            };
            let next = start + (at + found.len) as u64;
            known.number += 1;
            see(
                &mut seen,
                &mut known,
                start + at as u64,
                &found,
                next,
                of_vm,
            );
            if let Some(distance) = found.jump {
                let target = next.wrapping_add_signed(distance.into());
                match target.checked_sub(start) {
                    Some(inside) if (inside as usize) < code.len() => {
                        to_do.push((inside as usize, known.clone()));
                    }
                    // The last call of a function.
                    _ if found.opcode == 0xe9 => seen.calls.push(target),
                    _ => {}
                }
            }
            if found.ends {
                break;
            }
            at += found.len;
        }
    }
    seen.shared.sort_by_key(|shared| shared.at);
    seen
}

/// What one instruction does.
fn see(
    seen: &mut Seen,
    known: &mut Known,
    here: u64,
    found: &Instruction,
    next: u64,
    counts: OfVm,
) {
    if let Some(distance) = found.call {
        seen.calls.push(next.wrapping_add_signed(distance.into()));
        known.vm &= !CHANGED;
    }
    if let Some(memory) = found
        .memory
        .filter(|_| !found.of_processor && !found.locked)
    {
        let global = global(&memory, next);
        let registers = [memory.base, memory.index];
        let of_vm = registers.iter().flatten().any(|at| known.vm & 1 << at != 0);
        let named = match global {
            Some(name) => Some((name, Target::Global(name.0))),
            None if of_vm && (counts == OfVm::All || (memory.index.is_some() && adds(found))) => {
                let place = i64::from(memory.displacement).cast_unsigned();
                Some(((place, memory.base, memory.index), Target::OfVm))
            }
            None => None,
        };
        if let Some((name, target)) = named {
            let then = known.read.get(&name);
            let fresh = then.is_some_and(|then| known.number - then <= APART);
            let how = match () {
                () if adds(found) => Some("adds to"),
                () if writes(found) && fresh => Some("reads, changes and writes back"),
                () => None,
            };
            let at = here;
            seen.shared
                .extend(how.map(|how| Shared { at, how, target }));
            if reads(found) {
                known.read.insert(name, known.number);
            }
        }
    }
    if let Some(register) = written(found) {
        known.vm &= !(1 << register);
        let first_word = found.memory.is_some_and(|memory| {
            memory.base.is_some() && memory.index.is_none() && memory.displacement == 0
        });
        if reads(found) && first_word && !found.of_processor {
            known.vm |= 1 << register;
        }
    }
}

/// The kernel's variable that an instruction names.
fn global(memory: &Memory, next: u64) -> Option<Name> {
    let displacement = i64::from(memory.displacement);
    if memory.relative {
        return Some((next.wrapping_add_signed(displacement), None, None));
    }
    let address = displacement.cast_unsigned();
    match (memory.base, memory.index) {
        _ if memory.displacement >= ADDRESSES => None,
        (base, index) => Some((address, base, index)),
    }
}

/// ADD, SUB, INC, DEC and ADC of memory, of 32 or 64 bits.
fn adds(found: &Instruction) -> bool {
    match found.opcode {
        0x01 | 0x29 | 0x11 => true,
        0xff => matches!(found.reg & 7, 0 | 1),
        0x81 | 0x83 => matches!(found.reg & 7, 0 | 2 | 5),
        _ => false,
    }
}

/// MOV from memory into a register.
fn reads(found: &Instruction) -> bool {
    found.opcode == 0x8b && found.memory.is_some()
}

/// MOV from a register into memory.
fn writes(found: &Instruction) -> bool {
    found.opcode == 0x89 && found.memory.is_some()
}

/// The register that an instruction writes, of those that matter here.
fn written(found: &Instruction) -> Option<u8> {
    match found.opcode {
        0x03 | 0x0b | 0x13 | 0x1b | 0x23 | 0x2b | 0x33 | 0x63 | 0x69 | 0x6b | 0x8b | 0x8d => {
            Some(found.reg)
        }
        0x0f40..=0x0f4f | 0x0faf | 0x0fb6 | 0x0fb7 | 0x0fbe | 0x0fbf => Some(found.reg),
        0x01 | 0x09 | 0x11 | 0x19 | 0x21 | 0x29 | 0x31 | 0x89 | 0x81 | 0x83 | 0xc1 | 0xc7 => {
            found.register
        }
        0xff | 0xf7 | 0xd1 | 0xd3 => found.register,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0xffff_ffff_8100_0000;

    fn shared(code: &[u8]) -> Vec<(u64, Target)> {
        let seen = look(START, code, OfVm::All);
        seen.shared
            .iter()
            .map(|s| (s.at - START, s.target))
            .collect()
    }

    #[test]
    fn a_plain_increment_of_a_global_array_is_shared() {
        // inc qword ptr [rax*8 + 0xffffffff82000000]
        let code = [0x48, 0xff, 0x04, 0xc5, 0, 0, 0, 0x82];
        let global = Target::Global(0xffff_ffff_8200_0000);
        assert_eq!(shared(&code), [(0, global)]);
        // add dword ptr [rax + 0xffffffff82000000], 1
        let code = [0x83, 0x80, 0, 0, 0, 0x82, 1];
        assert_eq!(shared(&code), [(0, global)]);
        // inc dword ptr [rip + 0x10]
        let code = [0xff, 0x05, 0x10, 0, 0, 0];
        assert_eq!(shared(&code), [(0, Target::Global(START + 0x16))]);
    }

    #[test]
    fn with_a_lock_or_of_one_processor_or_of_a_vcpu_it_is_not() {
        let own: [&[u8]; 5] = [
            &[0xf0, 0x48, 0xff, 0x04, 0xc5, 0, 0, 0, 0x82], // lock inc
            &[0x3e, 0x48, 0xff, 0x04, 0xc5, 0, 0, 0, 0x82], // the same on one processor
            &[0x65, 0x48, 0xff, 0x05, 0, 0, 0, 0],          // inc gs:[rip]
            &[0x48, 0xff, 0x83, 0, 0x10, 0, 0],             // inc qword ptr [rbx + 0x1000]
            &[0x48, 0xff, 0x84, 0xc3, 0, 0x10, 0, 0],       // inc qword ptr [rbx + rax*8 + …]
        ];
        for code in own {
            assert_eq!(shared(code), [], "{code:02x?}");
        }
    }

    #[test]
    fn what_hangs_on_the_first_word_of_a_vcpu_is_its_vms() {
        let load = [0x48, 0x8b, 0x03]; // mov rax, [rbx]
        let count = [0x48, 0xff, 0x84, 0xd0, 0, 0x10, 0, 0]; // inc qword ptr [rax + rdx*8 + …]
        let other = [0x48, 0x89, 0xd8]; // mov rax, rbx
        let code = [&load[..], &count].concat();
        assert_eq!(shared(&code), [(3, Target::OfVm)]);
        assert_eq!(look(START, &code, OfVm::Arrays).shared.len(), 1);
        // Not an array: inc qword ptr [rax + …]
        let single = [&load[..], &[0x48, 0xff, 0x80, 0, 0x10, 0, 0]].concat();
        assert_eq!(shared(&single), [(3, Target::OfVm)]);
        assert_eq!(look(START, &single, OfVm::Arrays).shared, []);
        assert_eq!(shared(&[&load[..], &other, &count].concat()), []);
        // A call changes rax.
        let call = [0xe8, 0, 0, 0, 0];
        assert_eq!(shared(&[&load[..], &call, &count].concat()), []);
    }

    #[test]
    fn a_variable_that_is_read_changed_and_written_back_is_shared() {
        let code = [
            0x48, 0x8b, 0x05, 0x10, 0, 0, 0, // mov rax, [rip + 0x10]
            0x48, 0x83, 0xc0, 1, // add rax, 1
            0x48, 0x89, 0x05, 0x05, 0, 0, 0, // mov [rip + 0x05], rax: the same
        ];
        assert_eq!(shared(&code), [(11, Target::Global(START + 0x17))]);
        // The same of what hangs on a vCPU's first word, around a call.
        let code = [
            0x4c, 0x8b, 0x23, // mov r12, [rbx]
            0x4b, 0x8b, 0x7c, 0xec, 8, // mov rdi, [r12 + r13*8 + 8]
            0xe8, 0, 0, 0, 0, // call
            0x4b, 0x89, 0x44, 0xec, 8, // mov [r12 + r13*8 + 8], rax
        ];
        assert_eq!(shared(&code), [(13, Target::OfVm)]);
    }

    #[test]
    fn what_is_only_set_is_not_shared() {
        let code = [
            0x48, 0x8b, 0x05, 0x10, 0, 0, 0, // mov rax, [rip + 0x10]
            0x48, 0x83, 0xc0, 1, // add rax, 1
            0x48, 0x89, 0x05, 0x05, 0, 0, 0, // mov [rip + …], rax
        ];
        // Another one.
        let code = [&code[..14], &[0x80, 0, 0, 0]].concat();
        assert_eq!(shared(&code), []);
    }

    #[test]
    fn what_is_jumped_over_by_a_static_key_that_is_off_is_not_executed() {
        let count = [0x48, 0xff, 0x04, 0xc5, 0, 0, 0, 0x82];
        let global = Target::Global(0xffff_ffff_8200_0000);
        // nop; ret; counting; jmp back to ret
        let nop = [0x0f, 0x1f, 0x44, 0, 0];
        let back = [0xeb, 0xf5];
        let off = [&nop[..], &[0xc3], &count, &back].concat();
        assert_eq!(shared(&off), []);
        // The same with the jump: the key is on.
        let on = [&[0xe9, 1, 0, 0, 0, 0xc3][..], &count, &back].concat();
        assert_eq!(shared(&on), [(6, global)]);
    }

    #[test]
    fn calls_are_followed_by_whoever_asks() {
        let seen = look(START, &[0x90, 0xe8, 0x0a, 0, 0, 0, 0xc3], OfVm::All);
        assert_eq!(seen.calls, [START + 0x10]);
    }
}
