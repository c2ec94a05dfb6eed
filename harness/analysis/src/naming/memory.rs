//! Guest-physical addresses at which QEMU's machines have something other than memory (their
//! memory maps in QEMU's `hw/i386`).

use super::{apic, in_ranges};

/// What every PC has.
const COMMON: &[(u64, u64, &str)] = &[
    (0x000a_0000, 0x000b_ffff, "VGA memory"),
    (0x000c_0000, 0x000f_ffff, "ROM below 1 MiB"),
    (0xfec0_0000, 0xfec0_0fff, "I/O APIC"),
    (0xfed0_0000, 0xfed0_03ff, "HPET"),
    (0xfed1_c000, 0xfed1_ffff, "chipset"),
    (0xfed4_0000, 0xfed4_4fff, "TPM"),
    (0xfee0_0000, 0xfeef_ffff, "local APIC, MSI"),
    (0xffc0_0000, 0xffff_ffff, "firmware"),
];

/// `VIRTIO_MMIO_BASE` of `microvm`; each transport has 512 bytes.
const MICROVM: &[(u64, u64, &str)] = &[
    (0xfeb0_0000, 0xfeb0_2fff, "virtio-mmio"),
    (0xfec1_0000, 0xfec1_0fff, "second I/O APIC"),
];

const Q35: &[(u64, u64, &str)] = &[
    (0xb000_0000, 0xbfff_ffff, "PCI configuration"),
    (0xc000_0000, 0xfebf_ffff, "a PCI BAR"),
];

const PC: &[(u64, u64, &str)] = &[(0xc000_0000, 0xfebf_ffff, "a PCI BAR")];

/// Where Linux' guests of all machines have their local APIC.
const LOCAL_APIC: std::ops::RangeInclusive<u64> = 0xfee0_0000..=0xfee0_0fff;

/// What a machine has at an address; none where that is its memory, or not known.
pub fn memory(address: u64, machine: Option<&str>) -> Option<String> {
    if LOCAL_APIC.contains(&address) {
        let register = apic::register(address - LOCAL_APIC.start());
        return Some(register.map_or("local APIC".to_owned(), |r| format!("local APIC {r}")));
    }
    let special: &[_] = match machine {
        Some("microvm") => MICROVM,
        Some("q35") => Q35,
        Some("pc") => PC,
        _ => &[],
    };
    let name = in_ranges(special, address).or_else(|| in_ranges(COMMON, address))?;
    Some(match name {
        "virtio-mmio" => format!("virtio-mmio {}", (address - 0xfeb0_0000) / 512),
        name => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_decides_what_is_at_an_address() {
        let of = |address, machine| memory(address, Some(machine));
        assert_eq!(of(0xfec0_0010, "q35").unwrap(), "I/O APIC");
        assert_eq!(of(0xfee0_00b0, "pc").unwrap(), "local APIC EOI");
        assert_eq!(of(0xfeb0_0250, "microvm").unwrap(), "virtio-mmio 1");
        assert_eq!(of(0xfeb0_0250, "q35").unwrap(), "a PCI BAR");
        assert_eq!(memory(0xfeb0_0250, None), None);
        assert_eq!(of(0x20_0000, "q35"), None);
    }
}
