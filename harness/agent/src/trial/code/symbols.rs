//! `/proc/kallsyms`: the names of the kernel's functions, and of its variables where it was
//! built with them (`CONFIG_KALLSYMS_ALL`).

use std::ops::Range;

/// The file.
const KALLSYMS: &str = "/proc/kallsyms";
/// Functions of KVM, some of each object that it has: what lies between the lowest and the
/// highest of them is KVM's.
const KVMS: [&str; 12] = [
    "kvm_vcpu_kick",
    "kvm_vcpu_wake_up",
    "kvm_vcpu_halt",
    "kvm_get_kvm",
    "kvm_vm_ioctl",
    "kvm_emulate_cpuid",
    "kvm_cpuid",
    "kvm_arch_vcpu_ioctl_run",
    "kvm_mmu_page_fault",
    "vmx_vcpu_run",
    "svm_vcpu_run",
    "svm_handle_exit",
];

/// Bytes of a variable that has no name for each of its parts. A kernel that was not built with
/// all names has a few, and what is far behind one is something else.
const NEAR: u64 = 16 * 1024;

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its first byte, and that of what follows.
    pub start: u64,
    /// The first byte that is not its own.
    pub end: u64,
}

/// The kernel's symbols.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Ascending by address.
    functions: Vec<Function>,
    variables: Vec<(u64, String)>,
    /// KVM's code: it is asked for of each call, and there are thousands of names to look at.
    kvms: Range<u64>,
}

impl Symbols {
    /// Reads them.
    pub fn read() -> Result<Symbols, String> {
        let text = std::fs::read(KALLSYMS)
            .map_err(|_| format!("this kernel has no {KALLSYMS} (CONFIG_KALLSYMS)"))?;
        Ok(Symbols::parse(&String::from_utf8_lossy(&text)))
    }

    /// Lines of address, kind and name.
    pub fn parse(text: &str) -> Symbols {
        let mut symbols = Symbols::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(address), Some(kind), Some(name)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(start) = u64::from_str_radix(address, 16) else {
                continue;
            };
            match kind {
                "t" | "T" | "w" | "W" => symbols.functions.push(Function {
                    name: name.to_owned(),
                    start,
                    end: start,
                }),
                "b" | "B" | "d" | "D" => symbols.variables.push((start, name.to_owned())),
                _ => {}
            }
        }
        symbols.functions.sort_by_key(|function| function.start);
        symbols.variables.sort();
        let last = symbols.functions.last().map_or(0, |last| last.start + 16);
        let (mut next, mut end) = (last, last);
        for function in symbols.functions.iter_mut().rev() {
            // Another name of the same function ends where that does.
            if function.start < next {
                end = next;
                next = function.start;
            }
            function.end = end;
        }
        symbols.kvms = symbols.of_kvm();
        symbols
    }

    /// From the lowest of KVM's functions to the end of the highest; nothing without any.
    fn of_kvm(&self) -> Range<u64> {
        let known = KVMS.iter().flat_map(|name| self.functions(name));
        let (low, high) = known.fold((u64::MAX, 0), |(low, high), function| {
            (low.min(function.start), high.max(function.end))
        });
        low..high
    }

    /// The functions of a name, with the parts that a compiler makes of one:
    /// `vcpu_enter_guest.isra.0`.
    pub fn functions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().filter(move |function| {
            let rest = function.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The function that begins there.
    pub fn starting_at(&self, address: u64) -> Option<&Function> {
        let at = self
            .functions
            .partition_point(|function| function.start < address);
        self.functions
            .get(at)
            .filter(|function| function.start == address)
    }

    /// Whether an address is of KVM's code.
    pub fn is_kvms(&self, address: u64) -> bool {
        self.kvms.contains(&address)
    }

    /// The name of a variable, or its address where the kernel keeps no such names.
    pub fn variable(&self, address: u64) -> String {
        let at = self
            .variables
            .partition_point(|(start, _)| *start <= address);
        let before = at.checked_sub(1).and_then(|at| self.variables.get(at));
        match before {
            Some((start, name)) if *start == address => name.clone(),
            Some((start, name)) if address - start < NEAR => {
                format!("{name}+{:#x}", address - start)
            }
            _ => format!("at {address:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T kvm_vcpu_kick\n\
                        ffffffff81000040 t vcpu_enter_guest.isra.0\n\
                        ffffffff81000040 t alias\n\
                        ffffffff81000080 T vmx_vcpu_run\t[kvm_intel]\n\
                        ffffffff81000100 T printk\n\
                        ffffffff82000000 b counts\n";

    #[test]
    fn a_function_ends_where_the_next_begins() {
        let symbols = Symbols::parse(TEXT);
        let found: Vec<_> = symbols.functions("vcpu_enter_guest").collect();
        assert_eq!((found.len(), found[0].end), (1, 0xffff_ffff_8100_0080));
        let run = symbols.starting_at(0xffff_ffff_8100_0080).unwrap();
        assert_eq!((&*run.name, run.end - run.start), ("vmx_vcpu_run", 0x80));
        assert_eq!(symbols.starting_at(0xffff_ffff_8100_0081), None);
    }

    #[test]
    fn kvms_code_is_what_lies_between_its_functions() {
        let symbols = Symbols::parse(TEXT);
        assert!(symbols.is_kvms(0xffff_ffff_8100_0040));
        assert!(!symbols.is_kvms(0xffff_ffff_8100_0100));
    }

    #[test]
    fn a_variable_has_its_name_where_there_are_names() {
        let symbols = Symbols::parse(TEXT);
        assert_eq!(symbols.variable(0xffff_ffff_8200_0000), "counts");
        assert_eq!(symbols.variable(0xffff_ffff_8200_0008), "counts+0x8");
        let far = symbols.variable(0xffff_ffff_8201_0000);
        assert_eq!(far, "at 0xffffffff82010000");
        let none = Symbols::default();
        assert_eq!(
            none.variable(0xffff_ffff_8200_0000),
            "at 0xffffffff82000000"
        );
    }
}
