//! What the numbers of an exit stand for, in the words that the tables of details have.

use crate::figures::Decoder;
use exitlab_model::log::{Cause, LoggedExit, ToldBy};
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{RunRecord, Source};
use exitlab_model::symbols::Region;

/// Names of one run.
#[derive(Debug)]
pub struct Names<'a> {
    decoder: Decoder<'a>,
    reasons: &'static ReasonTable,
}

impl Names<'_> {
    /// By what its record says.
    pub fn of(record: &RunRecord) -> Names<'_> {
        let reasons = record.reasons();
        Names {
            decoder: Decoder::of_run(record, reasons),
            reasons,
        }
    }

    /// Number and name of a reason: `30 I/O instruction`.
    pub fn reason(&self, reason: u32) -> String {
        let number = self.reasons.isa().label(reason);
        match self.reasons.slot(reason) {
            Some(_) => format!("{number} {}", self.reasons.name(reason)),
            None => number,
        }
    }

    /// The reasons that a word stands for: a number, decimal or hexadecimal, a mnemonic, or a
    /// part of a name.
    pub fn reasons_called(&self, word: &str) -> Vec<u32> {
        let hexadecimal = word.strip_prefix("0x");
        let number = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        };
        if let Some(number) = number {
            return vec![number];
        }
        let word = word.to_lowercase();
        let all = || self.reasons.defined();
        let exact = all().filter(|reason| {
            reason.mnemonic.to_lowercase() == word
                || self.reasons.name(reason.number).to_lowercase() == word
        });
        let exact: Vec<u32> = exact.map(|reason| reason.number).collect();
        if !exact.is_empty() {
            return exact;
        }
        let part = all().filter(|reason| {
            let name = self.reasons.name(reason.number).to_lowercase();
            name.contains(&word)
        });
        part.map(|reason| reason.number).collect()
    }

    /// Whether exits for a reason come when the host has something to do, wherever the guest
    /// happens to be.
    pub fn is_the_hosts(&self, reason: u32) -> bool {
        match self.reasons.isa() {
            // External interrupt, preemption timer; INTR, NMI.
            Isa::Vmx => matches!(reason, 1 | 52),
            Isa::Svm => matches!(reason, 0x60 | 0x61),
        }
    }

    /// What the guest did: `write port 0x3f8 (COM1)`; empty where nobody told.
    pub fn detail(&self, cause: &Cause) -> String {
        let Cause {
            reason,
            info,
            key,
            sub,
            ..
        } = *cause;
        let of = |source, keys| self.decoder.decode(source, keys);
        let of_the_exit = || {
            let info = of(Source::Qualification, [reason.into(), info]);
            let vectored = self.reasons.isa() == Isa::Vmx && matches!(reason, 0 | 1);
            let vector = || of(Source::Interruption, [reason.into(), cause.vector.into()]);
            info.or_else(|| vectored.then(vector).flatten())
        };
        let detail = match cause.told {
            ToldBy::Nobody | ToldBy::Pio => of_the_exit(),
            ToldBy::Msr => of(Source::Msr, [key, sub]),
            ToldBy::Mmio => of(Source::Mmio, [sub, key]),
            ToldBy::FastMmio => of(Source::FastMmio, [key, 0]),
            ToldBy::Cpuid => of(Source::Cpuid, [key, sub]),
            ToldBy::Hypercall => of(Source::Hypercall, [key, 0]),
            ToldBy::HypervHypercall => of(Source::HypervHypercall, [key, 0]),
            ToldBy::XenHypercall => of(Source::XenHypercall, [key, 0]),
            ToldBy::PageFault => {
                let kind = of_the_exit().map(|kind| kind.words());
                let kind = kind.map_or(String::new(), |kind| format!("{kind} "));
                return format!("{kind}at {key:#x}");
            }
        };
        detail.map_or(String::new(), |detail| detail.words())
    }

    /// What was read or written, where that is told: ` = 0x41`.
    pub fn value(&self, exit: &LoggedExit) -> String {
        match exit.cause.told.has_value() {
            true => format!(" = {:#x}", exit.value),
            false => String::new(),
        }
    }

    /// An address of a program that has no name, without the part of it that is drawn by lot when
    /// the program starts (ASLR); none of other places.
    pub fn within_its_page(&self, rip: u64) -> Option<String> {
        let user = Region::of(rip) == Region::User && self.decoder.symbols.name(rip).is_none();
        user.then(|| format!("0x…{:03x} ({})", rip & 0xfff, Region::User))
    }

    /// The symbol, or a program's file, and how far into it; or the address and what can be
    /// there, where that is not certain.
    pub fn place(&self, rip: u64) -> String {
        let (symbols, region) = (&self.decoder.symbols, Region::of(rip));
        match symbols.name(rip) {
            Some(name) if region == Region::User || symbols.at(rip).is_some() => name,
            Some(name) => format!("{rip:#x} ({name})"),
            None => format!("{rip:#x} ({region})"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::fixture;
    use super::*;
    use exitlab_model::symbols::Mapping;

    #[test]
    fn a_program_is_a_file_and_what_is_not_certain_keeps_its_address() {
        let mut record = fixture::record([1, 2, 3]);
        let mapping = |start: u64, file: &str| Mapping {
            start,
            end: start + 0x1000,
            offset: 0x1000,
            file: file.to_owned(),
            programs: vec!["sh".to_owned()],
        };
        let mappings = [
            mapping(0x40_1000, "/bin/busybox"),
            mapping(0x7f00_0000_1000, "/lib/libc.so.6"),
        ];
        record.symbols.as_mut().unwrap().mappings = mappings.to_vec();
        let names = Names::of(&record);
        let low = "0x401004 (busybox+0x1004 (sh) or low memory)";
        assert_eq!(names.place(0x40_1004), low);
        assert_eq!(names.place(0x7f00_0000_1010), "libc.so.6+0x1010 (sh)");
        assert_eq!(names.place(0x7f00_0000_2010), "0x7f0000002010 (user space)");
        // The offset in a file is not drawn by lot.
        assert_eq!(names.within_its_page(0x7f00_0000_1010), None);
        let unnamed = names.within_its_page(0x7f00_0000_2010);
        assert_eq!(unnamed.as_deref(), Some("0x…010 (user space)"));
    }
}
