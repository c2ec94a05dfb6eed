//! Details in words, as tables print them and rules name them.

use super::kind::{Detail, Kind};

impl Detail {
    /// Key and subkey in hexadecimal digits.
    pub fn digits(&self) -> String {
        match self.sub {
            Some(sub) => format!("{:#x}.{sub:#x}", self.key),
            None => format!("{:#x}", self.key),
        }
    }

    /// In words: `write port 0x3f8 (COM1)`.
    pub fn words(&self) -> String {
        let spelling = self.spelling();
        match &self.name {
            // Its name says it all.
            Some(name) if self.kind == Kind::Place && name.contains('+') => name.clone(),
            Some(name) if self.kind != Kind::PageFault => format!("{spelling} ({name})"),
            _ => spelling,
        }
    }

    /// In words without its name: `write port 0x3f8`.
    pub fn spelling(&self) -> String {
        let key = self.digits();
        let words = match self.kind {
            Kind::Port => format!("port {key}"),
            Kind::ControlRegister => format!("CR{}", self.key),
            Kind::DebugRegister => format!("DR{}", self.key),
            Kind::Exception | Kind::InjectedException | Kind::InjectedInterrupt => {
                format!("vector {key}")
            }
            Kind::Interrupt => format!("host's vector {key}"),
            // What they are called is what they are.
            Kind::PageFault => {
                let name = self.name.as_deref().unwrap_or_default();
                return format!("{}: {name}", self.direction);
            }
            Kind::Region => format!("region {key}"),
            Kind::Mmio => format!("address {key}"),
            Kind::Msr => format!("MSR {key}"),
            Kind::Leaf => format!("leaf {key}"),
            Kind::Hypercall => {
                let whose = match self.sub {
                    Some(1) => "Hyper-V's ",
                    Some(2) => "Xen's ",
                    _ => "",
                };
                format!("{whose}hypercall {:#x}", self.key)
            }
            Kind::ApicRegister => format!("register {key}"),
            Kind::EndOfInterrupt => format!("end of vector {key}"),
            Kind::Place => key,
            Kind::Ipi => format!("ICR {:#x} for {:#x}", self.key, self.sub.unwrap_or(0)),
        };
        match self.direction {
            "" => words,
            direction => format!("{direction} {words}"),
        }
    }
}

/// What may stand before a detail's noun.
const DIRECTIONS: [&str; 9] = [
    "read string ",
    "write string ",
    "read ",
    "write ",
    "clear TS ",
    "LMSW ",
    "wake ",
    "fetch ",
    "event ",
];

/// Kinds of page faults, as they are called.
const FAULTS: [&str; 5] = [
    "not mapped",
    "not executable",
    "write-protected",
    "not readable",
    "a device (reserved bits)",
];

impl Kind {
    /// A spelling without its direction: `port 0x3f8`.
    pub fn undirected(self, spelling: &str) -> &str {
        if self == Kind::PageFault {
            let words = spelling.split_once(": ");
            return words.map_or(spelling, |(_, words)| words);
        }
        let mut directions = DIRECTIONS.iter();
        let rest = directions.find_map(|direction| spelling.strip_prefix(direction));
        rest.unwrap_or(spelling)
    }

    /// The kind of which something is spelled so, whether it happens or not; places are none,
    /// for any word can be a function.
    pub fn spelled(spelling: &str) -> Option<Kind> {
        let nouns = [
            (Kind::Port, "port "),
            (Kind::ControlRegister, "CR"),
            (Kind::DebugRegister, "DR"),
            (Kind::Exception, "vector "),
            (Kind::Interrupt, "host's vector "),
            (Kind::Region, "region "),
            (Kind::Mmio, "address "),
            (Kind::Msr, "MSR "),
            (Kind::Leaf, "leaf "),
            (Kind::Hypercall, "hypercall "),
            (Kind::Hypercall, "Hyper-V's hypercall "),
            (Kind::Hypercall, "Xen's hypercall "),
            (Kind::ApicRegister, "register "),
            (Kind::EndOfInterrupt, "end of vector "),
        ];
        let fault = Kind::PageFault.undirected(spelling);
        let fault = fault.trim_end_matches(", in the guest's page tables");
        if FAULTS.contains(&fault) {
            return Some(Kind::PageFault);
        }
        let words = Kind::Port.undirected(spelling);
        let found = nouns.into_iter().find(|(kind, noun)| {
            let number = words.strip_prefix(noun);
            number.is_some_and(|number| match kind {
                Kind::ControlRegister | Kind::DebugRegister => number.parse::<u8>().is_ok(),
                Kind::Leaf => number.split('.').count() <= 2 && number.split('.').all(is_hex),
                _ => is_hex(number),
            })
        });
        found.map(|(kind, _)| kind)
    }
}

fn is_hex(number: &str) -> bool {
    let digits = number.strip_prefix("0x");
    digits.is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok())
}
