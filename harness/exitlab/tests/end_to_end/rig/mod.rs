//! What end-to-end tests work with: programs at work, results that several look at, a
//! repository of Linux, a machine that is not exitlab's, Slurm, and exitlab as somebody else
//! has built it.

pub mod linux;
pub mod machine;
pub mod planted;
pub mod running;
pub mod shared;
pub mod slurm;
pub mod twin;

use std::path::PathBuf;

pub use planted::{own_file, planted_kernel};

use crate::support::run;

/// The repository that exitlab is in.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The path that `exitlab build` prints.
pub fn built(args: &[&str]) -> PathBuf {
    let outcome = run(&[&["build"], args].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    PathBuf::from(outcome.stdout.trim())
}
