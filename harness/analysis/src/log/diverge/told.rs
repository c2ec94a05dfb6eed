//! Exits and causes in words.

use serde::Serialize;

/// One exit, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exit {
    /// Its number among those of its vCPU, from 0.
    pub number: usize,
    /// When it was, nanoseconds of its host's clock.
    pub time_ns: u64,
    /// Number and name of the reason.
    pub reason: String,
    /// What the guest did.
    pub detail: String,
    /// Where.
    pub place: String,
}

/// A cause that one side has more of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Number and name of the reason.
    pub reason: String,
    /// What the guest did.
    pub detail: String,
    /// Where; empty for exits that come when the host has something to do.
    pub place: String,
    /// How many the base has.
    pub base: u64,
    /// How many the head has.
    pub head: u64,
}
