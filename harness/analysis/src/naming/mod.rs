//! What numbers below a reason are called: ports, MSRs, addresses, leaves, vectors. Pure tables;
//! a number without a name has none.
//!
//! Names are those of the processors' manuals, of the kernel's headers, and of what QEMU's
//! machines `q35`, `pc` and `microvm` have at an address, by QEMU's own map of the machine where
//! there is one.

mod apic;
mod hypercall;
mod leaf;
mod memory;
mod msr;
mod port;
mod vector;

use exitlab_model::address_map::{AddressMap, Space};

pub use apic::{ipi, register};
pub use hypercall::{hyperv, kvm};
pub use leaf::{has_subleaves, leaf};
pub use memory::{device, region};
pub use msr::msr;
pub use port::port;
pub use vector::{exception, interrupt};

/// What a machine has at some of its ports or addresses: the first, the last, what it is, and
/// the names of QEMU's regions that are this.
type Place = (u64, u64, &'static str, &'static [&'static str]);

/// What may be anywhere in a range: it needs a map to have a better name.
const BAR: &str = "a PCI BAR";

/// What is at a port or an address. Where QEMU drew its map, it decides: a name of ours is
/// given only to what its region is, and where it has none there is no device.
fn located<'a>(
    places: impl Iterator<Item = &'a Place>,
    (space, number): (Space, u64),
    map: Option<&AddressMap>,
) -> Option<String> {
    let mut here = places.filter(|(first, last, ..)| (*first..=*last).contains(&number));
    let Some(map) = map.filter(|map| map.tells(space)) else {
        return here.next().map(|(_, _, name, _)| (*name).to_owned());
    };
    let Some(region) = map.at(space, number) else {
        let usual = here.find(|(_, _, name, _)| *name != BAR);
        return Some(usual.map_or("no device".to_owned(), |(_, _, name, _)| {
            format!("{name}, no device")
        }));
    };
    // What KVM does in QEMU's place is called so, and then as QEMU's own.
    let called = region.name.strip_prefix("kvm-").unwrap_or(&region.name);
    let ours = here.find(|(.., regions)| regions.contains(&called));
    let name = ours.map_or(&*region.name, |(_, _, name, _)| name);
    Some(match &region.device {
        Some(device) => format!("{name} of {device}"),
        None => name.to_owned(),
    })
}

/// The name of the first range that holds a number.
fn in_ranges(ranges: &[(u64, u64, &'static str)], number: u64) -> Option<&'static str> {
    let range = ranges
        .iter()
        .find(|(from, to, _)| (*from..=*to).contains(&number));
    range.map(|(_, _, name)| *name)
}

/// The name of a number.
fn of(names: &[(u64, &'static str)], number: u64) -> Option<&'static str> {
    let found = names.iter().find(|(known, _)| *known == number);
    found.map(|(_, name)| *name)
}
