//! What a rule asks of the provenance of both sides, and what is told of it.

use super::rules::Rules;
use crate::compare::{Difference, Pair};

/// On which provenance a rule is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Any.
    Any,
    /// Where nothing but the kernel under test differs between the sides, so that one exit
    /// more is its work.
    Equal,
    /// Where something else differs: a package, the compiler, the agent.
    Different,
}

impl Origin {
    /// Whether a rule is judged where the sides are equal in that, or are not.
    pub fn has(self, equal: bool) -> bool {
        match self {
            Origin::Any => true,
            Origin::Equal => equal,
            Origin::Different => !equal,
        }
    }
}

/// In what the sides differ where rules are judged by it.
pub(super) fn lines(rules: &Rules, pairs: &[Pair]) -> Vec<String> {
    if rules.rules.iter().all(|r| r.provenance == Origin::Any) {
        return Vec::new();
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
