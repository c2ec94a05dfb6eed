//! Reads Rust as far as counting needs it: without comments, texts and tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below a directory, in order; none if there is no directory.
pub fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file that is part of the program.
pub fn program(path: &Path) -> String {
    without_tests(&without_prose(&read(path)))
}

/// Every identifier of some code.
pub fn words(code: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for text in code {
        words.extend(text.split(|c| !is_of_word(c)).map(str::to_owned));
    }
    words
}

pub fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

pub fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Code with nothing in its comments, texts and characters. Lines stay where they are.
pub fn without_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = prose(rest, code.chars().last());
        let skipped = &rest[..length];
        code.extend(skipped.chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// How much of the beginning is one comment, text or character; `before` comes before it.
fn prose(text: &str, before: Option<char>) -> usize {
    let until = |end: &str, from: usize| {
        let found = text[from..].find(end);
        found.map_or(text.len(), |at| from + at)
    };
    if text.starts_with("//") {
        return until("\n", 2);
    }
    if let Some(raw) = text.strip_prefix('r')
        && !before.is_some_and(|c| is_of_word(c) && c != 'b')
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (until(&end, 2 + hashes) + end.len()).min(text.len());
        }
    }
    if text.starts_with('"') {
        return plain_text(text);
    }
    // A lifetime has no second apostrophe after one character.
    let mut characters = text.char_indices().skip(1);
    match (text.starts_with('\''), characters.next()) {
        (true, Some((_, '\\'))) => until("'", 3) + 1,
        (true, Some(_)) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        _ => 0,
    }
}

/// The length of a text in quotes.
fn plain_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Code without what `#[cfg(test)]` stands before.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let depth = indentation(line);
            lines.by_ref().find(|line| ends_item(line, depth));
        } else {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// Code in which modules within a file are part of it: what is above them is beside them.
pub fn in_one_module(code: &str) -> String {
    let mut flat = String::with_capacity(code.len());
    let mut inside = false;
    for line in code.lines() {
        let begins = indentation(line) == 0 && line.contains("mod ") && line.ends_with('{');
        inside = (inside || begins) && line != "}";
        match inside {
            true => flat += &line.replace("super::", "self::"),
            false => flat += line,
        }
        flat.push('\n');
    }
    flat
}

fn ends_item(line: &str, depth: usize) -> bool {
    let word = line.trim();
    indentation(line) == depth && (word.ends_with(';') || word.ends_with('}'))
}

#[test]
fn comments_texts_and_characters_are_empty() {
    let text = "a // \"b\"\nc(\"d \\\" {\", '\"', '\\'', r#\"e\"{\"#); f::<'g>(h)\n";
    assert_eq!(without_prose(text), "a \nc(, , , ); f::<'g>(h)\n");
}

#[test]
fn a_module_within_a_file_is_part_of_it() {
    let text = "use super::a;\npub mod b {\n    use super::c;\n}\nuse super::d;\n";
    let flat = "use super::a;\npub mod b {\n    use self::c;\n}\nuse super::d;\n";
    assert_eq!(in_one_module(text), flat);
}

#[test]
fn tests_are_no_part_of_the_program() {
    let text =
        "use a;\n#[cfg(test)]\n#[allow(b)]\nmod tests {\n    c;\n}\n#[cfg(test)]\nmod d;\ne\n";
    assert_eq!(without_tests(text), "use a;\ne\n");
}
