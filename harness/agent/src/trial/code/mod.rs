//! The host kernel's code, where it counts: does it add to what vCPUs share with a plain
//! instruction?
//!
//! `array[i]++` is one instruction and loses nothing as long as processors take turns between
//! instructions, as emulated ones do. Where processors really run at once, it does. Memory that
//! is freed as soon as it is allocated leaves no trace either. So both are read and not tried:
//! from `/proc/kcore` or `/dev/mem`, which hold what the kernel executes, by the
//! addresses of `/proc/kallsyms`.

mod decode;
mod image;
mod sharing;
mod symbols;

use exitlab_model::reasons::Isa;

use image::Image;
use sharing::OfVm;
use symbols::{Function, Symbols};

/// Functions that each VM exit passes, by the names that compilers leave.
const COMMON: [&str; 3] = ["vcpu_enter_guest", "kvm_emulate_cpuid", "kvm_cpuid"];
const VMX: [&str; 5] = [
    "vmx_vcpu_run",
    "vmx_vcpu_enter_exit",
    "vmx_exit_handlers_fastpath",
    "vmx_handle_exit",
    "__vmx_handle_exit",
];
const SVM: [&str; 5] = [
    "svm_vcpu_run",
    "svm_vcpu_enter_exit",
    "svm_exit_handlers_fastpath",
    "svm_handle_exit",
    "svm_invoke_exit_handler",
];
/// The function that a compiler makes `vcpu_enter_guest` a part of. What it calls, and what it
/// adds to in the VM, is done for other reasons than an exit, too (Linux 6.1 has such a place).
const AROUND: &str = "kvm_arch_vcpu_ioctl_run";
/// Beginnings of the names of functions that allocate memory.
const ALLOCATORS: [&str; 8] = [
    "__kmalloc",
    "kmalloc",
    "kmem_cache_alloc",
    "kvmalloc",
    "__kvmalloc",
    "vmalloc",
    "__get_free_pages",
    "get_zeroed_page",
];
/// No function is as long.
const LONGEST: u64 = 64 * 1024;
/// Places that are told.
const TOLD: usize = 4;

/// What the kernel's code shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// Where it adds to what is shared, in words.
    pub shared: Vec<String>,
    /// Where it allocates memory, in words.
    pub allocations: Vec<String>,
    /// The functions that were read.
    pub functions: String,
}

/// Bytes of the kernel at an address.
type Bytes<'a> = dyn FnMut(u64, usize) -> Result<Vec<u8>, String> + 'a;

/// Reads the running kernel's code; or why it cannot be read.
pub fn read(isa: Isa) -> Result<Code, String> {
    let symbols = Symbols::read()?;
    let image = Image::open(&symbols)?;
    look(isa, &symbols, &mut |at, len| image.read(at, len))
}

fn look(isa: Isa, symbols: &Symbols, bytes: &mut Bytes<'_>) -> Result<Code, String> {
    let own = match isa {
        Isa::Vmx => VMX,
        Isa::Svm => SVM,
    };
    let names = COMMON.iter().chain(&own);
    let mut roots: Vec<&Function> = names.flat_map(|name| symbols.functions(name)).collect();
    if roots.is_empty() {
        return Err("/proc/kallsyms has none of KVM's functions".to_owned());
    }
    let mut code = Code::default();
    let mut called = Vec::new();
    for function in &roots {
        let seen = look_at(function, OfVm::All, bytes)?;
        code.add(symbols, function, &seen);
        called.extend(seen.calls);
    }
    for function in symbols.functions(AROUND) {
        let mut seen = look_at(function, OfVm::Arrays, bytes)?;
        seen.calls.clear();
        code.add(symbols, function, &seen);
        roots.push(function);
    }
    // A counting function of its own, called from one of them.
    called.sort_unstable();
    called.dedup();
    for at in called {
        let known = roots.iter().any(|root| root.start == at);
        let function = symbols.starting_at(at);
        let Some(function) = function.filter(|_| !known && symbols.is_kvms(at)) else {
            continue;
        };
        let seen = look_at(function, OfVm::Arrays, bytes)?;
        code.add(symbols, function, &seen);
    }
    let names: Vec<&str> = roots.iter().map(|function| &*function.name).collect();
    code.functions = names.join(", ");
    Ok(code)
}

impl Code {
    fn add(&mut self, symbols: &Symbols, function: &Function, seen: &sharing::Seen) {
        self.shared.extend(told(symbols, function, &seen.shared));
        self.shared.truncate(TOLD);
        let called = seen.calls.iter().filter_map(|at| symbols.starting_at(*at));
        let allocates = called.filter(|called| {
            let is = |allocator: &str| called.name.starts_with(allocator);
            ALLOCATORS.iter().any(|allocator| is(allocator))
        });
        self.allocations
            .extend(allocates.map(|called| format!("{} calls {}", function.name, called.name)));
        self.allocations.dedup();
        self.allocations.truncate(TOLD);
    }
}

fn look_at(
    function: &Function,
    of_vm: OfVm,
    bytes: &mut Bytes<'_>,
) -> Result<sharing::Seen, String> {
    let len = function.end.saturating_sub(function.start).min(LONGEST);
    let code = bytes(function.start, len as usize)?;
    Ok(sharing::look(function.start, &code, of_vm))
}

fn told(symbols: &Symbols, function: &Function, shared: &[sharing::Shared]) -> Vec<String> {
    let place = |shared: &sharing::Shared| {
        let at = shared.at - function.start;
        let what = match shared.target {
            sharing::Target::Global(address) => {
                format!(
                    "a variable of the whole kernel ({})",
                    symbols.variable(address)
                )
            }
            sharing::Target::OfVm => "a variable of the VM".to_owned(),
        };
        format!(
            "{}+{at:#x} {} {what} without lock",
            function.name, shared.how
        )
    };
    shared.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counting_function_that_an_exit_calls_is_read_as_well() {
        let symbols = Symbols::parse(
            "ffffffff81000000 T kvm_vcpu_kick\n\
             ffffffff81001000 t vmx_vcpu_run\n\
             ffffffff81001010 T count_exit\n\
             ffffffff81001020 T svm_vcpu_run\n\
             ffffffff81100000 T __kmalloc_cache_noprof\n\
             ffffffff82000000 B exit_counts\n\
             ffffffff82001000 B other\n",
        );
        // call count_exit; ret
        let run = [0xe8, 0x0b, 0, 0, 0, 0xc3];
        // mov edi, edi; inc qword ptr [rdi*8 + exit_counts]; jmp __kmalloc_cache_noprof
        let count = [
            0x89, 0xff, 0x48, 0xff, 0x04, 0xfd, 0, 0, 0, 0x82, 0xe9, 0xe1, 0xef, 0x0f, 0,
        ];
        let mut bytes = |at: u64, len: usize| {
            let code: &[u8] = match at {
                0xffff_ffff_8100_1000 => &run,
                0xffff_ffff_8100_1010 => &count,
                _ => &[],
            };
            let mut code = code.to_vec();
            code.resize(len, 0xcc);
            Ok(code)
        };
        let code = look(Isa::Vmx, &symbols, &mut bytes).unwrap();
        assert_eq!(
            code.shared,
            ["count_exit+0x2 adds to a variable of the whole kernel (exit_counts) without lock"]
        );
        assert_eq!(
            code.allocations,
            ["count_exit calls __kmalloc_cache_noprof"]
        );
        assert_eq!(code.functions, "vmx_vcpu_run");
        let none = look(Isa::Vmx, &Symbols::parse(""), &mut bytes).unwrap_err();
        assert!(none.contains("none of KVM's functions"), "{none}");
    }
}
