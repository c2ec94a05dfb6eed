//! How long functions are. rustfmt puts the brace that ends one below its `fn`.

use super::code::{indentation, without_prose};

/// A function with a body.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    /// The line of its `fn`, from 1.
    pub at: usize,
    /// From `fn` to the closing brace.
    pub lines: usize,
}

/// What may stand before `fn`.
const MODIFIERS: [&str; 7] = [
    "pub",
    "pub(crate)",
    "pub(super)",
    "async",
    "const",
    "unsafe",
    "extern",
];

/// The functions of a file that rustfmt has formatted.
pub fn functions(text: &str) -> Vec<Function> {
    let text = without_prose(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = name(line) else { continue };
        let depth = indentation(line);
        let mut rest = lines[start..].iter().enumerate();
        let end = rest.find(|(_, line)| ends(line, depth)).map(|(n, _)| n);
        found.push(Function {
            name: name.to_owned(),
            at: start + 1,
            lines: end.unwrap_or(lines.len() - start) + 1,
        });
    }
    found
}

/// The name of the function that begins on this line.
fn name(line: &str) -> Option<&str> {
    let words = line.trim_start();
    let (before, after) = words.split_once("fn ")?;
    let only = before.split_whitespace().all(|w| MODIFIERS.contains(&w));
    let end = after.find(['(', '<'])?;
    (only && end > 0).then(|| &after[..end])
}

/// Whether an item at this depth ends here: by its brace, or at once.
fn ends(line: &str, depth: usize) -> bool {
    if line.trim().is_empty() || indentation(line) != depth {
        return false;
    }
    let line = line.trim();
    line.starts_with('}') || line.ends_with(';') || (line.contains('{') && line.ends_with('}'))
}

#[test]
fn functions_end_at_the_brace_below_them() {
    let text = "pub fn one() {}\n\nimpl A {\n    async fn two(\n        a: u8,\n    ) -> u8 {\n        \
                if a {\n            fn_call();\n        }\n    }\n    fn three();\n}\n";
    let found = functions(text);
    let sizes: Vec<(&str, usize, usize)> = found
        .iter()
        .map(|f| (f.name.as_str(), f.at, f.lines))
        .collect();
    assert_eq!(sizes, [("one", 1, 1), ("two", 4, 7), ("three", 11, 1)]);
}
