//! Kinds of failure on the host, and what cures them.

use serde::{Deserialize, Serialize};

/// What kind of failure the agent met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The host's kernel has no KVM for its processor, or has it as a module.
    NoKvm,
    /// KVM on the host carries no exit census.
    NoCensus,
    /// The host's kernel cannot count its tracepoints.
    NoTracing,
    /// QEMU did not start or ended early.
    QemuDied,
    /// The guest panicked or reset itself.
    GuestDied,
    /// Something did not happen before its deadline.
    Deadline,
    /// A command in the guest or a protocol answered what it must not.
    Protocol,
    /// A phase's command failed in the guest.
    Workload,
    /// KVM on the host has another value of a parameter, or no such parameter.
    KvmParameter,
    /// The host cannot run a guest: `/dev/kvm` does not open, no room, ...
    Host,
}

impl FailureKind {
    /// What the user can do about it.
    pub fn cure(self) -> &'static str {
        match self {
            FailureKind::NoKvm => {
                "a host that exitlab boots loads no modules: its kernel needs CONFIG_KVM=y with \
                 CONFIG_KVM_INTEL=y or CONFIG_KVM_AMD=y, as exitlab builds it; on a machine of \
                 your own, sudo modprobe kvm_intel or kvm_amd"
            }
            FailureKind::NoCensus => {
                "boot a kernel that carries it: leave kernel.census = true, or add the hooks \
                 to your own tree (docs/kernel-build.md)"
            }
            FailureKind::NoTracing => {
                "leave \"trace\" out of sampling.channels, or boot a kernel that has what \
                 kernel/kconfig/trace.config asks for: exitlab builds one for that channel, unless \
                 kernel.source is a ready image"
            }
            FailureKind::QemuDied => "see what QEMU and the guest printed, above and in qemu.log",
            FailureKind::GuestDied => {
                "see the guest's console above and in guest-console.log; guest.cmdline, \
                 guest.memory and guest.machine decide how it boots"
            }
            FailureKind::Deadline => {
                "see the guest's console above and in guest-console.log; for a guest that is \
                 only slow, raise deadlines.guest_ssh, deadlines.exchange or \
                 deadlines.phase"
            }
            FailureKind::Protocol => "see the guest's console above and in guest-console.log",
            FailureKind::Workload => {
                "see what the command printed, above; the guest has busybox's applets (guest.files \
                 adds programs), and the output of a command in inspect is kept"
            }
            FailureKind::KvmParameter => {
                "correct it under [kvm], [kvm_intel] or [kvm_amd]: a value that this kernel and \
                 this processor allow, written as the kernel shows it; see host-console.log"
            }
            FailureKind::Host => "see host-console.log in the results directory",
        }
    }
}
