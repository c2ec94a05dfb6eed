//! In what the two sides differ beside the kernel under test, for people.

use super::rules::{Origin, Rules};
use crate::compare::{ATTEMPTS, Difference, Pair};

/// In what the sides differ where rules are judged by it. That a host had to be started again
/// is told always: such counts do not repeat those of a first attempt.
pub(super) fn lines(rules: &Rules, pairs: &[Pair]) -> Vec<String> {
    if rules.rules.iter().all(|r| r.provenance == Origin::Any) {
        let attempts = |pair: &Pair| {
            let differences = pair.base.facts.surroundings(&pair.head.facts);
            let attempts = differences.iter().find(|d| d.name == ATTEMPTS)?;
            Some(format!("{}: {}", pair.head.key, told(attempts)))
        };
        return pairs.iter().filter_map(attempts).collect();
    }
    let line = |pair: &Pair| {
        let differences = pair.base.facts.surroundings(&pair.head.facts);
        let words: Vec<String> = differences.iter().map(told).collect();
        match words.as_slice() {
            [] => format!("{}: equal provenance, so every exit counts", pair.head.key),
            words => format!(
                "{}: provenance differs: {}",
                pair.head.key,
                words.join("; ")
            ),
        }
    };
    pairs.iter().map(line).collect()
}

/// A difference in a few words; the beginning of a digest tells it from others.
fn told(difference: &Difference) -> String {
    const CHARS: usize = 40;
    let say = |value: &Option<String>| match value {
        Some(value) => value.chars().take(CHARS).collect(),
        None => "none".to_owned(),
    };
    let (base, head) = (say(&difference.base), say(&difference.head));
    format!("{} {base} → {head}", difference.name)
}
