//! The kernel in which everything is planted.

use std::path::{Path, PathBuf};

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
