//! The local APIC: its registers by their offset, and what is written to its ICR (SDM Vol. 3,
//! "Local APIC Register Address Map", "Interrupt Command Register").

use super::of;

const REGISTERS: &[(u64, &str)] = &[
    (0x020, "ID"),
    (0x030, "version"),
    (0x080, "TPR"),
    (0x090, "APR"),
    (0x0a0, "PPR"),
    (0x0b0, "EOI"),
    (0x0c0, "RRD"),
    (0x0d0, "LDR"),
    (0x0e0, "DFR"),
    (0x0f0, "SVR"),
    (0x280, "ESR"),
    (0x2f0, "LVT CMCI"),
    (0x300, "ICR"),
    (0x310, "ICR high"),
    (0x320, "LVT timer"),
    (0x330, "LVT thermal"),
    (0x340, "LVT performance"),
    (0x350, "LVT LINT0"),
    (0x360, "LVT LINT1"),
    (0x370, "LVT error"),
    (0x380, "timer's initial count"),
    (0x390, "timer's current count"),
    (0x3e0, "timer's divider"),
    (0x3f0, "self IPI"),
];

/// The register at an offset from the local APIC's address.
pub fn register(offset: u64) -> Option<&'static str> {
    match offset & !0xf {
        0x100..=0x170 => Some("ISR"),
        0x180..=0x1f0 => Some("TMR"),
        0x200..=0x270 => Some("IRR"),
        offset => of(REGISTERS, offset),
    }
}

/// What the lower half of the ICR asks for: `INIT to the others`.
pub fn ipi(icr: u64) -> String {
    let vector = icr & 0xff;
    let what = match icr >> 8 & 7 {
        0 => format!("vector {vector:#04x}"),
        1 => format!("vector {vector:#04x}, lowest priority"),
        2 => "SMI".to_owned(),
        4 => "NMI".to_owned(),
        5 => "INIT".to_owned(),
        6 => format!("start-up at {:#x}", vector << 12),
        mode => format!("delivery mode {mode}"),
    };
    let to = match icr >> 18 & 3 {
        0 => "to one destination",
        1 => "to itself",
        2 => "to all",
        _ => "to the others",
    };
    format!("{what} {to}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_starts_its_processors_with_is_told() {
        assert_eq!(ipi(0xc4500), "INIT to the others");
        assert_eq!(ipi(0xc4610), "start-up at 0x10000 to the others");
        assert_eq!(ipi(0x000fd), "vector 0xfd to one destination");
        assert_eq!(
            (register(0xb0), register(0x174)),
            (Some("EOI"), Some("ISR"))
        );
        assert_eq!(register(0x10), None);
    }
}
