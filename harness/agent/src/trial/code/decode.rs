//! Instructions of 64-bit mode: how long each is, and what memory it names. Only what kernel
//! code consists of: no vector extensions (SDM volume 2, chapter 2 and appendix A).

/// An instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Its length, bytes.
    pub len: usize,
    /// It has a LOCK prefix, or what Linux makes of one where there is one processor only: a
    /// prefix of DS.
    pub locked: bool,
    /// Its memory is relative to FS or GS, as what each processor has of its own.
    pub of_processor: bool,
    /// The opcode, with 0x0f00 for the second table.
    pub opcode: u16,
    /// The middle bits of ModRM: a register, or more of the opcode.
    pub reg: u8,
    /// The register that ModRM names instead of memory.
    pub register: Option<u8>,
    /// The memory that it names.
    pub memory: Option<Memory>,
    /// The distance of a relative CALL.
    pub call: Option<i32>,
    /// The distance of a relative jump, conditional or not.
    pub jump: Option<i32>,
    /// What follows is not executed after it.
    pub ends: bool,
}

/// What an instruction names in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Relative to the next instruction.
    pub relative: bool,
    /// A register.
    pub base: Option<u8>,
    /// A register, times something.
    pub index: Option<u8>,
    /// A distance.
    pub displacement: i32,
}

/// What follows an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// ModRM or not, and so many bytes of an immediate value.
    Plain(bool, usize),
    /// ModRM or not, and an immediate value of the operand's size, at most four bytes.
    Sized(bool),
    /// MOV of a whole word into a register.
    Whole,
    /// TEST and others of group 3: a value only where the middle bits are 0 or 1.
    Group3(bool),
    /// No kernel code.
    Unknown,
}

fn form(opcode: u8) -> Form {
    use Form::{Group3, Plain, Sized, Unknown, Whole};
    match opcode {
        0x00..=0x3f => match opcode & 7 {
            0..=3 => Plain(true, 0),
            4 => Plain(false, 1),
            5 => Sized(false),
            _ => Unknown,
        },
        0x50..=0x5f | 0x6c..=0x6f | 0x90..=0x99 | 0x9b..=0x9f => Plain(false, 0),
        0xa4..=0xa7 | 0xaa..=0xaf | 0xc3 | 0xc9 | 0xcb | 0xcc | 0xcf => Plain(false, 0),
        0xd7 | 0xec..=0xef | 0xf1 | 0xf4 | 0xf5 | 0xf8..=0xfd => Plain(false, 0),
        0x63 | 0x84..=0x8f | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => Plain(true, 0),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => Plain(true, 1),
        0x6a | 0x70..=0x7f | 0xa8 | 0xb0..=0xb7 | 0xcd => Plain(false, 1),
        0xe0..=0xe7 | 0xeb => Plain(false, 1),
        0x68 | 0xa9 => Sized(false),
        0x69 | 0x81 | 0xc7 => Sized(true),
        0xa0..=0xa3 => Plain(false, 8),
        0xb8..=0xbf => Whole,
        0xc2 | 0xca => Plain(false, 2),
        0xc8 => Plain(false, 3),
        0xe8 | 0xe9 => Plain(false, 4),
        0xf6 => Group3(false),
        0xf7 => Group3(true),
        _ => Unknown,
    }
}

fn second_form(opcode: u8) -> Form {
    use Form::{Plain, Unknown};
    match opcode {
        0x05..=0x09 | 0x0b | 0x30..=0x37 | 0x77 | 0xa0..=0xa2 | 0xa8..=0xaa => Plain(false, 0),
        0xc8..=0xcf => Plain(false, 0),
        0x80..=0x8f => Plain(false, 4),
        0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => Plain(true, 1),
        0x04 | 0x0a | 0x0c | 0x0e | 0x0f | 0x24..=0x27 | 0x39 | 0x3b..=0x3f => Unknown,
        _ => Plain(true, 0),
    }
}

