//! exitlab: which VM exits does a guest cause, how many of each, and when.
//!
//! This crate is the conductor. It knows all trades, and the order of everything:
//!
//! ```text
//! config ─► Plan ─► build: kernel · images ─► session: a host, its agent's events
//!                                                  │
//!                      results ◄─ RunRecord ◄──────┘
//!                         └─► analysis ─► tables, verdicts
//! ```

pub mod cli;
pub mod command;
pub mod doctor;
pub mod ended;
pub mod jobs;
pub mod kept;

pub mod attach;
pub mod booted;
mod broken;
pub mod build;
pub mod context;
pub mod expected;
pub mod litter;
pub mod minutes;
pub mod out_dir;
pub mod own_symbols;
mod pace;
pub mod pages;
pub mod provenance;
pub mod results;
pub mod run;
pub mod schema;
pub mod seed;
pub mod session;

pub mod bisect;
pub mod conformance;
pub mod grading;
pub mod log_book;
mod matrix;

pub mod signals;
pub mod timings;
pub mod ui;
pub mod watch;
