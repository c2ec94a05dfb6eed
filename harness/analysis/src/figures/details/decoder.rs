//! What the keys of a histogram say: the exit qualification of VMX (SDM Vol. 3, "Exit
//! Qualification", "Information for VM Exits Due to Vectored Events"), `EXITINFO1` of SVM (APM
//! Vol. 2, "IOIO Intercepts", "Nested versus Guest Page Faults"), and the tracepoints' fields.

use super::kind::{Detail, Kind};
use crate::naming;
use exitlab_model::address_map::AddressMap;
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::Source;
use exitlab_model::symbols::Symbols;

/// What it takes to understand a key.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    /// Whose exits they are.
    pub isa: Isa,
    /// Whether the guest runs with nested paging: else page faults and accesses to devices are
    /// exceptions, and addresses are the guest's own.
    pub nested: bool,
    /// The guest's machine, which decides what is at an address.
    pub machine: Option<&'a str>,
    /// What QEMU says is there.
    pub map: Option<&'a AddressMap>,
    /// Names of the guest's code.
    pub symbols: Symbols,
}

const READ: &str = "read";
const WRITE: &str = "write";

impl Decoder<'_> {
    /// What an entry counts; none where it only repeats what another tells better.
    pub fn decode(&self, source: Source, keys: [u64; 2]) -> Option<Detail> {
        let [one, other] = keys;
        let named = |name: Option<&str>| name.map(str::to_owned);
        Some(match source {
            Source::Qualification => return self.qualification(u32::try_from(one).ok()?, other),
            Source::Interruption => interruption(u32::try_from(one).ok()?, other),
            Source::PageFault => {
                let name = naming::region(other, self.machine);
                let detail = Detail::of(self.page_fault(), Kind::Region, other);
                detail.called(name.filter(|_| self.nested))
            }
            Source::Mmio => {
                let direction = if one == 2 { WRITE } else { READ };
                self.mmio(other).directed(direction)
            }
            Source::FastMmio => self.mmio(one).directed("wake"),
            Source::Msr => {
                let reason = match (self.isa, other) {
                    (Isa::Svm, _) => 0x7c,
                    (Isa::Vmx, 0) => 31,
                    (Isa::Vmx, _) => 32,
                };
                let direction = if other == 0 { READ } else { WRITE };
                let detail = Detail::of(Some(reason), Kind::Msr, one).directed(direction);
                detail.called(naming::msr(one).map(|name| name.into_owned()))
            }
            Source::Cpuid => {
                let sub = naming::has_subleaves(one).then_some(other);
                let detail = Detail::of(Some(self.number(10, 0x72)), Kind::Leaf, one);
                Detail { sub, ..detail }.called(named(naming::leaf(one)))
            }
            Source::Hypercall => self.hypercall(one, 0, naming::kvm(one)),
            Source::HypervHypercall => self.hypercall(one, 1, naming::hyperv(one)),
            Source::XenHypercall => self.hypercall(one, 2, None),
            Source::Place => self.place(one, other),
            Source::Virq => {
                let detail = Detail::of(None, Kind::InjectedInterrupt, one);
                detail.called(named(naming::interrupt(one)))
            }
            Source::Exception => {
                let detail = Detail::of(None, Kind::InjectedException, one);
                detail.called(named(naming::exception(one)))
            }
            Source::Ipi => {
                let sub = Some(other);
                let detail = Detail::of(None, Kind::Ipi, one);
                Detail { sub, ..detail }.called(Some(naming::ipi(one)))
            }
        })
    }

    /// On VMX the tracepoint has the whole field, whose bits 15:0 are the reason.
    fn place(&self, reason: u64, address: u64) -> Detail {
        let reason = match self.isa {
            Isa::Vmx => reason & 0xffff,
            Isa::Svm => reason,
        };
        let reason = u32::try_from(reason).ok();
        let known = reason.filter(|reason| ReasonTable::of(self.isa).slot(*reason).is_some());
        let name = self.symbols.told(address);
        Detail::of(known, Kind::Place, address).called(Some(name))
    }

    fn number(&self, vmx: u32, svm: u32) -> u32 {
        match self.isa {
            Isa::Vmx => vmx,
            Isa::Svm => svm,
        }
    }

    fn page_fault(&self) -> Option<u32> {
        self.nested.then(|| self.number(48, 0x400))
    }

    fn mmio(&self, address: u64) -> Detail {
        let reason = self.nested.then(|| self.number(49, 0x400));
        let detail = Detail::of(reason, Kind::Mmio, address);
        detail.called(naming::device(address, self.machine, self.map))
    }

    fn hypercall(&self, number: u64, whose: u64, name: Option<&str>) -> Detail {
        let detail = Detail::of(Some(self.number(18, 0x81)), Kind::Hypercall, number);
        let detail = detail.called(name.map(str::to_owned));
        Detail {
            sub: Some(whose),
            ..detail
        }
    }

    fn qualification(&self, reason: u32, info: u64) -> Option<Detail> {
        let of = |kind, key| Detail::of(Some(reason), kind, key);
        Some(match (self.isa, reason) {
            (Isa::Vmx, 28) => {
                let direction = [WRITE, READ, "clear TS", "LMSW"][(info >> 4 & 3) as usize];
                of(Kind::ControlRegister, info & 0xf).directed(direction)
            }
            (Isa::Vmx, 29) => {
                let direction = if info & 1 << 4 == 0 { WRITE } else { READ };
                of(Kind::DebugRegister, info & 7).directed(direction)
            }
            (Isa::Vmx, 30) => self.port(reason, info, info & 1 << 3 != 0, info & 1 << 4 != 0),
            (Isa::Vmx, 44) => {
                let direction = match info >> 12 & 0xf {
                    0 => READ,
                    1 => WRITE,
                    2 => "fetch",
                    _ => "event",
                };
                apic(reason, info & 0xfff).directed(direction)
            }
            (Isa::Vmx, 45) => of(Kind::EndOfInterrupt, info & 0xff),
            (Isa::Vmx, 56) => apic(reason, info & 0xfff).directed(WRITE),
            (Isa::Vmx, 48) => ept_violation(reason, info),
            (Isa::Svm, 0x7b) => self.port(reason, info, info & 1 != 0, info & 1 << 2 != 0),
            (Isa::Svm, 0x400) => nested_page_fault(reason, info),
            _ => return None,
        })
    }

    fn port(&self, reason: u32, info: u64, input: bool, string: bool) -> Detail {
        let port = info >> 16 & 0xffff;
        let direction = match (input, string) {
            (true, false) => READ,
            (false, false) => WRITE,
            (true, true) => "read string",
            (false, true) => "write string",
        };
        let detail = Detail::of(Some(reason), Kind::Port, port).directed(direction);
        detail.called(naming::port(port, self.map))
    }
}

