//! The host kernel's code, where it counts: does it add to what vCPUs share with a plain
//! instruction?
//!
//! `array[i]++` is one instruction and loses nothing as long as processors take turns between
//! instructions, as emulated ones do. Where processors really run at once, it does. So this is
//! read and not tried: from `/proc/kcore`, which holds what the kernel executes, by the
//! addresses of `/proc/kallsyms`.

mod decode;
mod image;
mod sharing;
mod symbols;

use exitlab_model::reasons::Isa;

use image::Image;
use symbols::{Function, Symbols};

/// Functions that each VM exit passes, by the names that compilers leave.
const COMMON: [&str; 4] = [
    "vcpu_enter_guest",
    "vcpu_run",
    "kvm_emulate_cpuid",
    "kvm_cpuid",
];
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
/// No function is as long.
const LONGEST: u64 = 64 * 1024;

/// What the kernel's code shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Where it adds to what is shared, in words.
    Found(Vec<String>),
    /// Nowhere in these functions.
    Nothing(String),
    /// It cannot be read.
    Unreadable(String),
}

/// Reads the running kernel's code.
pub fn read(isa: Isa) -> Reading {
    let read = || {
        let mut image = Image::open()?;
        let symbols = Symbols::read()?;
        look(isa, &symbols, &mut |at, len| image.read(at, len))
    };
    read().unwrap_or_else(Reading::Unreadable)
}

fn look(
    isa: Isa,
    symbols: &Symbols,
    bytes: &mut dyn FnMut(u64, usize) -> Result<Vec<u8>, String>,
) -> Result<Reading, String> {
    let own = match isa {
        Isa::Vmx => VMX,
        Isa::Svm => SVM,
    };
    let names = COMMON.iter().chain(&own);
    let roots: Vec<&Function> = names.flat_map(|name| symbols.functions(name)).collect();
    if roots.is_empty() {
        return Err("/proc/kallsyms has none of KVM's functions".to_owned());
    }
    let mut places = Vec::new();
    let mut called = Vec::new();
    for function in &roots {
        let seen = look_at(function, true, bytes)?;
        places.extend(told(symbols, function, &seen.shared));
        called.extend(seen.calls);
    }
    // A counting function of its own, called from one of them.
    called.sort_unstable();
    called.dedup();
    for at in called {
        let Some(function) = symbols.starting_at(at) else {
            continue;
        };
        let known = roots.iter().any(|root| root.start == at);
        if known || !symbols.is_kvms(at) {
            continue;
        }
        let seen = look_at(function, false, bytes)?;
        places.extend(told(symbols, function, &seen.shared));
    }
    if places.is_empty() {
        let names: Vec<&str> = roots.iter().map(|function| &*function.name).collect();
        return Ok(Reading::Nothing(names.join(", ")));
    }
    places.sort();
    places.truncate(4);
    Ok(Reading::Found(places))
}

fn look_at(
    function: &Function,
    follows_vm: bool,
    bytes: &mut dyn FnMut(u64, usize) -> Result<Vec<u8>, String>,
) -> Result<sharing::Seen, String> {
    let len = function.end.saturating_sub(function.start).min(LONGEST);
    let code = bytes(function.start, len as usize)?;
    Ok(sharing::look(function.start, &code, follows_vm))
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
             ffffffff82000000 B exit_counts\n\
             ffffffff82001000 B other\n",
        );
        // call count_exit; ret
        let run = [0xe8, 0x0b, 0, 0, 0, 0xc3];
        // mov edi, edi; inc qword ptr [rdi*8 + exit_counts]; ret
        let count = [0x89, 0xff, 0x48, 0xff, 0x04, 0xfd, 0, 0, 0, 0x82, 0xc3];
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
        assert_eq!(
            look(Isa::Vmx, &symbols, &mut bytes).unwrap(),
            Reading::Found(vec![
                "count_exit+0x2 adds to a variable of the whole kernel (exit_counts) without lock"
                    .to_owned()
            ])
        );
        let none = look(Isa::Vmx, &Symbols::parse(""), &mut bytes).unwrap_err();
        assert!(none.contains("none of KVM's functions"), "{none}");
    }
}
