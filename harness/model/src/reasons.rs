//! Exit-reason tables, read from `kernel/exit-reasons/*.csv`: the same files from
//! which the kernel's tables come.
//!
//! `enabled_by` says what lets a reason happen. VMX: controls of the VMCS, as words
//! `word:bit` (`primary:7`), where *any one* of them is enough; a word in front changes
//! the rule: `all` of them, `toggled` (KVM sets the control only while it needs it, so
//! support for it decides). SVM: `intercept:bit`, a bit of the VMCB's intercept vectors;
//! it may be `toggled`, too. `always`, `never` and `special:...` stand alone.

mod class;
mod enabled_by;
#[cfg(test)]
mod header;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use class::Class;
use enabled_by::enabled_by_from_text;
pub use enabled_by::{Controls, EnabledBy};

const VMX_CSV: &str = include_str!("../../../kernel/exit-reasons/vmx.csv");
const SVM_CSV: &str = include_str!("../../../kernel/exit-reasons/svm.csv");

/// Name of a reason that no table defines.
pub const UNDEFINED_NAME: &str = "(undefined)";

/// Whose exit reasons a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    /// Intel VMX.
    Vmx,
    /// AMD SVM.
    Svm,
}

impl Isa {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Vmx => "VMX",
            Isa::Svm => "SVM",
        }
    }

    /// The number of an exit reason as its manual writes it: decimal in the SDM,
    /// hexadecimal in the APM.
    pub fn label(self, reason: u32) -> String {
        match self {
            Isa::Vmx => reason.to_string(),
            Isa::Svm => format!("{reason:#05x}"),
        }
    }

    /// The file of the table, in `kernel/exit-reasons`.
    fn file(self) -> &'static str {
        match self {
            Isa::Vmx => "vmx.csv",
            Isa::Svm => "svm.csv",
        }
    }

    fn has(self, rule: EnabledBy) -> bool {
        match rule {
            EnabledBy::Never | EnabledBy::Always => true,
            EnabledBy::Any(_) | EnabledBy::All(_) | EnabledBy::Toggled(_) => self == Isa::Vmx,
            EnabledBy::Exceptions | EnabledBy::ControlRegisters => self == Isa::Vmx,
            EnabledBy::Intercept(_) | EnabledBy::ToggledIntercept(_) => self == Isa::Svm,
            EnabledBy::NestedPaging | EnabledBy::Avic | EnabledBy::SevEs => self == Isa::Svm,
        }
    }
}

/// One exit reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// Basic exit reason (VMX) or exit code (SVM).
    #[serde(deserialize_with = "number_from_text")]
    pub number: u32,
    /// Name for people.
    pub name: String,
    /// VMX: KVM's name without `EXIT_REASON_`, the SDM's where KVM has none. SVM: the
    /// APM's name without `VMEXIT_`.
    pub mnemonic: String,
    /// What kind of thing the guest did, or what was done to it.
    pub class: Class,
    /// What lets it happen.
    #[serde(deserialize_with = "enabled_by_from_text")]
    pub enabled_by: EnabledBy,
    /// Year of the earliest SDM (VMX) or APM (SVM) whose appendix C lists it; the earliest
    /// of a table ([`ReasonTable::years`]) also stands for every year before.
    pub sdm: u16,
    /// When it happens, in one clause.
    pub meaning: String,
}

/// The exit reasons of one instruction set, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonTable {
    isa: Isa,
    rows: Vec<Reason>,
}

