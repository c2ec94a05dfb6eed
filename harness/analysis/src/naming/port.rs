//! I/O ports of a PC: the ISA bus as the chipsets' manuals have it, and what QEMU puts beside it
//! (its `hw/` tree, as `info mtree` shows it).

use super::in_ranges;

/// First port, last port, what is there.
const PORTS: &[(u64, u64, &str)] = &[
    (0x00, 0x1f, "DMA controller"),
    (0x20, 0x21, "PIC"),
    (0x2e, 0x2f, "Super I/O"),
    (0x40, 0x43, "PIT"),
    (0x60, 0x60, "i8042 data"),
    (0x61, 0x61, "PIT gate, speaker, NMI status"),
    (0x64, 0x64, "i8042 command, status"),
    (0x70, 0x71, "RTC, CMOS"),
    (0x80, 0x80, "POST code, delay"),
    (0x81, 0x8f, "DMA page registers"),
    (0x92, 0x92, "A20 gate"),
    (0xa0, 0xa1, "second PIC"),
    (0xb2, 0xb3, "SMI command"),
    (0xc0, 0xdf, "second DMA controller"),
    (0xe9, 0xe9, "debug console"),
    (0xed, 0xed, "delay"),
    (0xf0, 0xf1, "FPU error"),
    (0x170, 0x177, "second IDE channel"),
    (0x1f0, 0x1f7, "IDE channel"),
    (0x278, 0x27f, "LPT2"),
    (0x2e8, 0x2ef, "COM4"),
    (0x2f8, 0x2ff, "COM2"),
    (0x376, 0x376, "second IDE channel"),
    (0x378, 0x37f, "LPT1"),
    (0x3b0, 0x3df, "VGA"),
    (0x3e8, 0x3ef, "COM3"),
    (0x3f6, 0x3f6, "IDE channel"),
    (0x3f0, 0x3f7, "floppy"),
    (0x3f8, 0x3ff, "COM1"),
    (0x402, 0x402, "firmware's debug console"),
    (0x4d0, 0x4d1, "PIC edge, level"),
    (0x501, 0x501, "debug exit"),
    (0x505, 0x505, "pvpanic"),
    (0x510, 0x510, "fw_cfg selector"),
    (0x511, 0x511, "fw_cfg data"),
    (0x514, 0x51b, "fw_cfg DMA"),
    (0x600, 0x603, "ACPI PM1 event"),
    (0x604, 0x605, "ACPI PM1 control"),
    (0x608, 0x60b, "ACPI PM timer"),
    (0x620, 0x62f, "ACPI GPE0"),
    (0x630, 0x637, "SMI control"),
    (0x660, 0x67f, "TCO watchdog"),
    (0x700, 0x73f, "SMBus"),
    (0xa00, 0xa17, "memory hot-plug"),
    (0xaf00, 0xaf1f, "CPU hot-plug"),
    (0xafe0, 0xafe3, "ACPI GPE0"),
    (0xae00, 0xae17, "PCI hot-plug"),
    (0xb000, 0xb03f, "ACPI PM"),
    (0xb100, 0xb13f, "SMBus"),
    (0xcc0, 0xcd7, "PCI hot-plug"),
    (0xcd8, 0xce7, "CPU hot-plug"),
    (0xcf8, 0xcf8, "PCI configuration address"),
    (0xcf9, 0xcf9, "reset control"),
    (0xcfa, 0xcfb, "PCI configuration address"),
    (0xcfc, 0xcff, "PCI configuration data"),
    (0x5658, 0x5658, "VMware backdoor"),
    (0x8900, 0x8900, "Bochs shutdown"),
    (0xc000, 0xffff, "a PCI BAR"),
];

/// What is at a port.
pub fn port(port: u64) -> Option<&'static str> {
    in_ranges(PORTS, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_of_two_ranges_names_a_port() {
        for (number, name) in [
            (0x3f6, Some("IDE channel")),
            (0x3f7, Some("floppy")),
            (0x3f8, Some("COM1")),
            (0xcfc, Some("PCI configuration data")),
            (0x608, Some("ACPI PM timer")),
            (0x1234, None),
        ] {
            assert_eq!(port(number), name, "{number:#x}");
        }
        assert!(PORTS.iter().all(|(from, to, _)| from <= to));
    }
}
