//! What is written into a file, and where: in the style of what stands around it.

use std::ops::Range;

use super::tokens::Code;

/// A text that goes in at one byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    at: usize,
    text: Vec<u8>,
}

/// A text with all edits, which may come in any order. Those of one place keep theirs.
pub fn apply(text: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.at);
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        out.extend_from_slice(&text[done..edit.at]);
        out.extend(edit.text);
        done = edit.at;
    }
    out.extend_from_slice(&text[done..]);
    out
}

/// Lines, each with the indentation before it.
fn lines(indentation: &[u8], more: &str, insert: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for line in insert.strip_suffix('\n').unwrap_or(insert).split('\n') {
        if !line.is_empty() {
            text.extend_from_slice(indentation);
            text.extend_from_slice(more.as_bytes());
            text.extend_from_slice(line.as_bytes());
        }
        text.push(b'\n');
    }
    text
}

impl Edit {
    /// After the last of the `#include`s before any code, of those that are in the same
    /// `#if` as the first.
    pub fn includes(code: &Code, insert: &str) -> Option<Self> {
        let (_, branch) = code.includes.first()?;
        let same = |(_, other): &&(Range<usize>, usize)| other == branch;
        let (last, _) = code.includes.iter().rev().find(same)?;
        Some(Self {
            at: code.next_line(last.end),
            text: lines(b"", "", insert),
        })
    }

    /// The first thing of these tokens, which brackets enclose.
    pub fn at_start(code: &Code, within: Range<usize>, insert: &str) -> Self {
        let open = code.tokens[within.start - 1].place.end;
        let text = lines(enclosing(code, &within), "\t", insert);
        let first = code.tokens[within.start].place.start;
        if code.line_start(first) == code.line_start(open) {
            let text = [b"\n", text.as_slice()].concat();
            return Self { at: open, text };
        }
        let at = code.next_line(open);
        Self { at, text }
    }

    /// The last thing of these tokens, which brackets enclose. An initializer's last
    /// element gets the comma that it may lack.
    pub fn at_end(code: &Code, within: Range<usize>, insert: &str) -> Vec<Self> {
        let close = code.tokens[within.end].place.start;
        let text = lines(enclosing(code, &within), "\t", insert);
        let mut edits = Vec::new();
        let open = within.start - 1;
        let initializer = open > 0 && code.word(open - 1) == b"=";
        if initializer && !within.is_empty() && code.word(within.end - 1) != b"," {
            edits.push(Self {
                at: code.tokens[within.end - 1].place.end,
                text: b",".to_vec(),
            });
        }
        let line = code.line_start(close);
        edits.push(if code.blank(line..close) {
            Self { at: line, text }
        } else {
            let text = [b"\n", text.as_slice()].concat();
            Self { at: close, text }
        });
        edits
    }

    /// Before the statement that begins with this token, and before the comments on it.
    pub fn before(code: &Code, statement: usize, insert: &str) -> Self {
        let first = code.tokens[statement].place.start;
        let indentation = code.indentation(first);
        let text = lines(indentation, "", insert);
        if code.blank(code.line_start(first)..first) {
            let at = code.with_comments(statement);
            return Self { at, text };
        }
        // Something else is on its line.
        let text = [b"\n", text.as_slice(), indentation].concat();
        Self { at: first, text }
    }

    /// The first thing that an `if` does whose head ends with the token `head`. Braces come
    /// where there are none.
    pub fn into(code: &Code, head: usize, insert: &str) -> Option<Vec<Self>> {
        let end = code.tokens.get(head)?.place.end;
        let indentation = code.indentation(statement_line(code, head));
        let text = lines(indentation, "\t", insert);
        if code.word(head + 1) == b"{" {
            let at = code.next_line(code.tokens[head + 1].place.end);
            return Some(vec![Self { at, text }]);
        }
        let mut last = head + 1;
        while code.word(last) != b";" {
            last = match code.word(last) {
                b"" | b"}" => return None,
                b"(" | b"[" | b"{" => code.pair(last)?,
                _ => last,
            } + 1;
        }
        Some(vec![
            Self {
                at: end,
                text: b" {".to_vec(),
            },
            Self {
                at: code.next_line(end),
                text,
            },
            Self {
                at: code.tokens[last].place.end,
                text: [b"\n", indentation, b"}"].concat(),
            },
        ])
    }

    /// A word more of a Makefile's list, after the byte `at`.
    pub fn word(at: usize, word: &str) -> Self {
        Self {
            at,
            text: format!(" {word}").into_bytes(),
        }
    }
}

/// The indentation of the line on which the brackets around these tokens close.
fn enclosing<'a>(code: &Code<'a>, within: &Range<usize>) -> &'a [u8] {
    code.indentation(code.tokens[within.end].place.start)
}

/// A byte on the line where the head of an `if` begins, which may have several.
fn statement_line(code: &Code, head: usize) -> usize {
    let open = code.pair(head).unwrap_or(head);
    code.tokens[open].place.start
}
