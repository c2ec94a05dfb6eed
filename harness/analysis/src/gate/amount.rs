//! How far a count may move: by a part of itself, or by so many exits.

use crate::compare::Percent;

/// How far a count may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// A part of the base.
    Part(Percent),
    /// So many exits.
    Exits(u64),
}

impl Amount {
    /// Whether `head` is more than this above `base`. Exact: whole numbers only.
    pub(super) fn is_exceeded(self, base: u64, head: u64) -> bool {
        match self {
            Amount::Part(percent) => percent.is_exceeded(base, head),
            Amount::Exits(exits) => head.saturating_sub(base) > exits,
        }
    }

    /// Whether `head` is more than this below `base`. Exact, too.
    pub(super) fn is_undercut(self, base: u64, head: u64) -> bool {
        match self {
            Amount::Part(percent) => percent.is_undercut(base, head),
            Amount::Exits(exits) => base.saturating_sub(head) > exits,
        }
    }

    /// The most that a count of the base may become.
    pub(super) fn above(self, base: u64) -> f64 {
        match self {
            Amount::Part(percent) => base as f64 * (1.0 + percent.fraction()),
            Amount::Exits(exits) => base as f64 + exits as f64,
        }
    }

    /// The least that a count of the base may become.
    pub(super) fn below(self, base: u64) -> f64 {
        match self {
            Amount::Part(percent) => base as f64 * (1.0 - percent.fraction()),
            Amount::Exits(exits) => base as f64 - exits as f64,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Amount::Part(percent) => percent.fmt(f),
            Amount::Exits(exits) => exits.fmt(f),
        }
    }
}
