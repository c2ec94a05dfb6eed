//! HTML, in the text of an element and in an attribute between double quotes (WHATWG HTML,
//! sections 13.1.2 and 13.5). No words may stand within `script` or `style`.

use super::line;

/// Words as they read, at most [`LINE`](super::LINE) characters: no markup, no reference to a
/// character, no end of an attribute, and nothing that is not seen.
pub fn html(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 16);
    for c in line(words).chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            c => text.push(c),
        }
    }
    text
}
