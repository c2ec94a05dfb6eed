//! QEMU's program and its firmware: where they are on this machine.

use exitlab_base::need::Need;

/// QEMU for an x86 machine.
pub const QEMU: &str = "qemu-system-x86_64";
/// Brings [`QEMU`].
pub const QEMU_PACKAGE: &str = "qemu-system-x86";

/// Where QEMU's firmware is.
const FIRMWARE_DIRS: [&str; 3] = [
    "/usr/share/qemu",
    "/usr/share/seabios",
    "/usr/lib/ipxe/qemu",
];

/// A file of QEMU's firmware.
pub fn firmware(name: &'static str, why: &'static str, package: &str) -> Need {
    Need::file(name, &firmware_places(name), why, package)
}

/// Where a file of QEMU's firmware may be, in the order in which QEMU looks.
pub fn firmware_places(name: &str) -> [String; 3] {
    FIRMWARE_DIRS.map(|dir| format!("{dir}/{name}"))
}
