//! QEMU's program and its firmware: where they are on this machine.

use exitlab_base::need::Need;

/// QEMU for an x86 machine.
pub const QEMU: &str = "qemu-system-x86_64";
/// Brings [`QEMU`].
pub const QEMU_PACKAGE: &str = "qemu-system-x86";

/// The oldest QEMU that tells KVM's statistics: it has the QMP command `query-stats`.
pub const LEAST: (u32, u32) = (7, 1);

/// Major and minor version in what QEMU prints: `QEMU emulator version 7.2.22 (Debian …)`.
pub fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.split_once(" version ")?.1;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    let mut part = || parts.next()?.parse().ok();
    Some((part()?, part()?))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let of = |number: &str| version(&format!("QEMU emulator version {number}"));
        assert_eq!(of("7.2.22 (Debian 1:7.2+dfsg-7)"), Some((7, 2)));
        assert_eq!(of("10.0.50 (v10.0-1-gabc)"), Some((10, 0)));
        assert_eq!(of("6.2"), Some((6, 2)));
        assert_eq!(of("x"), None);
        assert_eq!(version("sh: qemu: not found"), None);
    }
}
