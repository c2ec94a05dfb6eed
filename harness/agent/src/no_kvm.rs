//! Why there is no `/dev/kvm` on this host: its kernel has no KVM, has it as modules that
//! nobody loads, has only the other vendor's, or has the right one, which finds no
//! virtualization to use.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::hardware;
use exitlab_model::reasons::Isa;

use super::failure::Failure;

/// A symbol of the kernel proper that is there for KVM alone (`arch/x86/kernel/fpu/core.c`,
/// `#if IS_ENABLED(CONFIG_KVM)`; since Linux 5.17): the modules' part of a kernel.
const FOR_MODULES: &str = "fpu_swap_kvm_fpstate";

/// Where a vendor's KVM is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the kernel, or a module that is loaded.
    Here,
    /// A module that is not loaded.
    Module,
    /// Nowhere.
    Nowhere,
}

/// Fails with the reason where KVM's device cannot be opened; `stage` is what needs it.
pub fn require(stage: Stage) -> Result<(), Failure> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .open(hardware::DEVICE);
    opened.map(drop).map_err(|error| explain(stage, &error))
}

fn explain(stage: Stage, error: &std::io::Error) -> Failure {
    let opened = format!("failed to open {}: {error}", hardware::DEVICE);
    // Whatever else it is, there is a KVM.
    let is_there = !matches!(error.kind(), ErrorKind::NotFound)
        && !matches!(error.raw_os_error(), Some(ENXIO | ENODEV));
    if is_there {
        return Failure::new(stage, FailureKind::Host, opened);
    }
    let root = Path::new("/");
    let (kind, why) = cause(root, hardware::isa(root), config().as_deref());
    Failure::new(stage, kind, format!("{opened}: {why}"))
}

/// No such device or address; no such device: a node whose driver is not there.
const ENXIO: i32 = 6;
const ENODEV: i32 = 19;

/// The running kernel's configuration, if it tells it.
fn config() -> Option<String> {
    const PATH: &str = "/proc/config.gz";
    let unpackers = [["busybox", "zcat"], ["gzip", "-dc"]];
    unpackers.iter().find_map(|[program, word]| {
        let mut command = Command::new(program);
        command.args([word, PATH]).stdin(Stdio::null());
        let output = command.stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.contains("CONFIG_").then_some(text)
    })
}

fn cause(root: &Path, isa: Option<Isa>, config: Option<&str>) -> (FailureKind, String) {
    let Some(isa) = isa else {
        let why = "the processor offers neither VMX nor SVM (flags in /proc/cpuinfo)";
        return (FailureKind::VirtualizationOff, why.to_owned());
    };
    let other = match isa {
        Isa::Vmx => Isa::Svm,
        Isa::Svm => Isa::Vmx,
    };
    let symbols = config.is_none().then(|| Symbols::read(root));
    let place = |isa| match (config, &symbols) {
        _ if loaded(root, isa) => Place::Here,
        (Some(config), _) => configured(config, isa),
        (None, Some(symbols)) => symbols.place(isa),
        (None, None) => Place::Nowhere,
    };
    let source = if config.is_some() {
        "/proc/config.gz"
    } else {
        "/sys/module and /proc/kallsyms"
    };
    let (module, vendor) = (hardware::module(isa), vendor(isa));
    match (place(isa), place(other)) {
        (Place::Here, _) => (
            FailureKind::VirtualizationOff,
            format!(
                "this kernel has {module}, which found no virtualization that it can use (see \
                 the host's console)"
            ),
        ),
        (Place::Module, _) => (
            FailureKind::KvmModules,
            format!("this kernel has KVM as modules, which nobody loads here (by {source})"),
        ),
        (Place::Nowhere, Place::Here | Place::Module) => (
            FailureKind::OtherVendor,
            format!(
                "this kernel has only {}, and this host's processor is {vendor}'s, which needs \
                 {module} (by {source})",
                hardware::module(other)
            ),
        ),
        (Place::Nowhere, Place::Nowhere) => (
            FailureKind::NoKvm,
            format!("this kernel has no KVM for {vendor} (by {source})"),
        ),
    }
}

fn vendor(isa: Isa) -> &'static str {
    match isa {
        Isa::Vmx => "Intel",
        Isa::Svm => "AMD",
    }
}

/// Whether the kernel shows the module, which it does for one that is built in, too.
fn loaded(root: &Path, isa: Isa) -> bool {
    root.join("sys/module").join(hardware::module(isa)).exists()
}

