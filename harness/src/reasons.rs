//! Exit-reason tables, read from `kernel/exit-reasons/*.csv`: the same files from
//! which the kernel's tables come.
//!
//! `enabled_by` names the VMCS controls that let a reason happen, as words
//! `word:bit` (`primary:7`), where *any one* of them is enough. A word in front
//! changes the rule: `all` of them, `toggled` (KVM sets the control only while it
//! needs it, so support for it decides). `always`, `never`, `special:exceptions`
//! and `special:control-registers` stand alone.

use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, Result};

const VMX_CSV: &str = include_str!("../../kernel/exit-reasons/vmx.csv");

/// Name of a reason that no table defines.
pub const UNDEFINED_NAME: &str = "(undefined)";

/// Earliest year that the tables tell apart; their rows say it for "or before".
pub const FIRST_SDM: u16 = 2021;

/// Bits of the VMX execution-control words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Controls {
    /// Pin-based controls.
    pub pin: u32,
    /// Primary processor-based controls.
    pub primary: u32,
    /// Secondary processor-based controls.
    pub secondary: u32,
    /// Tertiary processor-based controls.
    pub tertiary: u64,
}

/// What decides whether a reason can happen in a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No control that KVM ever sets.
    Never,
    /// Unconditional, or decided by bitmaps that KVM always uses.
    Always,
    /// Any one of the controls.
    Any(Controls),
    /// All of the controls together.
    All(Controls),
    /// Controls that KVM sets only while it needs them.
    Toggled(Controls),
    /// The exception bitmap, or NMI exiting.
    Exceptions,
    /// The CR0 and CR4 masks, or CR3 and CR8 load and store exiting.
    ControlRegisters,
}

/// One exit reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reason {
    /// Basic exit reason.
    pub number: u32,
    /// Name for people.
    pub name: String,
    /// KVM's name, without `EXIT_REASON_`; the SDM's where KVM has none.
    pub mnemonic: String,
    /// What lets it happen.
    #[serde(deserialize_with = "rule_from_text")]
    pub enabled_by: Rule,
    /// Year of the earliest SDM whose appendix C lists it; [`FIRST_SDM`] also stands
    /// for every year before.
    pub sdm: u16,
    /// When it happens, in one clause.
    pub meaning: String,
}

/// The exit reasons of one instruction set, ascending. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonTable {
    rows: Vec<Reason>,
}

impl ReasonTable {
    /// Intel VMX: appendix C of the SDM, volume 3.
    pub fn vmx() -> &'static ReasonTable {
        static VMX: LazyLock<ReasonTable> = LazyLock::new(|| {
            ReasonTable::parse(VMX_CSV).expect("vmx.csv is compiled in and parsed by a test")
        });
        &VMX
    }

    /// Reads the text of a table. Numbers must ascend.
    fn parse(text: &str) -> Result<ReasonTable> {
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
        Ok(ReasonTable { rows })
    }

    /// The reason of that number, if it is defined.
    pub fn get(&self, number: u32) -> Option<&Reason> {
        let at = self.rows.binary_search_by_key(&number, |row| row.number);
        at.ok().map(|at| &self.rows[at])
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

    /// How many numbers there are from 0 to [`last`](Self::last), undefined ones included:
    /// the length of a census indexed by reason number.
    pub fn len_slots(&self) -> usize {
        self.last() as usize + 1
    }

    /// The table as the SDM of `year` had it. Years before [`FIRST_SDM`] are taken for it,
    /// because the table does not tell them apart.
    pub fn up_to(&self, year: u16) -> ReasonTable {
        let year = year.max(FIRST_SDM);
        let rows = self.rows.iter().filter(|row| row.sdm <= year);
        ReasonTable {
            rows: rows.cloned().collect(),
        }
    }
}

fn malformed(what: String) -> Error {
    Error::Config {
        message: format!("exit-reason table: {what}"),
        cure: "correct kernel/exit-reasons/vmx.csv".to_owned(),
    }
}

fn rule_from_text<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Rule, D::Error> {
    String::deserialize(text)?
        .parse()
        .map_err(serde::de::Error::custom)
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        match text {
            "always" => return Ok(Rule::Always),
            "never" => return Ok(Rule::Never),
            "special:exceptions" => return Ok(Rule::Exceptions),
            "special:control-registers" => return Ok(Rule::ControlRegisters),
            _ => {}
        }
        match text.split_once(' ') {
            Some(("all", bits)) => Ok(Rule::All(bits.parse()?)),
            Some(("toggled", bits)) => Ok(Rule::Toggled(bits.parse()?)),
            _ => Ok(Rule::Any(text.parse()?)),
        }
    }
}

impl FromStr for Controls {
    type Err = String;

    fn from_str(text: &str) -> Result<Controls, String> {
        let mut controls = Controls::default();
        for item in text.split(' ') {
            controls
                .add(item)
                .ok_or_else(|| format!("`{item}` is no control bit"))?;
        }
        Ok(controls)
    }
}

