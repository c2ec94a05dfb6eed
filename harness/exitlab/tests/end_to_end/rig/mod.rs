//! What end-to-end tests work with: programs at work, results that several look at, a
//! repository of Linux, a machine that is not exitlab's, Slurm, and exitlab as somebody else
//! has built it.

pub mod linux;
pub mod machine;
pub mod running;
pub mod shared;
pub mod slurm;
pub mod twin;

use std::path::{Path, PathBuf};

use crate::support::run;

/// The repository that exitlab is in.
pub const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A file that belongs to the tests.
pub fn own_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The `--set` words of the one kernel in which things are planted that its command line
/// switches on: ten mistakes in the census, and a faster tick.
pub fn planted_kernel() -> [String; 2] {
    let list = |names: &[&str]| {
        format!(
            "{:?}",
            names.iter().map(|name| own_file(name)).collect::<Vec<_>>()
        )
    };
    [
        format!(
            "kernel.patches={}",
            list(&["mistakes/all.patch", "planted/tick.patch"])
        ),
        format!("kernel.fragments={}", list(&["planted/planted.config"])),
    ]
}

/// The path that `exitlab build` prints.
pub fn built(args: &[&str]) -> PathBuf {
    let outcome = run(&[&["build"], args].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    PathBuf::from(outcome.stdout.trim())
}
