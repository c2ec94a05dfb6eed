//! Markdown, as GitHub and others render it (GitHub Flavored Markdown 0.29, CommonMark 0.31).

use super::{LINE, bounded};

/// Words as they read, wherever they stand in a document: within a line, at the beginning of
/// one, in a heading, or in a cell of a table. What would be markup, HTML, a link or the end
/// of a cell is only seen; lines become one.
pub fn markdown(words: &str) -> String {
    let words = words.trim().replace("\r\n", " ").replace(['\n', '\r'], " ");
    let words: Vec<char> = bounded(&words, LINE).chars().collect();
    let mut text = String::with_capacity(words.len() + 16);
    for (at, &c) in words.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| words[at]);
        let rest = &words[at + 1..];
        match c {
            // An entity is in no way the end of a cell, whatever stands before it.
            '|' => text.push_str("&#124;"),
            '<' if rest
                .first()
                .is_some_and(|c| c.is_ascii_digit() || *c == ' ') =>
            {
                text.push(c)
            }
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' if rest
                .first()
                .is_some_and(|c| !c.is_alphanumeric() && *c != '#') =>
            {
                text.push(c)
            }
            '&' => text.push_str("&amp;"),
            // Bare addresses are links, too.
            ':' if rest.starts_with(&['/', '/']) => text.push_str("&#58;"),
            '.' if is_www(&words[..at]) => text.push_str("&#46;"),
            '\\' if rest.first().is_some_and(|c| !c.is_ascii_punctuation()) => text.push(c),
            '\\' | '`' | '*' | '[' | ']' | '~' => text.extend(['\\', c]),
            '_' if is_within_a_word(before, rest.first()) => text.push(c),
            '_' => text.push_str("\\_"),
            c if begins_a_block(c, &words[..at], rest) => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text
}

fn is_www(before: &[char]) -> bool {
    let end: String = before.iter().rev().take(3).collect();
    end.eq_ignore_ascii_case("www")
}

fn is_within_a_word(before: Option<char>, after: Option<&char>) -> bool {
    before.is_some_and(char::is_alphanumeric) && after.is_some_and(|c| c.is_alphanumeric())
}

/// Headings, rules, lists and underlines of headings.
fn begins_a_block(c: char, before: &[char], rest: &[char]) -> bool {
    let ends = rest.first().is_none_or(|c| *c == ' ');
    match c {
        '#' => before.is_empty() && rest.iter().find(|c| **c != '#') == Some(&' '),
        '=' => before.is_empty(),
        '-' | '+' => before.is_empty() && (ends || rest.first() == Some(&c)),
        '.' | ')' => !before.is_empty() && ends && before.iter().all(char::is_ascii_digit),
        _ => false,
    }
}