impl ReasonTable {
    /// Intel VMX: appendix C of the SDM, volume 3.
    pub fn vmx() -> &'static ReasonTable {
        static VMX: LazyLock<ReasonTable> = LazyLock::new(|| {
            ReasonTable::parse(Isa::Vmx, VMX_CSV)
                .expect("vmx.csv is compiled in and parsed by a test")
        });
        &VMX
    }

    /// AMD SVM: appendix C of the APM, volume 2.
    pub fn svm() -> &'static ReasonTable {
        static SVM: LazyLock<ReasonTable> = LazyLock::new(|| {
            ReasonTable::parse(Isa::Svm, SVM_CSV)
                .expect("svm.csv is compiled in and parsed by a test")
        });
        &SVM
    }

    /// The table of an ISA.
    pub fn of(isa: Isa) -> &'static ReasonTable {
        match isa {
            Isa::Vmx => ReasonTable::vmx(),
            Isa::Svm => ReasonTable::svm(),
        }
    }

    /// Whose exit reasons these are.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Reads the text of a table. Numbers must ascend.
    fn parse(isa: Isa, text: &str) -> Result<ReasonTable, String> {
        let malformed = |what: String| format!("kernel/exit-reasons/{}: {what}", isa.file());
        let rows = csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .collect::<Result<Vec<Reason>, _>>()
            .map_err(|error| malformed(error.to_string()))?;
        if rows.is_empty() {
            return Err(malformed("no rows".to_owned()));
        }
        if let Some(pair) = rows
            .windows(2)
            .find(|pair| pair[0].number >= pair[1].number)
        {
            let (first, second) = (pair[0].number, pair[1].number);
            return Err(malformed(format!("reason {second} follows reason {first}")));
        }
        if let Some(row) = rows.iter().find(|row| !isa.has(row.enabled_by)) {
            let number = row.number;
            return Err(malformed(format!(
                "reason {number} has a rule of another ISA"
            )));
        }
        Ok(ReasonTable { isa, rows })
    }

    /// The reason of that number, if it is defined.
    pub fn get(&self, number: u32) -> Option<&Reason> {
        let at = self.rows.binary_search_by_key(&number, |row| row.number);
        at.ok().map(|at| &self.rows[at])
    }

    /// The reason of that mnemonic, if it is defined.
    pub fn by_mnemonic(&self, mnemonic: &str) -> Option<&Reason> {
        self.rows.iter().find(|row| row.mnemonic == mnemonic)
    }

    /// Its name, or [`UNDEFINED_NAME`].
    pub fn name(&self, number: u32) -> &str {
        self.get(number)
            .map_or(UNDEFINED_NAME, |reason| &reason.name)
    }

    /// Every defined reason, ascending.
    pub fn defined(&self) -> impl ExactSizeIterator<Item = &Reason> {
        self.rows.iter()
    }

    /// The highest defined number.
    pub fn last(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.number)
    }

    /// How many slots of the kernel's histograms the defined reasons take. VMX: as many
    /// as there are numbers from 0 to [`last`](Self::last), undefined ones included. SVM,
    /// whose codes are sparse: as many as there are codes.
    pub fn len_slots(&self) -> usize {
        match self.isa {
            Isa::Vmx => self.last() as usize + 1,
            Isa::Svm => self.rows.len(),
        }
    }

    /// The slot of a reason in the kernel's histograms, which follow the current table
    /// whatever [`up_to`](Self::up_to) left of this one; `None` if it is not defined.
    pub fn slot(&self, number: u32) -> Option<usize> {
        let whole = &ReasonTable::of(self.isa).rows;
        let at = whole.binary_search_by_key(&number, |row| row.number);
        at.ok().map(|at| match self.isa {
            Isa::Vmx => number as usize,
            Isa::Svm => at,
        })
    }

    /// Every slot that this table reaches, with the number it stands for. VMX: undefined
    /// numbers included.
    pub fn slots(&self) -> Vec<(usize, u32)> {
        match self.isa {
            Isa::Vmx => (0..=self.last()).map(|n| (n as usize, n)).collect(),
            Isa::Svm => {
                let rows = self.rows.iter();
                rows.filter_map(|row| Some((self.slot(row.number)?, row.number)))
                    .collect()
            }
        }
    }

    /// The number that a slot stands for; the inverse of [`slots`](Self::slots).
    pub fn number(&self, slot: usize) -> u32 {
        match self.isa {
            Isa::Vmx => slot as u32,
            Isa::Svm => {
                let whole = &ReasonTable::of(self.isa).rows;
                whole.get(slot).map_or(u32::MAX, |row| row.number)
            }
        }
    }

    /// The years whose manuals this table tells apart, ascending. In those between, and
    /// after the last, the manual defined what it had defined before.
    pub fn years(&self) -> Vec<u16> {
        let mut years: Vec<u16> = self.rows.iter().map(|row| row.sdm).collect();
        years.sort_unstable();
        years.dedup();
        years
    }

    /// Whether [`up_to`](Self::up_to) knows what the manual of that year defined: from the
    /// first of the [`years`](Self::years) to the last.
    pub fn knows(&self, year: u16) -> bool {
        let years = self.years();
        let span = years.first().zip(years.last());
        span.is_some_and(|(first, last)| (first..=last).contains(&&year))
    }

    /// The table as the manual of `year` had it; that of a year before the first is empty.
    pub fn up_to(&self, year: u16) -> ReasonTable {
        let rows = self.rows.iter().filter(|row| row.sdm <= year);
        ReasonTable {
            isa: self.isa,
            rows: rows.cloned().collect(),
        }
    }
}

/// Decimal, or hexadecimal after `0x`.
fn number_from_text<'de, D: serde::Deserializer<'de>>(text: D) -> Result<u32, D::Error> {
    let text = String::deserialize(text)?;
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| serde::de::Error::custom(format!("`{text}` is no exit reason")))
}
