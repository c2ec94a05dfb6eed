//! The digest that tells whether two matrices are of the same work, and whether a
//! `matrix.json` is still as it was written.

use serde::Serialize;

use super::Cell;

/// Digest of cells with their plans: BLAKE3, hex, of their JSON in one line.
///
/// # Errors
///
/// If they cannot be written as JSON, in which names of files are UTF-8.
pub fn digest<P: Serialize>(cells: &[Cell<P>]) -> Result<String, serde_json::Error> {
    Ok(of_bytes(&serde_json::to_vec(cells)?))
}

/// The same of cells as they stand in a JSON text; none if it has no `cells`. Who does not
/// understand the plans in them can still tell whether they were changed: the text differs
/// from the one line only in the space between its tokens.
pub(super) fn of_text(text: &[u8]) -> Option<String> {
    compact(text, b"cells").map(|cells| of_bytes(&cells))
}

fn of_bytes(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// What a key of the outermost object holds, without the space between its tokens. The text
/// is known to be JSON.
fn compact(text: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    // The last string of the outermost object, and the value of the key from its start on.
    let (mut last, mut value): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    for &byte in text {
        let begins = !in_string && byte == b'"';
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            match byte {
                byte if byte.is_ascii_whitespace() => continue,
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                b':' if depth == 1 && value.is_none() && last == key => {
                    value = Some(Vec::new());
                    continue;
                }
                _ => {}
            }
            if (depth == 0 || (depth == 1 && byte == b',')) && value.is_some() {
                return value;
            }
        }
        match &mut value {
            Some(value) => value.push(byte),
            None if begins => last.clear(),
            None if in_string && depth == 1 => last.push(byte),
            None => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC*|[\"\\\\,:{}\\[\\] \n]{0,6}|cells".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let text = "[a-z\"\\\\]{0,3}|cells";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text, inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        /// However a text is laid out, and whatever stands beside them.
        #[test]
        fn what_is_found_in_a_text_is_what_was_written(
            before in values(), cells in values(), after in values(),
        ) {
            let whole = json!({"a": before, "cells": cells, "d": after});
            let text = serde_json::to_vec_pretty(&whole).unwrap();
            let found = compact(&text, b"cells");
            prop_assert_eq!(found, Some(serde_json::to_vec(&whole["cells"]).unwrap()));
        }

        #[test]
        fn a_text_that_is_no_json_harms_nothing(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = compact(&text, b"cells");
        }
    }
}
