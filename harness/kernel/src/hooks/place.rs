//! Where a hook goes: places in a file that have meaning, and how they are found.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;

use super::edit::Edit;
use super::makefile;
use super::pattern::{Match, Pattern};
use super::tokens::Code;

/// A place as the table has it. Which fields go together, [`Place::anchor`] says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Another file than the hook's.
    pub file: Option<PathBuf>,
    #[serde(rename = "in")]
    scope: Option<String>,
    place: Option<Edge>,
    before: Option<String>,
    with: Option<String>,
    into: Option<String>,
    list: Option<String>,
    after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Edge {
    Includes,
    Start,
    End,
}

/// A place, understood.
#[derive(Debug)]
pub enum Anchor {
    /// After the last `#include` that comes before any code.
    Includes,
    /// The first thing in the brackets that this opens.
    Start(Pattern),
    /// The last thing in them.
    End(Pattern),
    /// Before the statement, in these brackets, that holds the pattern. `with` is there
    /// too, and gives names to the text.
    Before {
        scope: Pattern,
        what: Pattern,
        with: Option<Pattern>,
    },
    /// The first thing of what this `if` does.
    Into { scope: Pattern, what: Pattern },
    /// The end of a Makefile's list.
    ListEnd(String),
    /// After a word of a Makefile's list.
    ListAfter(String, String),
}

/// Why a place is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// What was looked for is not there.
    Absent(String),
    /// It is there several times: so many.
    Several(String, usize),
    /// It is compiled only under an `#if`.
    Conditional(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(what) => write!(f, "no {what}"),
            Self::Several(what, count) => write!(f, "{count} times {what}"),
            Self::Conditional(what) => write!(f, "only under an #if: {what}"),
        }
    }
}

