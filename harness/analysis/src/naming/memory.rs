//! Guest-physical addresses at which QEMU's machines have something other than memory (their
//! memory maps in QEMU's `hw/i386`).

use super::{BAR, Place, apic, located};
use exitlab_model::address_map::{AddressMap, Space};

/// What every PC has.
const COMMON: &[Place] = &[
    (0x000a_0000, 0x000b_ffff, "VGA memory", &["vga-lowmem"]),
    (
        0x000c_0000,
        0x000f_ffff,
        "ROM below 1 MiB",
        &["pc.rom", "pc.bios", "pc.ram"],
    ),
    (0xfec0_0000, 0xfec0_0fff, "I/O APIC", &["ioapic"]),
    (0xfed0_0000, 0xfed0_03ff, "HPET", &["hpet"]),
    (0xfed1_c000, 0xfed1_ffff, "chipset", &["lpc-rcrb-mmio"]),
    (
        0xfed4_0000,
        0xfed4_4fff,
        "TPM",
        &["tpm-tis-mmio", "tpm-crb-cmd"],
    ),
    (0xfee0_0000, 0xfeef_ffff, "local APIC, MSI", &["apic-msi"]),
    (0xffc0_0000, 0xffff_ffff, "firmware", &["pc.bios"]),
];

/// `VIRTIO_MMIO_BASE` of `microvm`; each transport has 512 bytes.
const TRANSPORTS: u64 = 0xfeb0_0000;
const TRANSPORT: &str = "virtio-mmio";

const MICROVM: &[Place] = &[
    (TRANSPORTS, 0xfeb0_2fff, TRANSPORT, &[TRANSPORT]),
    (0xfec1_0000, 0xfec1_0fff, "second I/O APIC", &["ioapic"]),
];

const Q35: &[Place] = &[
    (
        0xb000_0000,
        0xbfff_ffff,
        "PCI configuration",
        &["pcie-mmcfg-mmio"],
    ),
    (0xc000_0000, 0xfebf_ffff, BAR, &[]),
];

const PC: &[Place] = &[(0xc000_0000, 0xfebf_ffff, BAR, &[])];

/// Where Linux' guests of all machines have their local APIC.
const LOCAL_APIC: std::ops::RangeInclusive<u64> = 0xfee0_0000..=0xfee0_0fff;

/// What a machine has at an address that is no memory.
pub fn device(address: u64, machine: Option<&str>, map: Option<&AddressMap>) -> Option<String> {
    if LOCAL_APIC.contains(&address) {
        let register = apic::register(address - LOCAL_APIC.start());
        return Some(register.map_or("local APIC".to_owned(), |r| format!("local APIC {r}")));
    }
    let special: &[Place] = match machine {
        Some("microvm") => MICROVM,
        Some("q35") => Q35,
        Some("pc") => PC,
        _ => &[],
    };
    let places = special.iter().chain(COMMON);
    let name = located(places, (Space::Memory, address), map)?;
    let transport = (
        name.strip_prefix(TRANSPORT),
        address.checked_sub(TRANSPORTS),
    );
    Some(match transport {
        (Some(device), Some(offset)) => format!("{TRANSPORT} {}{device}", offset / 512),
        _ => name,
    })
}

/// What a machine has in the region that begins at an address; none where that is its memory,
/// or not known.
pub fn region(address: u64, machine: Option<&str>) -> Option<String> {
    device(address, machine, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_decides_what_is_at_an_address() {
        let of = |address, machine| region(address, Some(machine));
        assert_eq!(of(0xfec0_0010, "q35").unwrap(), "I/O APIC");
        assert_eq!(of(0xfee0_00b0, "pc").unwrap(), "local APIC EOI");
        assert_eq!(of(0xfeb0_0250, "microvm").unwrap(), "virtio-mmio 1");
        assert_eq!(of(0xfeb0_0250, "q35").unwrap(), "a PCI BAR");
        assert_eq!(region(0xfeb0_0250, None), None);
        assert_eq!(of(0x20_0000, "q35"), None);
    }

    #[test]
    fn a_map_tells_which_device_is_behind_an_address() {
        let text = " AS \"memory\", root: system
  00000000feb00200-00000000feb003ff (prio 0, i/o): virtio-mmio owner:{dev id=net0}
  00000000febf8000-00000000febf8fff (prio 0, i/o): virtio-pci-common-virtio-blk
  00000000fec00000-00000000fec00fff (prio 0, i/o): kvm-ioapic
";
        let map = AddressMap::parse(text);
        for (machine, address, name) in [
            ("microvm", 0xfeb0_0250, "virtio-mmio 1 of net0"),
            ("microvm", 0xfeb0_0450, "virtio-mmio 2, no device"),
            ("q35", 0xfebf_8010, "virtio-pci-common-virtio-blk"),
            ("q35", 0xfebf_0000, "no device"),
            ("q35", 0xfed0_0000, "HPET, no device"),
            ("q35", 0xfec0_0000, "I/O APIC"),
            ("q35", 0xfee0_00b0, "local APIC EOI"),
        ] {
            let told = device(address, Some(machine), Some(&map));
            assert_eq!(told.as_deref(), Some(name), "{address:#x}");
        }
    }
}