impl Detail {
    fn of(reason: Option<u32>, kind: Kind, key: u64) -> Detail {
        Detail {
            reason,
            kind,
            key,
            sub: None,
            direction: "",
            name: None,
        }
    }

    fn directed(self, direction: &'static str) -> Detail {
        Detail { direction, ..self }
    }

    fn called(self, name: Option<String>) -> Detail {
        Detail { name, ..self }
    }
}

fn apic(reason: u32, offset: u64) -> Detail {
    let detail = Detail::of(Some(reason), Kind::ApicRegister, offset);
    detail.called(naming::register(offset).map(str::to_owned))
}

fn interruption(reason: u32, info: u64) -> Detail {
    let vector = info & 0xff;
    let (kind, name) = match reason {
        1 => (Kind::Interrupt, naming::interrupt(vector)),
        _ => (Kind::Exception, naming::exception(vector)),
    };
    Detail::of(Some(reason), kind, vector).called(name.map(str::to_owned))
}

/// Bits 2:0 say what the access was, bits 5:3 what the EPT allowed.
fn ept_violation(reason: u32, info: u64) -> Detail {
    let direction = match info & 7 {
        bits if bits & 4 != 0 => "execute",
        bits if bits & 2 != 0 => WRITE,
        _ => READ,
    };
    let why = match (info >> 3 & 7, direction) {
        (0, _) => "not mapped",
        (_, "execute") => "not executable",
        (_, WRITE) => "write-protected",
        _ => "not readable",
    };
    // Bit 8 is clear where the processor was walking the guest's page tables (bit 7: that the
    // address is known).
    let walk = info & 1 << 7 != 0 && info & 1 << 8 == 0;
    fault(reason, info & 0x1bf, direction, why, walk)
}

/// As an error code of a page fault, and bit 33 for a walk of the guest's page tables.
fn nested_page_fault(reason: u32, info: u64) -> Detail {
    let direction = match info & 0x1f {
        bits if bits & 1 << 4 != 0 => "execute",
        bits if bits & 2 != 0 => WRITE,
        _ => READ,
    };
    let why = match (info & 1, info >> 3 & 1, direction) {
        (_, 1, _) => "a device (reserved bits)",
        (0, _, _) => "not mapped",
        (_, _, "execute") => "not executable",
        (_, _, WRITE) => "write-protected",
        _ => "not readable",
    };
    let walk = info & 1 << 33 != 0;
    fault(reason, info & 0x3_0000_001f, direction, why, walk)
}

fn fault(reason: u32, key: u64, direction: &'static str, why: &str, walk: bool) -> Detail {
    let name = match walk {
        true => format!("{why}, in the guest's page tables"),
        false => why.to_owned(),
    };
    let detail = Detail::of(Some(reason), Kind::PageFault, key).directed(direction);
    detail.called(Some(name))
}
