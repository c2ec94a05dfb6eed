//! Why a kernel could not be tried: what hinders `exitlab conformance` before the first rule.

use serde::{Deserialize, Serialize};

/// What hinders a trial. Each is said by its name in tables, and in a sentence with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// There is no file, or it cannot be read.
    NoFile,
    /// The file is something else than a kernel that boots.
    NoKernel,
    /// The file is shorter than its header says.
    Truncated,
    /// The file is not as it was built, or its payload cannot be unpacked.
    Damaged,
    /// A kernel for other processors, or of 32 bits.
    WrongMachine,
    /// The kernel has no KVM.
    NoKvm,
    /// The kernel has KVM as modules, which its image does not hold.
    KvmModules,
    /// The kernel has only the other vendor's KVM.
    OtherVendor,
    /// The processor offers no virtualization to the kernel.
    VirtualizationOff,
    /// The kernel does not build.
    NoBuild,
    /// The kernel boots, and cannot start what it is to run.
    NoInit,
    /// The kernel panics before the trial begins.
    Panic,
    /// The kernel resets or powers off the machine before the trial begins.
    Reset,
    /// The kernel says nothing.
    Silent,
    /// The trial broke off.
    BrokenOff,
    /// exitlab or this machine failed, and not the kernel: another try may do better.
    Trouble,
}

impl Hindrance {
    /// Every one.
    pub const ALL: [Hindrance; 16] = [
        Hindrance::NoFile,
        Hindrance::NoKernel,
        Hindrance::Truncated,
        Hindrance::Damaged,
        Hindrance::WrongMachine,
        Hindrance::NoKvm,
        Hindrance::KvmModules,
        Hindrance::OtherVendor,
        Hindrance::VirtualizationOff,
        Hindrance::NoBuild,
        Hindrance::NoInit,
        Hindrance::Panic,
        Hindrance::Reset,
        Hindrance::Silent,
        Hindrance::BrokenOff,
        Hindrance::Trouble,
    ];

    /// Its name in tables and for programs.
    pub fn name(self) -> &'static str {
        match self {
            Hindrance::NoFile => "no-file",
            Hindrance::NoKernel => "no-kernel",
            Hindrance::Truncated => "truncated",
            Hindrance::Damaged => "damaged",
            Hindrance::WrongMachine => "wrong-machine",
            Hindrance::NoKvm => "no-kvm",
            Hindrance::KvmModules => "kvm-modules",
            Hindrance::OtherVendor => "other-vendor",
            Hindrance::VirtualizationOff => "virtualization-off",
            Hindrance::NoBuild => "no-build",
            Hindrance::NoInit => "no-init",
            Hindrance::Panic => "panic",
            Hindrance::Reset => "reset",
            Hindrance::Silent => "silent",
            Hindrance::BrokenOff => "broken-off",
            Hindrance::Trouble => "trouble",
        }
    }

    /// What can be done about it.
    pub fn cure(self) -> &'static str {
        match self {
            Hindrance::NoFile => "hand in arch/x86/boot/bzImage of the build",
            Hindrance::NoKernel => {
                "hand in arch/x86/boot/bzImage of the build as it is: not vmlinux, not an archive"
            }
            Hindrance::Truncated | Hindrance::Damaged => {
                "copy arch/x86/boot/bzImage of the build again, and compare both copies (cmp)"
            }
            Hindrance::WrongMachine => "build for x86 with CONFIG_64BIT=y",
            Hindrance::NoKvm => {
                "build KVM in: CONFIG_VIRTUALIZATION=y, CONFIG_KVM=y, and CONFIG_KVM_INTEL=y or \
                 CONFIG_KVM_AMD=y (kernel/kconfig/host.config has them)"
            }
            Hindrance::KvmModules => {
                "build KVM in and not as modules: CONFIG_KVM=y, CONFIG_KVM_INTEL=y, \
                 CONFIG_KVM_AMD=y (kernel/kconfig/host.config has them)"
            }
            Hindrance::OtherVendor => {
                "try it with --platform bochs-vmx (Intel) or tcg-svm (AMD), whichever its KVM is \
                 for, or build both in: CONFIG_KVM_INTEL=y, CONFIG_KVM_AMD=y"
            }
            Hindrance::VirtualizationOff => {
                "see host-console.log for what KVM says; on nested, see exitlab doctor --platform \
                 nested"
            }
            Hindrance::NoBuild => "see the build's last lines",
            Hindrance::NoInit => {
                "configure it with kernel/kconfig/common.config and host.config as fragments: an \
                 initramfs (CONFIG_BLK_DEV_INITRD, CONFIG_RD_GZIP), ATA disks and EROFS, ELF and \
                 scripts (CONFIG_BINFMT_ELF, CONFIG_BINFMT_SCRIPT)"
            }
            Hindrance::Panic | Hindrance::Reset => "see the last lines of its console",
            Hindrance::Silent => {
                "configure it with kernel/kconfig/common.config and host.config as fragments \
                 (CONFIG_SERIAL_8250_CONSOLE for its words); a kernel that is only slow: raise \
                 deadlines.host_boot"
            }
            Hindrance::BrokenOff => "see what was judged until then, and host-console.log",
            Hindrance::Trouble => "go on with exitlab conformance --resume",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_is_what_programs_read() {
        for hindrance in Hindrance::ALL {
            let json = serde_json::to_string(&hindrance).unwrap();
            assert_eq!(json, format!("\"{}\"", hindrance.name()));
            assert!(!hindrance.cure().is_empty());
        }
    }
}