/// The first instruction of some code; none if it is not one of a kernel's.
pub fn decode(code: &[u8]) -> Option<Instruction> {
    let mut instruction = Instruction::default();
    let (mut at, mut short, mut rex) = (0, false, 0_u8);
    loop {
        let byte = *code.get(at)?;
        match byte {
            0xf0 | 0x3e => instruction.locked = true,
            0x64 | 0x65 => instruction.of_processor = true,
            0x66 => short = true,
            0x26 | 0x2e | 0x36 | 0x67 | 0xf2 | 0xf3 => {}
            0x40..=0x4f => rex = byte,
            _ => break,
        }
        // A prefix after REX makes it void.
        if !(0x40..=0x4f).contains(&byte) {
            rex = 0;
        }
        at += 1;
    }
    let form = opcode(code, &mut at, &mut instruction)?;
    let (has_modrm, mut value) = match form {
        Form::Plain(modrm, value) => (modrm, value),
        Form::Sized(modrm) => (modrm, if short { 2 } else { 4 }),
        Form::Whole if rex & 8 != 0 => (false, 8),
        Form::Whole => (false, if short { 2 } else { 4 }),
        Form::Group3(_) => (true, 0),
        Form::Unknown => return None,
    };
    if has_modrm {
        at += modrm(code.get(at..)?, rex, &mut instruction)?;
    }
    if let (Form::Group3(wide), 0 | 1) = (form, instruction.reg & 7) {
        value = match (wide, short) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 4,
        };
    }
    flow(code, at, &mut instruction)?;
    instruction.len = at + value;
    (instruction.len <= code.len()).then_some(instruction)
}

/// The opcode at that place, which moves behind it, and what follows.
fn opcode(code: &[u8], at: &mut usize, instruction: &mut Instruction) -> Option<Form> {
    let first = *code.get(*at)?;
    *at += 1;
    if first != 0x0f {
        instruction.opcode = first.into();
        return Some(form(first));
    }
    let second = *code.get(*at)?;
    *at += 1;
    instruction.opcode = 0x0f00 | u16::from(second);
    if second != 0x38 && second != 0x3a {
        return Some(second_form(second));
    }
    *at += 1;
    Some(Form::Plain(true, usize::from(second == 0x3a)))
}

/// Where an instruction goes whose value is at that place.
fn flow(code: &[u8], at: usize, instruction: &mut Instruction) -> Option<()> {
    let near = || code.get(at).map(|byte| i32::from(byte.cast_signed()));
    match instruction.opcode {
        0xe8 => instruction.call = Some(signed(code, at)?),
        0x70..=0x7f | 0xe0..=0xe3 | 0xeb => instruction.jump = Some(near()?),
        0xe9 | 0x0f80..=0x0f8f => instruction.jump = Some(signed(code, at)?),
        _ => {}
    }
    instruction.ends = match instruction.opcode {
        0xeb | 0xe9 | 0xc2 | 0xc3 | 0xca | 0xcb | 0xcc | 0xcf => true,
        0xff => matches!(instruction.reg & 7, 4 | 5),
        _ => false,
    };
    Some(())
}

/// ModRM, SIB and displacement: enters what they name, and returns how many bytes they are.
fn modrm(code: &[u8], rex: u8, instruction: &mut Instruction) -> Option<usize> {
    let byte = *code.first()?;
    let (mode, low) = (byte >> 6, byte & 7);
    instruction.reg = byte >> 3 & 7 | (rex & 4) << 1;
    if mode == 3 {
        instruction.register = Some(low | (rex & 1) << 3);
        return Some(1);
    }
    let mut at = 1;
    let mut memory = Memory {
        relative: false,
        base: Some(low | (rex & 1) << 3),
        index: None,
        displacement: 0,
    };
    let mut long = mode == 2;
    if low == 4 {
        let sib = *code.get(1)?;
        at += 1;
        let index = sib >> 3 & 7 | (rex & 2) << 2;
        memory.index = (index != 4).then_some(index);
        memory.base = Some(sib & 7 | (rex & 1) << 3);
        if mode == 0 && sib & 7 == 5 {
            memory.base = None;
            long = true;
        }
    } else if mode == 0 && low == 5 {
        memory.base = None;
        memory.relative = true;
        long = true;
    }
    if long {
        memory.displacement = signed(code, at)?;
        at += 4;
    } else if mode == 1 {
        memory.displacement = i32::from(code.get(at)?.cast_signed());
        at += 1;
    }
    instruction.memory = Some(memory);
    Some(at)
}

