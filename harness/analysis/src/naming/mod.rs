//! What numbers below a reason are called: ports, MSRs, addresses, leaves, vectors. Pure tables;
//! a number without a name has none.
//!
//! Names are those of the processors' manuals, of the kernel's headers, and of what QEMU's
//! machines `q35`, `pc` and `microvm` have at an address.

mod apic;
mod hypercall;
mod leaf;
mod memory;
mod msr;
mod port;
mod vector;

pub use apic::{ipi, register};
pub use hypercall::{hyperv, kvm};
pub use leaf::{has_subleaves, leaf};
pub use memory::memory;
pub use msr::msr;
pub use port::port;
pub use vector::{exception, interrupt};

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
