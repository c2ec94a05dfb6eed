//! I/O ports of a PC: the ISA bus as the chipsets' manuals have it, and what QEMU puts beside it
//! (its `hw/` tree, as `info mtree` shows it).

use super::{BAR, Place, located};
use exitlab_model::address_map::{AddressMap, Space};

/// Where there are two of a port, the first is the usual one.
const PORTS: &[Place] = &[
    (0x00, 0x1f, "DMA controller", &["dma-chan", "dma-cont"]),
    (0x20, 0x21, "PIC", &["pic"]),
    (0x2e, 0x2f, "Super I/O", &[]),
    (0x40, 0x43, "PIT", &["pit"]),
    (0x60, 0x60, "i8042 data", &["i8042-data"]),
    (0x61, 0x61, "PIT gate, speaker, NMI status", &["pcspk"]),
    (0x64, 0x64, "i8042 command, status", &["i8042-cmd"]),
    (0x70, 0x71, "RTC, CMOS", &["rtc", "rtc-index"]),
    (0x80, 0x80, "POST code, delay", &["ioport80"]),
    (0x81, 0x8f, "DMA page registers", &["dma-page"]),
    (0x92, 0x92, "A20 gate", &["port92"]),
    (0xa0, 0xa1, "second PIC", &["pic"]),
    (0xb2, 0xb3, "SMI command", &["apm-io"]),
    (
        0xc0,
        0xdf,
        "second DMA controller",
        &["dma-chan", "dma-cont"],
    ),
    (0xe9, 0xe9, "debug console", &["isa-debugcon"]),
    (0xed, 0xed, "delay", &[]),
    (0xf0, 0xf1, "FPU error", &["ioportF0"]),
    (0x170, 0x177, "second IDE channel", &["ide"]),
    (0x1f0, 0x1f7, "IDE channel", &["ide"]),
    (0x278, 0x27f, "LPT2", &["parallel"]),
    (0x2e8, 0x2ef, "COM4", &["serial"]),
    (0x2f8, 0x2ff, "COM2", &["serial"]),
    (0x376, 0x376, "second IDE channel", &["ide"]),
    (0x378, 0x37f, "LPT1", &["parallel"]),
    (0x3b0, 0x3df, "VGA", &["vga"]),
    (0x3e8, 0x3ef, "COM3", &["serial"]),
    (0x3f6, 0x3f6, "IDE channel", &["ide"]),
    (0x3f0, 0x3f7, "floppy", &["fdc"]),
    (0x3f8, 0x3ff, "COM1", &["serial"]),
    (0x402, 0x402, "firmware's debug console", &["isa-debugcon"]),
    (0x4d0, 0x4d1, "PIC edge, level", &["elcr"]),
    (0x501, 0x501, "debug exit", &["isa-debug-exit"]),
    (0x505, 0x505, "pvpanic", &["pvpanic"]),
    (0x510, 0x510, "fw_cfg selector", &["fwcfg"]),
    (0x511, 0x511, "fw_cfg data", &["fwcfg"]),
    (0x514, 0x51b, "fw_cfg DMA", &["fwcfg.dma"]),
    (0x600, 0x603, "ACPI PM1 event", &["acpi-evt"]),
    (0x604, 0x605, "ACPI PM1 control", &["acpi-cnt"]),
    (0x608, 0x60b, "ACPI PM timer", &["acpi-tmr"]),
    (0x620, 0x62f, "ACPI GPE0", &["acpi-gpe0"]),
    (0x630, 0x637, "SMI control", &["acpi-smi"]),
    (0x660, 0x67f, "TCO watchdog", &["sm-tco"]),
    (0x700, 0x73f, "SMBus", &["pm-smbus"]),
    (0xa00, 0xa17, "memory hot-plug", &["acpi-mem-hotplug"]),
    (0xaf00, 0xaf1f, "CPU hot-plug", &["acpi-cpu-hotplug"]),
    (0xafe0, 0xafe3, "ACPI GPE0", &["acpi-gpe0"]),
    (0xae00, 0xae17, "PCI hot-plug", &["acpi-pci-hotplug"]),
    (0xb008, 0xb00b, "ACPI PM timer", &["acpi-tmr"]),
    (0xb000, 0xb03f, "ACPI PM", &["acpi-evt", "acpi-cnt"]),
    (0xb100, 0xb13f, "SMBus", &["pm-smbus"]),
    (0xcc0, 0xcd7, "PCI hot-plug", &["acpi-pci-hotplug"]),
    (0xcd8, 0xce7, "CPU hot-plug", &["acpi-cpu-hotplug"]),
    (0xcf8, 0xcf8, "PCI configuration address", &["pci-conf-idx"]),
    (
        0xcf9,
        0xcf9,
        "reset control",
        &[
            "lpc-reset-control",
            "piix3-reset-control",
            "piix4-reset-control",
        ],
    ),
    (0xcfa, 0xcfb, "PCI configuration address", &["pci-conf-idx"]),
    (0xcfc, 0xcff, "PCI configuration data", &["pci-conf-data"]),
    (0x5658, 0x5658, "VMware backdoor", &["vmport"]),
    (0x8900, 0x8900, "Bochs shutdown", &[]),
    (0xc000, 0xffff, BAR, &[]),
];

/// What is at a port.
pub fn port(port: u64, map: Option<&AddressMap>) -> Option<String> {
    located(PORTS.iter(), (Space::Io, port), map)
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
            assert_eq!(port(number, None).as_deref(), name, "{number:#x}");
        }
        assert!(PORTS.iter().all(|(from, to, ..)| from <= to));
    }

    #[test]
    fn a_map_decides_what_is_at_a_port() {
        let line = |first: u64, last: u64, name: &str| {
            format!("  {first:016x}-{last:016x} (prio 0, i/o): {name}\n")
        };
        let regions = [
            line(0x3f8, 0x3ff, "serial"),
            line(0x2f8, 0x2ff, "isa-debugcon"),
            line(0x20, 0x21, "kvm-pic"),
            line(0xc040, 0xc05f, "virtio-pci owner:{dev id=disk0}"),
        ];
        let map = AddressMap::parse(&format!(" AS \"I/O\", root: io\n{}", regions.concat()));
        for (number, name) in [
            (0x3fd, "COM1"),
            (0x2f8, "isa-debugcon"),
            (0x2e8, "COM4, no device"),
            (0x21, "PIC"),
            (0xc044, "virtio-pci of disk0"),
            (0xd000, "no device"),
            (0x1234, "no device"),
        ] {
            assert_eq!(
                port(number, Some(&map)).as_deref(),
                Some(name),
                "{number:#x}"
            );
        }
        let lacking = AddressMap::lacking("it is another".into());
        assert_eq!(port(0x2e8, Some(&lacking)).as_deref(), Some("COM4"));
    }
}
