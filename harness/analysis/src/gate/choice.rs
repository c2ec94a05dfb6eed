//! What a rule names below its reasons, and what it means by it.

use crate::compare::{CellCounts, Item};
use crate::figures::Kind;

/// What a rule is about, below its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BelowChoice {
    /// A detail as tables print it, with or without its direction and its name.
    Detail(String),
    /// A function of the guest, or an address that has no name.
    Place(String),
}

impl BelowChoice {
    /// As the rule has it.
    pub fn words(&self) -> &str {
        match self {
            BelowChoice::Detail(words) | BelowChoice::Place(words) => words,
        }
    }

    /// After what a rule says of reasons.
    pub fn title(&self) -> String {
        match self {
            BelowChoice::Detail(words) => format!(", {words}"),
            BelowChoice::Place(words) => format!(" from {words}"),
        }
    }

    /// The key that names it, and the key of the configuration that counts it.
    pub(super) fn keys(&self) -> [&'static str; 2] {
        match self {
            BelowChoice::Detail(_) => ["detail", "sampling.detail"],
            BelowChoice::Place(_) => ["place", "sampling.places"],
        }
    }

    /// Whether it means an item.
    pub fn has(&self, item: &Item, name: Option<&str>) -> bool {
        self.is_of(item.kind) && {
            let spelled = [item.spelling.as_str(), item.kind.undirected(&item.spelling)];
            let wanted = plain(self.words());
            spelled.into_iter().any(|spelling| {
                let named = name.map(|name| plain(&format!("{spelling} ({name})")));
                plain(spelling) == wanted || named == Some(wanted.clone())
            })
        }
    }

    pub(super) fn is_of(&self, kind: Kind) -> bool {
        (kind == Kind::Place) == matches!(self, BelowChoice::Place(_))
    }

    /// The kind that it is of, if its spelling tells.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            BelowChoice::Place(_) => Some(Kind::Place),
            BelowChoice::Detail(words) => {
                let bare = words
                    .split_once(" (")
                    .map_or(words.as_str(), |(bare, _)| bare);
                Kind::spelled(words).or_else(|| Kind::spelled(bare))
            }
        }
    }

    /// Whether a cell counted what it could be.
    pub(super) fn is_told(&self, cell: &CellCounts) -> bool {
        match self.kind() {
            Some(kind) => cell.told.has(kind),
            None => Kind::ALL
                .into_iter()
                .any(|k| self.is_of(k) && cell.told.has(k)),
        }
    }
}

/// One spelling of what can be written in several: letters of either case, numbers with zeros
/// before them.
pub(super) fn plain(words: &str) -> String {
    let number = |part: &str| {
        let digits = part.strip_prefix("0x")?;
        let number = u64::from_str_radix(digits, 16).ok()?;
        Some(format!("{number:#x}"))
    };
    let word = |word: &str| -> String {
        let parts = word.split('.');
        let parts = parts.map(|part| number(part).unwrap_or_else(|| part.to_owned()));
        parts.collect::<Vec<_>>().join(".")
    };
    let words = words.trim().to_lowercase();
    words
        .split_whitespace()
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}