fn signed(code: &[u8], at: usize) -> Option<i32> {
    let bytes = code.get(at..at + 4)?;
    Some(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(code: &[u8]) -> Option<usize> {
        decode(code).map(|instruction| instruction.len)
    }

    #[test]
    fn lengths_are_those_of_the_manual() {
        for code in [
            &[0x90_u8][..],                              // nop
            &[0xf3, 0x0f, 0x1e, 0xfa],                   // endbr64
            &[0x0f, 0x1f, 0x44, 0, 0],                   // nop dword [rax+rax+0]
            &[0x55],                                     // push rbp
            &[0x41, 0x57],                               // push r15
            &[0x48, 0x89, 0xe5],                         // mov rbp, rsp
            &[0x48, 0x8b, 0x04, 0x25, 1, 2, 3, 4],       // mov rax, [0x4030201]
            &[0x65, 0x48, 0x8b, 0x05, 1, 2, 3, 4],       // mov rax, gs:[rip+…]
            &[0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],       // movabs rax, …
            &[0xb8, 1, 2, 3, 4],                         // mov eax, …
            &[0x66, 0xb8, 1, 2],                         // mov ax, …
            &[0xf7, 0xc0, 1, 2, 3, 4],                   // test eax, …
            &[0xf7, 0xd8],                               // neg eax
            &[0xf6, 0x45, 8, 1],                         // test byte [rbp+8], 1
            &[0x66, 0x81, 0x7d, 8, 1, 2],                // cmp word [rbp+8], …
            &[0xc7, 0x84, 0x24, 1, 2, 3, 4, 5, 6, 7, 8], // mov dword [rsp+…], …
            &[0x0f, 0x84, 1, 2, 3, 4],                   // je
            &[0x0f, 0x0b],                               // ud2
            &[0x0f, 0x01, 0xc2],                         // vmlaunch
            &[0x0f, 0x78, 0xd0],                         // vmread rax, rdx
            &[0x0f, 0xba, 0xe0, 5],                      // bt eax, 5
            &[0xf0, 0x48, 0x0f, 0xc1, 0x07],             // lock xadd [rdi], rax
            &[0x83, 0x3d, 1, 2, 3, 4, 5],                // cmp dword [rip+…], 5
            &[0xe8, 1, 2, 3, 4],                         // call
            &[0xc3],                                     // ret
        ] {
            assert_eq!(len(code), Some(code.len()), "{code:02x?}");
            assert_eq!(len(&code[..code.len() - 1]), None, "{code:02x?} cut short");
        }
        assert_eq!(len(&[0xc5, 0xf8, 0x77]), None, "vector extensions");
        assert_eq!(len(&[]), None);
    }

    #[test]
    fn jumps_and_ends_are_told() {
        let flow = |code: &[u8]| {
            let found = decode(code).unwrap();
            (found.jump, found.ends)
        };
        assert_eq!(flow(&[0x75, 0xfe]), (Some(-2), false)); // jne
        assert_eq!(flow(&[0x0f, 0x84, 1, 0, 0, 0]), (Some(1), false)); // je
        assert_eq!(flow(&[0xeb, 5]), (Some(5), true)); // jmp
        assert_eq!(flow(&[0xe9, 5, 0, 0, 0]), (Some(5), true));
        assert_eq!(flow(&[0xc3]), (None, true)); // ret
        assert_eq!(flow(&[0xff, 0xe0]), (None, true)); // jmp rax
        assert_eq!(flow(&[0xff, 0xd0]), (None, false)); // call rax
        assert_eq!(flow(&[0x0f, 0x0b]), (None, false)); // ud2 of a warning
    }

    #[test]
    fn memory_is_named_by_base_index_and_displacement() {
        // inc qword ptr [rax*8 - 0x7e000000]
        let found = decode(&[0x48, 0xff, 0x04, 0xc5, 0, 0, 0, 0x82]).unwrap();
        let memory = found.memory.unwrap();
        assert_eq!((memory.base, memory.index), (None, Some(0)));
        assert_eq!(memory.displacement, -0x7e00_0000);
        assert_eq!((found.opcode, found.reg, found.locked), (0xff, 0, false));
        // add dword ptr [r12+8], 1
        let found = decode(&[0x41, 0x83, 0x44, 0x24, 8, 1]).unwrap();
        let memory = found.memory.unwrap();
        assert_eq!(
            (memory.base, memory.index, memory.displacement),
            (Some(12), None, 8)
        );
        // lock inc, and what Linux makes of it on one processor
        for lock in [0xf0, 0x3e] {
            let found = decode(&[lock, 0x48, 0xff, 0x05, 1, 2, 3, 4]).unwrap();
            assert!(found.locked && found.memory.unwrap().relative);
        }
    }
}
