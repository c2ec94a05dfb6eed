//! Kinds of failure on the host, and what cures them.

use serde::{Deserialize, Serialize};

use crate::hindrance::Hindrance;
use crate::layout::{GUEST_CONSOLE, HOST_CONSOLE, QEMU_LOG};

/// What kind of failure the agent met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// KVM on the host carries no exit census.
    NoCensus,
    /// The host's kernel cannot count its tracepoints.
    NoTracing,
    /// No VM, or several, are what is to be attached to.
    NoSuchVm,
    /// QEMU did not start or ended early.
    QemuDied,
    /// The guest panicked or reset itself.
    GuestDied,
    /// The guest keeps its processor busy for good and takes no interrupt.
    GuestSpins,
    /// Something did not happen before its deadline.
    Deadline,
    /// A command in the guest or a protocol answered what it must not.
    Protocol,
    /// A phase's command failed in the guest.
    Workload,
    /// KVM on the host has another value of a parameter, or no such parameter.
    KvmParameter,
    /// The host's kernel has no KVM.
    NoKvm,
    /// The host's kernel has KVM as modules, and they are not loaded.
    KvmModules,
    /// The host's kernel has only the other vendor's KVM.
    OtherVendor,
    /// The host's kernel has the right KVM, which finds no virtualization to use.
    VirtualizationOff,
    /// The host cannot run a guest: no `/dev/kvm`, no room, ...
    Host,
    /// The agent panicked.
    Panic,
}

impl FailureKind {
    /// What it says of the host's kernel: it has no KVM that can be used here. None for
    /// everything else.
    pub fn hindrance(self) -> Option<Hindrance> {
        match self {
            FailureKind::NoKvm => Some(Hindrance::NoKvm),
            FailureKind::KvmModules => Some(Hindrance::KvmModules),
            FailureKind::OtherVendor => Some(Hindrance::OtherVendor),
            FailureKind::VirtualizationOff => Some(Hindrance::VirtualizationOff),
            _ => None,
        }
    }

    /// What the user can do about it. `exists` says which of the files of the results
    /// directory there are: no other is named.
    pub fn cure(self, exists: impl Fn(&str) -> bool) -> String {
        let seen = |whose: &str, file: &str| match exists(file) {
            true => format!("see what {whose} printed, above and in {file}"),
            false => format!("see what {whose} printed, above"),
        };
        match self {
            FailureKind::NoKvm => Hindrance::NoKvm.cure().to_owned(),
            FailureKind::KvmModules => Hindrance::KvmModules.cure().to_owned(),
            FailureKind::OtherVendor => Hindrance::OtherVendor.cure().to_owned(),
            FailureKind::VirtualizationOff => Hindrance::VirtualizationOff.cure().to_owned(),
            FailureKind::NoCensus => {
                "boot a kernel that carries it: leave kernel.census = true, or add the hooks \
                 to your own tree (docs/kernel-build.md)"
                    .to_owned()
            }
            FailureKind::NoTracing => {
                "boot a kernel that has what kernel/kconfig/trace.config asks for, as distributions' \
                 have: exitlab builds one for that channel, unless kernel.source is a ready image"
                    .to_owned()
            }
            FailureKind::NoSuchVm => "exitlab attach lists the VMs that run".to_owned(),
            FailureKind::QemuDied => seen("QEMU", QEMU_LOG),
            FailureKind::GuestDied => {
                let seen = seen("the guest", GUEST_CONSOLE);
                format!("{seen}; guest.cmdline, guest.memory and guest.machine decide how it boots")
            }
            FailureKind::GuestSpins => format!(
                "{}; QEMU's emulation of SVM stops a guest now and then: try another \
                 host.instructions_per_second or guest.machine, or --platform bochs-vmx",
                seen("the guest", GUEST_CONSOLE)
            ),
            FailureKind::Deadline => {
                let seen = seen("the guest", GUEST_CONSOLE);
                format!(
                    "{seen}; for a guest that is only slow, raise deadlines.guest_ssh, \
                     deadlines.exchange or deadlines.phase"
                )
            }
            FailureKind::Protocol => seen("the guest", GUEST_CONSOLE),
            FailureKind::Workload => {
                "see what the command printed, above; the guest has busybox's applets (guest.files \
                 adds programs), and the output of a command in inspect is kept"
                    .to_owned()
            }
            FailureKind::KvmParameter => {
                let seen = seen("the host", HOST_CONSOLE);
                format!(
                    "correct it under [kvm], [kvm_intel] or [kvm_amd]: a value that this kernel and \
                     this processor allow, written as the kernel shows it; {seen}"
                )
            }
            FailureKind::Host => seen("the host", HOST_CONSOLE),
            FailureKind::Panic => {
                "please report it, with this message and the results directory".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_names_only_files_that_are_there() {
        let kinds = [
            FailureKind::QemuDied,
            FailureKind::GuestDied,
            FailureKind::GuestSpins,
            FailureKind::Deadline,
            FailureKind::Protocol,
            FailureKind::KvmParameter,
            FailureKind::Host,
        ];
        for kind in kinds {
            assert!(kind.cure(|_| true).contains(".log"), "{kind:?}");
            let cure = kind.cure(|_| false);
            assert!(!cure.contains(".log"), "{cure}");
        }
    }
}
