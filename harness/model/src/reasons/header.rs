//! The tables as the kernel compiles them: `exit_census_reasons.h` of each ISA.

use std::fmt::Write as _;

use super::{Controls, EnabledBy, Isa, Reason, ReasonTable};

/// The text of `exit_census_reasons.h`: the table as the kernel compiles it.
pub fn kernel_header(table: &ReasonTable) -> String {
    let mut text = format!(
        "/* SPDX-License-Identifier: GPL-2.0-only */\n\
         /* Made from kernel/exit-reasons/{}: change it there. */\n",
        table.isa().file()
    );
    for reason in table.defined() {
        let row = match table.isa() {
            Isa::Vmx => vmx_row(reason),
            Isa::Svm => svm_row(reason),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "CENSUS_REASON({row}) /* {} */", reason.mnemonic);
    }
    text
}

fn vmx_row(reason: &Reason) -> String {
    let (rule, on) = match reason.enabled_by {
        EnabledBy::Always => ("ALWAYS", Controls::default()),
        EnabledBy::Any(controls) => ("ANY", controls),
        EnabledBy::All(controls) => ("ALL", controls),
        EnabledBy::Toggled(controls) => ("TOGGLED", controls),
        EnabledBy::Exceptions => ("EXCEPTIONS", Controls::default()),
        EnabledBy::ControlRegisters => ("CR", Controls::default()),
        // The other ISA's rules are refused where tables are read.
        _ => ("NEVER", Controls::default()),
    };
    let words = [
        on.pin.into(),
        on.primary.into(),
        on.secondary.into(),
        on.tertiary,
    ];
    let words = words.map(kernel_word).join(", ");
    format!("{}, {rule}, {words}", reason.number)
}

fn svm_row(reason: &Reason) -> String {
    let (rule, bit) = match reason.enabled_by {
        EnabledBy::Always => ("ALWAYS", 0),
        EnabledBy::Intercept(bit) => ("INTERCEPT", bit),
        EnabledBy::ToggledIntercept(bit) => ("TOGGLED", bit),
        EnabledBy::NestedPaging => ("NPT", 0),
        EnabledBy::Avic => ("AVIC", 0),
        EnabledBy::SevEs => ("SEV_ES", 0),
        _ => ("NEVER", 0),
    };
    format!("{:#05x}, {rule}, {bit}", reason.number)
}

fn kernel_word(word: u64) -> String {
    if word == 0 {
        "0".to_owned()
    } else {
        format!("{word:#x}")
    }
}