/// By the kernel's configuration.
fn configured(config: &str, isa: Isa) -> Place {
    let value = |symbol: &str| {
        let mut values = config.lines().filter_map(|line| line.split_once('='));
        let found = values.find(|(name, _)| *name == symbol);
        found.map_or("n", |(_, value)| value.trim())
    };
    let own = match isa {
        Isa::Vmx => "CONFIG_KVM_INTEL",
        Isa::Svm => "CONFIG_KVM_AMD",
    };
    match (value("CONFIG_KVM"), value(own)) {
        ("n", _) | (_, "n") => Place::Nowhere,
        ("m", _) | (_, "m") => Place::Module,
        _ => Place::Here,
    }
}

/// What `/proc/kallsyms` has of KVM.
#[derive(Debug, Default)]
struct Symbols {
    vmx: bool,
    svm: bool,
    for_modules: bool,
}

impl Symbols {
    fn read(root: &Path) -> Symbols {
        let mut symbols = Symbols::default();
        let Ok(file) = File::open(root.join("proc/kallsyms")) else {
            return symbols;
        };
        // `ffffffff81000000 T name`, with addresses of 0 for those who may not see them.
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            match line.split_ascii_whitespace().nth(2) {
                Some("vmx_vcpu_run") => symbols.vmx = true,
                Some("svm_vcpu_run") => symbols.svm = true,
                Some(FOR_MODULES) => symbols.for_modules = true,
                _ => {}
            }
        }
        symbols
    }

    fn place(&self, isa: Isa) -> Place {
        let own = match isa {
            Isa::Vmx => self.vmx,
            Isa::Svm => self.svm,
        };
        match own {
            true => Place::Here,
            // Both vendors' modules come from a kernel that has something for modules only.
            false if self.for_modules && !self.vmx && !self.svm => Place::Module,
            false => Place::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_configuration_says_which_it_is() {
        let root = root(&[]);
        let of = |config: &str| cause(root.path(), Some(Isa::Svm), Some(config));
        let modules = of("CONFIG_KVM=m\nCONFIG_KVM_AMD=m\n");
        assert_eq!(modules.0, FailureKind::KvmModules);
        assert!(modules.1.contains("/proc/config.gz"), "{}", modules.1);
        let half = of("CONFIG_KVM=y\nCONFIG_KVM_AMD=m\n");
        assert_eq!(half.0, FailureKind::KvmModules);
        let none = of("CONFIG_MODULES=y\n# CONFIG_KVM is not set\n");
        assert_eq!(none.0, FailureKind::NoKvm);
        let core_only = of("CONFIG_KVM=y\n# CONFIG_KVM_AMD is not set\n");
        assert_eq!(core_only.0, FailureKind::NoKvm);
        let other = of("CONFIG_KVM=y\nCONFIG_KVM_INTEL=y\n");
        assert_eq!(other.0, FailureKind::OtherVendor);
        assert!(other.1.contains("only kvm_intel"), "{}", other.1);
        let off = of("CONFIG_KVM=y\nCONFIG_KVM_AMD=y\n");
        assert_eq!(off.0, FailureKind::VirtualizationOff);
    }

    #[test]
    fn without_a_configuration_modules_and_symbols_say_it() {
        let of = |isa, files: &[(&str, &str)]| cause(root(files).path(), Some(isa), None).0;
        let kallsyms = |names: &str| -> String {
            let lines = names.split(' ').map(|name| format!("00000000 t {name}\n"));
            lines.collect()
        };
        let symbols = |isa, names: &str| of(isa, &[("proc/kallsyms", &kallsyms(names))]);
        assert_eq!(symbols(Isa::Svm, "_text"), FailureKind::NoKvm);
        let modules = "_text fpu_swap_kvm_fpstate";
        assert_eq!(symbols(Isa::Svm, modules), FailureKind::KvmModules);
        let intel = "vmx_vcpu_run fpu_swap_kvm_fpstate";
        assert_eq!(symbols(Isa::Svm, intel), FailureKind::OtherVendor);
        assert_eq!(symbols(Isa::Vmx, intel), FailureKind::VirtualizationOff);
        let shown = [("sys/module/kvm_amd/parameters/npt", "Y")];
        assert_eq!(of(Isa::Svm, &shown), FailureKind::VirtualizationOff);
        assert_eq!(of(Isa::Vmx, &shown), FailureKind::OtherVendor);
        assert_eq!(of(Isa::Vmx, &[]), FailureKind::NoKvm);
    }

    #[test]
    fn a_device_that_is_there_and_cannot_be_opened_is_told_as_it_is() {
        let denied = std::io::Error::from(ErrorKind::PermissionDenied);
        assert_eq!(explain(Stage::Judging, &denied).kind, FailureKind::Host);
    }
}
