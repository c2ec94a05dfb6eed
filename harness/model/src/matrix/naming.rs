//! How the cells of a matrix are called: by their values, as far as a directory can be.

use std::collections::BTreeMap;

use crate::name::{LONGEST, NotPlain, PlainName};

/// Longest part of a cell's name that one value may be, characters.
const LONGEST_VALUE: usize = 40;

/// The name of a cell, which is `number`th in its matrix: `guest.machine=q35,r1`. Where a
/// name cannot hold the values, or they are too long for it, its number tells it apart.
///
/// # Errors
///
/// Where the keys are none of exitlab's, there may be no such name.
pub fn cell_name(
    number: usize,
    values: &BTreeMap<String, String>,
    repeat: u32,
) -> Result<PlainName, NotPlain> {
    let part = |(key, value): (&String, &String)| format!("{key}={}", plain(value));
    let mut parts: Vec<String> = values.iter().map(part).collect();
    parts.push(format!("r{repeat}"));
    let name = parts.join(",");
    let whole = values.values().all(|value| plain(value) == *value);
    if whole && name.len() <= LONGEST {
        return PlainName::new(name);
    }
    let mut name = format!("{number}-{name}");
    while name.len() > LONGEST {
        name.pop();
    }
    PlainName::new(name)
}

/// What a file's name can hold of a value.
fn plain(value: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || "._-+:".contains(c) {
            c
        } else {
            '_'
        }
    };
    value.chars().take(LONGEST_VALUE).map(keep).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn name(number: usize, values: &[(&str, &str)]) -> String {
        let values = values
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        cell_name(number, &values.collect(), 2).unwrap().to_string()
    }

    #[test]
    fn a_name_tells_the_values_or_a_number() {
        assert_eq!(name(7, &[]), "r2");
        assert_eq!(name(7, &[("guest.machine", "q35")]), "guest.machine=q35,r2");
        assert_eq!(name(7, &[("guest.cpu", "a b/c")]), "7-guest.cpu=a_b_c,r2");
    }

    #[test]
    fn many_long_values_still_make_a_name_of_a_directory() {
        let keys: Vec<String> = (0..9).map(|n| format!("host.a_long_key_{n}")).collect();
        let value = "v".repeat(LONGEST_VALUE);
        let values: Vec<(&str, &str)> = keys.iter().map(|k| (k.as_str(), &*value)).collect();
        let (one, other) = (name(1, &values), name(12, &values));
        assert_eq!((one.len(), other.len()), (LONGEST, LONGEST));
        assert!(one.starts_with("1-host.") && other.starts_with("12-host."));
    }

    #[test]
    fn a_key_that_is_a_path_makes_no_name() {
        let values = BTreeMap::from([("../../x".to_owned(), "1".to_owned())]);
        assert!(cell_name(1, &values, 1).is_err());
    }
}
