//! Spreadsheets and TOML: texts that programs read, and people open.

use super::{bounded, is_unseen};

/// Most characters of a cell: what Excel takes.
const MOST: usize = 32_000;

/// A text for a cell of a CSV file, not yet quoted. What begins as a formula does gets an
/// apostrophe, which spreadsheets take for "this is text" (OWASP, "CSV injection"). Numbers,
/// also with a unit (`+5s`), are none.
pub fn csv(words: &str) -> String {
    let words = bounded(words, MOST);
    let mut characters = words.chars();
    let formula = match characters.next() {
        Some('=' | '@') => true,
        Some('+' | '-') => !is_an_amount(characters.as_str()),
        _ => false,
    };
    match formula {
        true => format!("'{words}"),
        false => words,
    }
}

fn is_an_amount(text: &str) -> bool {
    let of_one = |c: char| c.is_ascii_alphanumeric() || c == '.';
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(of_one)
}

/// A basic string of TOML in one line, with its quotes. What it says stays the same; what does
/// not show is written out.
pub fn toml(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 2);
    text.push('"');
    for c in words.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if is_unseen(c) && u32::from(c) <= 0xffff => {
                text.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c if is_unseen(c) => text.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