impl Controls {
    fn add(&mut self, item: &str) -> Option<()> {
        let (word, bit) = item.split_once(':')?;
        let bit: u32 = bit.parse().ok()?;
        match word {
            "pin" => self.pin |= 1u32.checked_shl(bit)?,
            "primary" => self.primary |= 1u32.checked_shl(bit)?,
            "secondary" => self.secondary |= 1u32.checked_shl(bit)?,
            "tertiary" => self.tertiary |= 1u64.checked_shl(bit)?,
            _ => return None,
        }
        Some(())
    }
}

impl Rule {
    /// The rule's name in the kernel's table, and its controls.
    fn kernel_terms(self) -> (&'static str, Controls) {
        match self {
            Rule::Never => ("NEVER", Controls::default()),
            Rule::Always => ("ALWAYS", Controls::default()),
            Rule::Any(controls) => ("ANY", controls),
            Rule::All(controls) => ("ALL", controls),
            Rule::Toggled(controls) => ("TOGGLED", controls),
            Rule::Exceptions => ("EXCEPTIONS", Controls::default()),
            Rule::ControlRegisters => ("CR", Controls::default()),
        }
    }
}

/// The text of `exit_census_reasons.h`: the table as the kernel compiles it.
pub fn kernel_header(table: &ReasonTable) -> String {
    let mut text = String::from(
        "/* SPDX-License-Identifier: GPL-2.0-only */\n\
         /* Made from kernel/exit-reasons/vmx.csv: change it there. */\n",
    );
    for Reason {
        number,
        mnemonic,
        enabled_by,
        ..
    } in table.defined()
    {
        let (rule, on) = enabled_by.kernel_terms();
        let words = [
            on.pin.into(),
            on.primary.into(),
            on.secondary.into(),
            on.tertiary,
        ];
        let words = words.map(kernel_word).join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "CENSUS_REASON({number}, {rule}, {words}) /* {mnemonic} */"
        );
    }
    text
}

fn kernel_word(word: u64) -> String {
    if word == 0 {
        "0".to_owned()
    } else {
        format!("{word:#x}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../tests/data/original-boot-vs-idle.csv");
    const HEADER: &str = "../kernel/overlay/arch/x86/kvm/vmx/exit_census_reasons.h";

    #[test]
    fn undefined_numbers_are_the_gaps_of_appendix_c() {
        let vmx = ReasonTable::vmx();
        let gaps: Vec<u32> = (0..=vmx.last()).filter(|&n| vmx.get(n).is_none()).collect();
        assert_eq!(gaps, [35, 38, 42, 71, 82, 83]);
        assert_eq!(vmx.len_slots(), 86);
        assert_eq!(vmx.get(86), None);
        assert_eq!((vmx.name(10), vmx.name(35)), ("CPUID", "(undefined)"));
    }

    #[test]
    fn sdm_of_2021_has_the_rows_of_the_reference() {
        let ours: Vec<u32> = ReasonTable::vmx()
            .up_to(2021)
            .defined()
            .map(|r| r.number)
            .collect();
        let lines = REFERENCE.lines().skip(1);
        let theirs: Vec<u32> = lines
            .map(|line| line.split(',').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(ours.len(), 66);
        assert_eq!(ours, theirs);
        assert_eq!(
            ReasonTable::vmx().up_to(1999),
            ReasonTable::vmx().up_to(2021)
        );
    }

    #[test]
    fn mnemonics_are_unique() {
        let mut names: Vec<&str> = ReasonTable::vmx().defined().map(|r| &*r.mnemonic).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn rules_follow_the_grammar() {
        let rdtscp = Controls {
            primary: 1 << 12,
            secondary: 1 << 3,
            ..Controls::default()
        };
        assert_eq!("all primary:12 secondary:3".parse(), Ok(Rule::All(rdtscp)));
        assert_eq!("primary:12 secondary:3".parse(), Ok(Rule::Any(rdtscp)));
        let timer = Controls {
            pin: 1 << 6,
            ..Controls::default()
        };
        assert_eq!("toggled pin:6".parse(), Ok(Rule::Toggled(timer)));
        for wrong in [
            "",
            "all",
            "primary",
            "primary:32",
            "quaternary:1",
            "always pin:1",
            "pin:x",
        ] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong} must not parse");
        }
    }

    #[test]
    fn numbers_out_of_order_are_refused() {
        let text = "number,name,mnemonic,enabled_by,sdm,meaning\n\
                    2,b,B,always,2021,x\n2,a,A,always,2021,x\n";
        let error = ReasonTable::parse(text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "exit-reason table: reason 2 follows reason 2"
        );
    }

    #[test]
    fn kernel_header_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(HEADER);
        let made = kernel_header(ReasonTable::vmx());
        if std::env::var_os("EXITLAB_BLESS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap();
        assert!(
            made == checked_in,
            "exit_census_reasons.h does not match vmx.csv; make it again with\n\
             EXITLAB_BLESS=1 cargo test -p exitlab --lib kernel_header"
        );
    }
}
