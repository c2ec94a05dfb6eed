//! What a line of a baseline is made of: the number of a reason, and counts.

use serde::Deserialize;
use toml::Spanned;

use crate::compare::UNKNOWN_REASON;
use exitlab_base::toml::{Problem, Text, Wrong};
use exitlab_model::reasons::{Isa, ReasonTable};

/// The same number in each repeat, or one for each.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, or a list with one for each repeat")]
pub(super) enum Numbers {
    All(u64),
    Each(Vec<u64>),
}

impl Numbers {
    pub(super) fn each(&self, repeats: usize) -> Option<Vec<u64>> {
        match self {
            Numbers::All(number) => Some(vec![*number; repeats]),
            Numbers::Each(numbers) => (numbers.len() == repeats).then(|| numbers.clone()),
        }
    }
}

/// The number that a key begins with.
pub(super) fn reason(text: &Text, key: &Spanned<String>) -> Result<u32, Problem> {
    let first = key.get_ref().split(' ').next().unwrap_or_default();
    if first == "unknown" {
        return Ok(UNKNOWN_REASON);
    }
    let number = match first.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => first.parse(),
    };
    number.map_err(|_| {
        let wrong = Wrong::new(
            "does not begin with the number of a reason",
            "write it as `exitlab baseline` does: \"10 CPUID\", \"0x072 CPUID\"",
        );
        text.section(key.get_ref(), key, wrong)
    })
}

/// `10 CPUID`, `0x072 CPUID`: the number decides, the name is for people.
pub(super) fn reason_key(reason: u32, isa: Isa) -> String {
    if reason == UNKNOWN_REASON {
        return "unknown".to_owned();
    }
    match ReasonTable::of(isa).get(reason) {
        Some(known) => format!("{} {}", isa.label(reason), known.mnemonic),
        None => isa.label(reason),
    }
}

/// One number if all repeats agree, else each.
pub(super) fn numbers(values: &[u64]) -> String {
    match values {
        [first, others @ ..] if others.iter().all(|value| value == first) => first.to_string(),
        values => format!("{values:?}"),
    }
}
