//! The nouns: what is planned, ordered, told and recorded, and the exit reasons that all of
//! it is about. Nothing here starts a process or knows how anything is done.
//!
//! ```text
//! Plan ─► Order ─► Event ─► RunRecord
//! ```

mod absent;
pub mod address_map;
pub mod artifacts;
pub mod attach;
pub mod build;
pub mod event;
pub mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod guest_files;
pub mod hardware;
pub mod hindrance;
pub mod layout;
pub mod left_behind;
pub mod log;
pub mod matrix;
pub mod name;
pub mod order;
pub mod plan;
pub mod planned;
pub mod platform;
pub mod reasons;
pub mod record;
pub mod rule;
pub mod stream;
pub mod symbols;
