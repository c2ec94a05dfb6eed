//! Which KVM is in a kernel: by its configuration, where the kernel carries it
//! (`CONFIG_IKCONFIG`), else by the names of the parameters of KVM's modules.

use exitlab_model::hardware;
use exitlab_model::hindrance::Hindrance;
use exitlab_model::reasons::Isa;

use super::payload::filtered;
use super::unfit::Unfit;

/// Marks around the configuration (`kernel/configs.c`).
const CONFIG_BEGINS: &[u8] = b"IKCFG_ST";
const CONFIG_ENDS: &[u8] = b"IKCFG_ED";
/// No configuration is longer, bytes.
const LONGEST_CONFIG: u64 = 4 << 20;

/// A name that a kernel of Linux 5.17 or later exports for KVM's modules only
/// (`arch/x86/kernel/fpu/core.c`, `#if IS_ENABLED(CONFIG_KVM)`).
const FOR_MODULES: &[u8] = b"fpu_swap_kvm_fpstate";

/// A part of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It is in the kernel.
    BuiltIn,
    /// It is a module.
    Module,
    /// It is a module, or is not there: the kernel itself does not tell.
    NotBuiltIn,
    /// It is not there.
    Absent,
}

/// KVM of both vendors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kvm {
    /// `kvm_intel`
    pub intel: Part,
    /// `kvm_amd`
    pub amd: Part,
    /// Whether the kernel's configuration says so.
    pub by_config: bool,
}

impl Kvm {
    /// The KVM of an unpacked kernel.
    pub fn of(kernel: &[u8]) -> Kvm {
        if let Some(config) = config(kernel) {
            return Kvm {
                intel: configured(&config, "CONFIG_KVM_INTEL"),
                amd: configured(&config, "CONFIG_KVM_AMD"),
                by_config: true,
            };
        }
        let intel = has_text(kernel, b"kvm_intel.");
        let amd = has_text(kernel, b"kvm_amd.");
        let part = |there| match there {
            true => Part::BuiltIn,
            false if intel || amd => Part::Absent,
            false if has_text(kernel, FOR_MODULES) => Part::Module,
            false => Part::NotBuiltIn,
        };
        Kvm {
            intel: part(intel),
            amd: part(amd),
            by_config: false,
        }
    }

    /// Fails if there is none for a processor with that virtualization.
    pub(super) fn fits(&self, isa: Isa) -> Result<(), Unfit> {
        let (own, other, others) = match isa {
            Isa::Vmx => (self.intel, self.amd, Isa::Svm),
            Isa::Svm => (self.amd, self.intel, Isa::Vmx),
        };
        let by = match self.by_config {
            true => "by its configuration",
            false => "by what is in it",
        };
        let (module, other_module) = (hardware::module(isa), hardware::module(others));
        let (hindrance, seen) = match (own, other) {
            (Part::BuiltIn, _) => return Ok(()),
            (Part::Module, _) => (
                Hindrance::KvmModules,
                format!("it has {module} as a module, which only its package brings ({by})"),
            ),
            (_, Part::BuiltIn | Part::Module) => (
                Hindrance::OtherVendor,
                format!("it has {other_module} and no {module} ({by})"),
            ),
            (Part::NotBuiltIn, _) => (
                Hindrance::NoKvm,
                format!("it has no KVM, unless as modules ({by})"),
            ),
            (Part::Absent, _) => (Hindrance::NoKvm, format!("it has no KVM ({by})")),
        };
        Err(Unfit::new(hindrance, seen))
    }
}

/// The configuration that a kernel carries.
fn config(kernel: &[u8]) -> Option<String> {
    let begin = find(kernel, CONFIG_BEGINS)? + CONFIG_BEGINS.len();
    let packed = &kernel[begin..];
    let packed = &packed[..find(packed, CONFIG_ENDS)?];
    let text = filtered(&["gzip", "-dc"], packed, LONGEST_CONFIG).ok()?;
    String::from_utf8(text).ok()
}

fn configured(config: &str, symbol: &str) -> Part {
    let value = |symbol: &str| {
        let mut values = config.lines().filter_map(|line| line.split_once('='));
        values
            .find(|(name, _)| *name == symbol)
            .map(|(_, value)| value)
    };
    match (value("CONFIG_KVM"), value(symbol)) {
        (None, _) | (_, None) => Part::Absent,
        (Some("m"), _) | (_, Some("m")) => Part::Module,
        _ => Part::BuiltIn,
    }
}

/// Whether a text of the kernel begins so: a zero ends the one before it.
pub(super) fn has_text(kernel: &[u8], beginning: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = find(&kernel[from..], beginning).map(|at| from + at) {
        if at > 0 && kernel[at - 1] == 0 {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Where a text begins.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if bytes[at..].starts_with(text) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
