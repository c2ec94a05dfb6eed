//! "Did you mean …": the known keys closest to an unknown one.

/// Known keys that the author of `unknown` may have meant, best first; empty if none is
/// close. Both are dotted: `guest.machin`.
pub fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Vec<&'k str> {
    let closest = known
        .iter()
        .map(|key| (distance(unknown, key), *key))
        .filter(|(distance, key)| *distance <= (key.len() / 4).max(1))
        .min();
    if let Some((_, key)) = closest {
        return vec![key];
    }
    // The right name in the wrong section, or in none.
    known
        .iter()
        .copied()
        .filter(|key| last_segment(key) == last_segment(unknown))
        .collect()
}

fn last_segment(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}

/// Levenshtein distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = [
            "name",
            "host.memory",
            "guest.memory",
            "guest.machine",
            "guest",
        ];
        assert_eq!(nearest("guest.machin", &known), ["guest.machine"]);
        assert_eq!(nearest("gest", &known), ["guest"]);
        assert_eq!(nearest("memory", &known), ["host.memory", "guest.memory"]);
        assert_eq!(nearest("sampling.name", &known), ["name"]);
        assert!(nearest("colour", &known).is_empty());
    }
}
