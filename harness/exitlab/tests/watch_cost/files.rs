//! What the machine has: a guest, and its watchers' programs.

use std::path::Path;

use exitlab_base::archive::{Tree, archive};

use crate::machine::firmware;

/// Where Python's own modules are.
const PYTHON: &str = "/usr/lib/python3.11";

/// Names the file of kvm_stat, out of the kernel's sources.
const KVM_STAT: &str = "KVM_STAT";

/// A firmware of 16-bit code: 100 times a second an interrupt of the PIT ends its HLT, and it
/// executes 20 CPUIDs.
const PROGRAM: [u8; 88] = [
    0xfa, // cli
    0x31, 0xc0, // xor %ax, %ax
    0x8e, 0xd8, // mov %ax, %ds
    0x8e, 0xd0, // mov %ax, %ss
    0xbc, 0x00, 0x70, // mov $0x7000, %sp
    0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, // mov $0x1b, %ecx: IA32_APIC_BASE
    0x66, 0x31, 0xd2, // xor %edx, %edx
    0x66, 0x31, 0xc0, // xor %eax, %eax
    0x0f, 0x30, // wrmsr: interrupts come from the PIC alone
    0xc7, 0x06, 0x80, 0x00, 0x53, 0x00, // movw $handler, 0x80: vector 0x20
    0xc7, 0x06, 0x82, 0x00, 0x00, 0xf0, // movw $0xf000, 0x82
    0xb0, 0x11, 0xe6, 0x20, // the PIC: begin,
    0xb0, 0x20, 0xe6, 0x21, // from vector 0x20 on,
    0xb0, 0x04, 0xe6, 0x21, // the second one at line 2,
    0xb0, 0x01, 0xe6, 0x21, // ends are told,
    0xb0, 0xfe, 0xe6, 0x21, // and the PIT's line alone
    0xb0, 0x34, 0xe6, 0x43, // the PIT: again and again,
    0xb0, 0x9c, 0xe6, 0x40, // after 11,932 ticks
    0xb0, 0x2e, 0xe6, 0x40, //
    0xfb, // again: sti
    0xf4, // hlt
    0xbe, 0x14, 0x00, // mov $20, %si
    0x66, 0x31, 0xc0, // more: xor %eax, %eax
    0x0f, 0xa2, // cpuid
    0x4e, // dec %si
    0x75, 0xf8, // jne more
    0xeb, 0xf1, // jmp again
    0xb0, 0x20, // handler: mov $0x20, %al
    0xe6, 0x20, // out %al, $0x20
    0xcf, // iret
];

/// For the `/exp` of the machine.
pub fn all() -> [(&'static str, Vec<u8>); 3] {
    let kvm_stat = std::env::var_os(KVM_STAT).expect("scripts/benchmark-watch says where it is");
    [
        ("rom", firmware(&PROGRAM)),
        ("kvm_stat", std::fs::read(kvm_stat).unwrap()),
        ("tools.cpio", archive(&tools()).unwrap()),
    ]
}

fn tools() -> Tree {
    let mut tree = Tree::default();
    for program in ["perf", "python3.11", "script"] {
        let path = Path::new("/usr/bin").join(program);
        tree.program(&path).unwrap();
    }
    for part in [
        "",
        "encodings",
        "collections",
        "ctypes",
        "curses",
        "importlib",
        "re",
        "lib-dynload",
    ] {
        let dir = Path::new(PYTHON).join(part);
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let end = path.extension().and_then(|end| end.to_str());
            if matches!(end, Some("py" | "so")) {
                tree.program(&path).unwrap();
            }
        }
    }
    tree.program(Path::new("/lib/terminfo/l/linux")).unwrap();
    tree
}
