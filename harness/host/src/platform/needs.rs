//! What platforms need of this machine, and QEMU's machines wherever they run.

use crate::qemu_files::{QEMU, QEMU_PACKAGE, firmware};
use exitlab_base::need::Need;
use exitlab_model::plan::Machine;
use exitlab_model::platform::PlatformKind;

use super::bochs;
use super::remote::SSH;

/// What a platform needs that others may not.
pub fn of_platform(platform: PlatformKind) -> Vec<Need> {
    match platform {
        PlatformKind::BochsVmx => bochs::needs(),
        PlatformKind::TcgSvm => qemu_host("emulates the host"),
        PlatformKind::Nested => qemu_host("runs the host"),
        PlatformKind::Local => Vec::new(),
        PlatformKind::Ssh => vec![Need::program(SSH, "reaches the host", "openssh-client")],
    }
}

/// A host that QEMU boots: see `platform/qemu.rs`.
fn qemu_host(why: &'static str) -> Vec<Need> {
    vec![
        Need::program(QEMU, why, QEMU_PACKAGE),
        firmware("bios-256k.bin", "firmware of the host", "seabios"),
        firmware("pvh.bin", "boots the host's kernel", "qemu-system-data"),
        firmware("kvmvapic.bin", "option ROM of the host", "qemu-system-data"),
    ]
}

/// What a guest on that machine needs of QEMU.
pub fn qemu(machine: Machine) -> Vec<Need> {
    let bios = match machine {
        Machine::Q35 | Machine::Pc => "bios-256k.bin",
        Machine::Microvm => "bios-microvm.bin",
    };
    vec![
        Need::program(QEMU, "runs the guest", QEMU_PACKAGE),
        firmware(bios, "firmware of the guest", "seabios"),
        firmware(
            "linuxboot_dma.bin",
            "boots the guest's kernel",
            "qemu-system-data",
        ),
        firmware("pvh.bin", "boots the guest's kernel", "qemu-system-data"),
        firmware(
            "kvmvapic.bin",
            "option ROM of the guest",
            "qemu-system-data",
        ),
    ]
}
