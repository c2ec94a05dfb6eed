//! exitlab: which VM exits does a guest cause, how many of each, and when.
//!
//! ```text
//! config ─► plan ─► artifact: kernel · image ─► platform ─► agent
//!                                                  │ events
//!                                      run ◄───────┘
//!                                       └─► record ─► analysis ─► export · ui
//! ```
//!
//! The modules are listed in the order in which a run passes through them.

pub mod cli;
pub mod command;
pub mod config;
pub mod doctor;
pub mod git;
pub mod process;
pub mod shell;
pub mod tool;

pub mod artifact;
pub mod image;
pub mod kernel;

pub mod agent;
pub mod platform;

pub mod event;
pub mod matrix;
pub mod provenance;
pub mod record;
pub mod results;
pub mod run;
pub mod session;

pub mod conformance;

pub mod analysis;
pub mod baseline;
pub mod bisect;
pub mod compare;
pub mod export;
pub mod gate;
pub mod reasons;

pub mod error;
pub mod signals;
pub mod ui;
