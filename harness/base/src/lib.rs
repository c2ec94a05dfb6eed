//! What every trade stands on: processes, files, the cache, archives, and errors that say
//! what failed, in which stage, and what cures it.

pub mod answer;
pub mod archive;
pub mod artifact;
pub mod bounded;
pub mod dir;
pub mod error;
pub mod files;
pub mod foreign;
pub mod git;
pub mod inherited;
pub mod need;
pub mod not_started;
pub mod panics;
pub mod process;
pub mod screen;
pub mod shell;
pub mod toml;
pub mod tool;
