//! A TOML file of another kind than an experiment, whose mistakes are told in the same
//! words: file, line, key and value.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::Spanned;

use super::problem::{Problem, Wrong};
use super::suggestion;

/// Longest piece of a value that an error shows.
const SNIPPET_CHARS: usize = 60;

/// A file's name, as the user gave it, and its text.
#[derive(Debug)]
pub struct Text {
    /// As messages call it.
    pub name: String,
    content: String,
}

impl Text {
    /// The text of a file that messages call `name`.
    pub fn new(name: impl Into<String>, content: impl Into<String>) -> Text {
        Text {
            name: name.into(),
            content: content.into(),
        }
    }

    /// Reads the document. `keys` are all keys that it may have, for suggestions; `manual`
    /// is the document that explains them.
    pub fn parse<T: DeserializeOwned>(&self, keys: &[&str], manual: &str) -> Result<T, Problem> {
        let read = || {
            let deserializer =
                toml::Deserializer::parse(&self.content).map_err(|e| (String::new(), e))?;
            serde_path_to_error::deserialize(deserializer).map_err(|error| {
                let segments = error.path().iter().filter_map(key_segment);
                let key = segments.collect::<Vec<_>>().join(".");
                (key, error.into_inner())
            })
        };
        read().map_err(|(key, error)| self.unreadable(&key, &error, keys, manual))
    }

    fn unreadable(
        &self,
        key: &str,
        error: &toml::de::Error,
        keys: &[&str],
        manual: &str,
    ) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        let place = self.place(span.start);
        if message.starts_with("unknown field") {
            let meant = suggestion::nearest(key, keys);
            let what = match meant.as_slice() {
                [] => "unknown key".to_owned(),
                meant => format!("unknown key: did you mean {}?", meant.join(" or ")),
            };
            let cure = format!("{manual} lists every key");
            return Wrong::new(what, cure).at(format!("{place}: {key}"), key);
        }
        if let Some(kinds) = message.strip_prefix("invalid type: ") {
            let label = format!("{place}: {key} = {}", self.snippet(span));
            return wrong_type(kinds, false).at(label, key);
        }
        let label = match key {
            "" => place,
            key => format!("{place}: {key}"),
        };
        let cure = format!("correct it there; {manual} has examples");
        Wrong::new(message.replace('\n', " "), cure).at(label, key)
    }

    /// What is wrong with a value of `key`.
    pub fn problem<T>(&self, key: &str, given: &Spanned<T>, wrong: Wrong) -> Problem {
        let span = given.span();
        let place = self.place(span.start);
        wrong.at(format!("{place}: {key} = {}", self.snippet(span)), key)
    }

    /// What is wrong with a whole section.
    pub fn section<T>(&self, key: &str, given: &Spanned<T>, wrong: Wrong) -> Problem {
        wrong.at(format!("{}: {key}", self.place(given.span().start)), key)
    }

    /// What is wrong with the file as a whole.
    pub fn whole(&self, wrong: Wrong) -> Problem {
        wrong.at(self.name.clone(), "")
    }

    /// `rules.toml:12`
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, line_of(&self.content, offset))
    }

    fn snippet(&self, span: Range<usize>) -> String {
        snippet(&self.content, span)
    }
}

/// The line, counted from 1, that the byte at `offset` is in.
pub fn line_of(content: &str, offset: usize) -> usize {
    let before = &content.as_bytes()[..offset.min(content.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The text of a value, cut to what fits on a line.
pub fn snippet(content: &str, span: Range<usize>) -> String {
    let written = content.get(span).unwrap_or_default();
    let line = written.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(SNIPPET_CHARS).collect();
    let cut = if shown.len() < written.len() {
        "…"
    } else {
        ""
    };
    shown + cut
}

/// A path segment as the user would write it; the fields of `Spanned` are ours.
pub fn key_segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Map { key } if !key.starts_with("$__serde") => Some(key.clone()),
        _ => None,
    }
}

/// `integer `5`, expected a string` in the words of TOML.
pub fn wrong_type(kinds: &str, in_set: bool) -> Wrong {
    let (found, expected) = kinds
        .rsplit_once(", expected ")
        .unwrap_or((kinds, "another type"));
    let found = match found.split([' ', '`', '"']).next().unwrap_or_default() {
        "sequence" => "list",
        "map" => "section",
        "floating" => "float",
        found => found,
    };
    let expected = match expected {
        "a string" => "string",
        "a boolean" => "boolean",
        "a sequence" => "list",
        "i64" => "integer",
        other => other,
    };
    let cure = match expected {
        "string" if in_set => "quote it for TOML and for the shell: --set 'key=\"value\"'",
        "string" => "write one value, in quotes",
        "boolean" => "write true or false, without quotes",
        "integer" => "write a whole number, without quotes",
        "list" => "write a list: [\"first\", \"second\"]",
        _ => "docs/configuration.md has the type of every key",
    };
    Wrong::new(format!("expected {expected}, found {found}"), cure)
}
