//! MSRs. `msr.csv` is what `scripts/list-msrs` makes of the headers of Linux 6.12; those of the
//! x2APIC are its registers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::apic;

static NAMES: LazyLock<BTreeMap<u64, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("msr.csv").lines().skip(1);
    let names = lines.filter_map(|line| {
        let (number, name) = line.split_once(',')?;
        let number = u64::from_str_radix(number.strip_prefix("0x")?, 16).ok()?;
        Some((number, name))
    });
    names.collect()
});

/// Numbers of the x2APIC's MSRs (SDM Vol. 3, "x2APIC Register Address Space").
const X2APIC: std::ops::RangeInclusive<u64> = 0x800..=0x83f;

/// The name of an MSR.
pub fn msr(number: u64) -> Option<Cow<'static, str>> {
    if X2APIC.contains(&number) {
        let register = apic::register((number - X2APIC.start()) << 4)?;
        return Some(Cow::Owned(format!("x2APIC {register}")));
    }
    let series = |name: String| Some(Cow::Owned(name));
    match number {
        // The headers have formulas for these.
        0x200..=0x21f => {
            let which = if number.is_multiple_of(2) {
                "Base"
            } else {
                "Mask"
            };
            series(format!("MTRRphys{which}{}", (number - 0x200) / 2))
        }
        0x404..=0x47f => {
            let which = ["CTL", "STATUS", "ADDR", "MISC"][(number % 4) as usize];
            series(format!("IA32_MC{}_{which}", (number - 0x400) / 4))
        }
        _ => NAMES.get(&number).map(|name| Cow::Borrowed(*name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msrs_of_processors_hypervisors_and_apics_have_names() {
        for (number, name) in [
            (0x10, "IA32_TSC"),
            (0x6e0, "IA32_TSC_DEADLINE"),
            (0xc000_0080, "EFER"),
            (0x4b56_4d03, "KVM_STEAL_TIME"),
            (0x4000_0000, "HV_GUEST_OS_ID"),
            (0x203, "MTRRphysMask1"),
            (0x409, "IA32_MC2_STATUS"),
            (0x80b, "x2APIC EOI"),
            (0x830, "x2APIC ICR"),
        ] {
            assert_eq!(msr(number).as_deref(), Some(name), "{number:#x}");
        }
        assert_eq!(msr(0x1234_5678), None);
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = include_str!("msr.csv").lines().count() - 1;
        assert_eq!(NAMES.len(), lines);
        assert!(lines > 500, "{lines}");
    }
}
