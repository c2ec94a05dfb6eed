//! What is said of a law: one line where it held, or one for each breach.

use super::numbers::counted;
use crate::figures::{Class, Law};

/// Violations of one law beyond this many are counted, not listed.
const LISTED: usize = 10;

/// One law: how often it was checked, and where it was broken.
pub(super) fn law(checked: usize, held: String, law: Law, broken: Vec<String>) -> Vec<String> {
    if !broken.is_empty() {
        let mark = match law.class() {
            Class::Promise => '✗',
            Class::Observation => '△',
        };
        let broken = broken.into_iter();
        return broken.map(|breach| format!("{mark} {breach}")).collect();
    }
    if checked == 0 {
        return vec![format!("– Not checked, for want of readings: {law}.")];
    }
    vec![format!("✓ {held}")]
}

/// The first violations, and how many there are beyond them.
pub(super) fn listed<T>(violations: &[T], sentence: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = violations.iter().take(LISTED).map(sentence).collect();
    if violations.len() > LISTED {
        lines.push(format!("… and {} more.", violations.len() - LISTED));
    }
    lines
}

/// All of so many.
pub(super) fn every(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("the only {noun}")
    } else {
        format!("all {}", counted(number, noun))
    }
}