impl Place {
    /// What the fields mean together; none if they mean nothing.
    pub fn anchor(&self) -> Option<Anchor> {
        let pattern = |text: &Option<String>| text.as_deref().map(Pattern::new);
        let others = [
            &self.before,
            &self.with,
            &self.into,
            &self.list,
            &self.after,
        ];
        let alone = |allowed: &[&Option<String>]| {
            let given = others.iter().filter(|other| other.is_some()).count();
            given == allowed.iter().filter(|other| other.is_some()).count()
        };
        if let Some(list) = &self.list {
            return match (&self.after, self.place) {
                (Some(word), None) => Some(Anchor::ListAfter(list.clone(), word.clone())),
                (None, Some(Edge::End)) => Some(Anchor::ListEnd(list.clone())),
                _ => None,
            };
        }
        match (pattern(&self.scope), self.place) {
            (None, Some(Edge::Includes)) if alone(&[]) => Some(Anchor::Includes),
            (Some(scope), Some(Edge::Start)) if alone(&[]) => Some(Anchor::Start(scope)),
            (Some(scope), Some(Edge::End)) if alone(&[]) => Some(Anchor::End(scope)),
            (Some(scope), None) => match (pattern(&self.before), pattern(&self.into)) {
                (Some(what), None) => Some(Anchor::Before {
                    scope,
                    what,
                    with: pattern(&self.with),
                }),
                (None, Some(what)) => Some(Anchor::Into { scope, what }),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Anchor {
    /// What has to be written where, for `insert` to be there.
    pub fn edits(&self, text: &[u8], insert: &str) -> Result<Vec<Edit>, Missing> {
        match self {
            Self::ListEnd(list) => list_end(text, list, insert),
            Self::ListAfter(list, word) => list_after(text, list, word, insert),
            _ => self.edits_of_code(&Code::new(text), insert),
        }
    }

    fn edits_of_code(&self, code: &Code, insert: &str) -> Result<Vec<Edit>, Missing> {
        match self {
            Self::Start(scope) => Ok(vec![Edit::at_start(code, open(code, scope)?, insert)]),
            Self::End(scope) => Ok(Edit::at_end(code, open(code, scope)?, insert)),
            Self::Before { scope, what, with } => {
                let within = open(code, scope)?;
                let found = once(code, what, within.clone(), Some(scope))?;
                let statement = statement(code, within.clone(), found.tokens.start);
                if code.tokens[statement].branch != code.tokens[within.start - 1].branch {
                    return Err(Missing::Conditional(looked_for(what, Some(scope))));
                }
                let mut names = found.names;
                if let Some(with) = with {
                    names.extend(once(code, with, within, Some(scope))?.names);
                }
                Ok(vec![Edit::before(
                    code,
                    statement,
                    &named(code, insert, &names),
                )])
            }
            Self::Into { scope, what } => {
                let found = once(code, what, open(code, scope)?, Some(scope))?;
                let insert = named(code, insert, &found.names);
                let absent = || Missing::Absent(looked_for(what, Some(scope)));
                Edit::into(code, found.tokens.end - 1, &insert).ok_or_else(absent)
            }
            // Lists are no code.
            _ => Edit::includes(code, insert)
                .map(|edit| vec![edit])
                .ok_or_else(|| Missing::Absent("#include before the code".into())),
        }
    }

    /// Whether the file has the text already.
    pub fn is_hooked(&self, text: &[u8], insert: &str) -> bool {
        match self {
            Self::ListEnd(list) | Self::ListAfter(list, _) => {
                let lists = makefile::lists(text, list);
                let mut words = lists.iter().flatten();
                words.any(|word| &text[word.clone()] == insert.as_bytes())
            }
            Self::Includes => {
                let mut lines = text.split(|byte| *byte == b'\n');
                lines.any(|line| line.trim_ascii() == insert.as_bytes())
            }
            _ => {
                let code = Code::new(text);
                !Pattern::new(insert)
                    .find(&code, 0..code.tokens.len())
                    .is_empty()
            }
        }
    }
}

fn looked_for(what: &Pattern, scope: Option<&Pattern>) -> String {
    match scope {
        Some(scope) => format!("{what} in {scope}"),
        None => what.to_string(),
    }
}

/// The one place of a pattern.
fn once(
    code: &Code,
    what: &Pattern,
    within: Range<usize>,
    scope: Option<&Pattern>,
) -> Result<Match, Missing> {
    let mut found = what.find(code, within);
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Missing::Absent(looked_for(what, scope))),
        count => Err(Missing::Several(looked_for(what, scope), count)),
    }
}

/// The tokens in the brackets that a pattern opens with its last word.
fn open(code: &Code, scope: &Pattern) -> Result<Range<usize>, Missing> {
    let found = once(code, scope, 0..code.tokens.len(), None)?;
    let open = found.tokens.end - 1;
    let close = code.pair(open).filter(|close| *close > open);
    let close = close.ok_or_else(|| Missing::Absent(format!("end of {scope}")))?;
    if code.tokens[open].branch != code.tokens[close].branch {
        return Err(Missing::Conditional(format!("end of {scope}")));
    }
    Ok(open + 1..close)
}

/// The first token of the statement, or member, that holds token `index`.
fn statement(code: &Code, within: Range<usize>, index: usize) -> usize {
    let (mut start, mut at) = (within.start, within.start);
    while at < index {
        let end = match code.word(at) {
            b"(" | b"[" | b"{" => code.pair(at).unwrap_or(at),
            _ => at,
        };
        if end >= index {
            break;
        }
        let ends = matches!(code.word(end), b";" | b"}");
        let goes_on = matches!(code.word(end + 1), b"else" | b"while" | b"," | b";" | b")");
        if ends && !goes_on {
            start = end + 1;
        }
        at = end + 1;
    }
    start
}

/// A text with what its names stand for.
fn named(code: &Code, insert: &str, names: &[(String, Range<usize>)]) -> String {
    let mut text = insert.to_owned();
    for (name, tokens) in names {
        let words = String::from_utf8_lossy(code.words(tokens.clone()));
        text = text.replace(&format!("${name}"), &words);
    }
    text
}

fn list_end(text: &[u8], list: &str, insert: &str) -> Result<Vec<Edit>, Missing> {
    let lists = makefile::lists(text, list);
    let last = lists.iter().find_map(|words| words.last());
    let last = last.ok_or_else(|| Missing::Absent(format!("list `{list}`")))?;
    Ok(vec![Edit::word(last.end, insert)])
}

fn list_after(text: &[u8], list: &str, word: &str, insert: &str) -> Result<Vec<Edit>, Missing> {
    let lists = makefile::lists(text, list);
    let mut words = lists.iter().flatten();
    let found = words.find(|place| &text[(*place).clone()] == word.as_bytes());
    let found = found.ok_or_else(|| Missing::Absent(format!("`{word}` in the list `{list}`")))?;
    Ok(vec![Edit::word(found.end, insert)])
}
