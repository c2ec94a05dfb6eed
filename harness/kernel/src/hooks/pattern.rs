//! Patterns of C: words in their order, and `$name` for any words of one expression.

use std::fmt;
use std::ops::Range;

use super::tokens::Code;

/// A pattern, as hooks name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word(Vec<u8>),
    Any(String),
}

/// Where a pattern was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The tokens that it covers.
    pub tokens: Range<usize>,
    /// What each `$name` stands for, as tokens.
    pub names: Vec<(String, Range<usize>)>,
}

impl Pattern {
    /// The pattern that `text` is.
    pub fn new(text: &str) -> Self {
        let code = Code::new(text.as_bytes());
        let part = |index| match code.word(index) {
            [b'$', name @ ..] => Part::Any(String::from_utf8_lossy(name).into_owned()),
            word => Part::Word(word.to_owned()),
        };
        Self {
            text: text.trim().to_owned(),
            parts: (0..code.tokens.len()).map(part).collect(),
        }
    }

    /// All places among the tokens of `within`.
    pub fn find(&self, code: &Code, within: Range<usize>) -> Vec<Match> {
        let end = within.end.min(code.tokens.len());
        let at = |start: usize| {
            let mut names = Vec::new();
            let stop = matched(&self.parts, code, start, end, &mut names)?;
            Some(Match {
                tokens: start..stop,
                names,
            })
        };
        (within.start..end).filter_map(at).collect()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

/// Where these parts end if they begin at token `at`.
fn matched(
    parts: &[Part],
    code: &Code,
    at: usize,
    end: usize,
    names: &mut Vec<(String, Range<usize>)>,
) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(at);
    };
    match part {
        Part::Word(word) => {
            (at < end && code.word(at) == word.as_slice()).then_some(())?;
            matched(rest, code, at + 1, end, names)
        }
        Part::Any(name) => {
            let mut stop = at;
            loop {
                let known = names.len();
                names.push((name.clone(), at..stop));
                if let Some(found) = matched(rest, code, stop, end, names) {
                    return Some(found);
                }
                names.truncate(known);
                stop = after_one(code, stop, end)?;
            }
        }
    }
}

/// The token after this one, or after the brackets that it opens; none where an expression
/// ends.
fn after_one(code: &Code, at: usize, end: usize) -> Option<usize> {
    let next = match code.word(at) {
        b"" | b";" | b"{" | b"}" | b")" | b"]" => return None,
        b"(" | b"[" => code.pair(at)? + 1,
        _ => at + 1,
    };
    (next <= end).then_some(next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(pattern: &str, text: &str) -> Vec<Vec<(String, String)>> {
        let code = Code::new(text.as_bytes());
        let matches = Pattern::new(pattern).find(&code, 0..code.tokens.len());
        let said =
            |tokens: &Range<usize>| String::from_utf8_lossy(code.words(tokens.clone())).into();
        let names = |found: Match| {
            let names = found.names.iter();
            names
                .map(|(name, words)| (name.clone(), said(words)))
                .collect()
        };
        matches.into_iter().map(names).collect()
    }

    #[test]
    fn white_space_comments_and_lines_do_not_matter() {
        for text in ["f( a,b )", "f\n(a, /* first */ b)", "f(a,\n\tb) // two"] {
            assert_eq!(found("f(a, b)", text).len(), 1, "{text}");
        }
        assert!(found("f(a, b)", "f(a, bc)").is_empty());
    }

    #[test]
    fn a_name_stands_for_one_expression() {
        let one = |pattern, text| found(pattern, text).remove(0).remove(0).1;
        assert_eq!(one("if ($x.y)", "if (f(a).y)"), "f(a)");
        assert_eq!(one("if ($x.y)", "if (v->r.y)"), "v->r");
        assert_eq!(
            one("f($x) {", "int f(int a, int (*b)(void))\n{"),
            "int a, int (*b)(void)"
        );
        assert_eq!(one("f($x) {", "f() {"), "");
        assert!(found("f($x) {", "f(a); g(b) {").is_empty());
    }
}
