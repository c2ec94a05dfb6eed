//! The census as files of this repository (`kernel/`), embedded at compile time: the
//! binary needs no checkout beside it, and what it embeds is exactly what its keys say.
//!
//! The tables name each file, so that Cargo rebuilds when one changes, with no build
//! script and no further crate; a test compares them with the directories.

/// A file: its path below its directory, and its text.
pub type Asset = (&'static str, &'static str);

macro_rules! embed {
    ($dir:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../kernel/", $dir, "/", $path)))),+]
    };
}

/// Files that the census adds to a kernel tree.
pub const OVERLAY: &[Asset] = embed!("overlay":
    "arch/x86/include/asm/kvm_exit_census.h",
    "arch/x86/kvm/exit_census.c",
    "arch/x86/kvm/exit_census.h",
    "arch/x86/kvm/svm/exit_census.c",
    "arch/x86/kvm/svm/exit_census_reasons.h",
    "arch/x86/kvm/svm/svm_exit_census.h",
    "arch/x86/kvm/vmx/exit_census.c",
    "arch/x86/kvm/vmx/exit_census_reasons.h",
);

/// The table of the lines by which KVM calls the census.
pub const HOOKS: &[Asset] = embed!("hooks": "census.toml");

/// Kconfig fragments, in the order in which they are merged.
pub const FRAGMENTS: &[Asset] = embed!("kconfig": "common.config", "host.config", "guest.config");

/// Kconfig fragments of a kernel that traces, merged after [`FRAGMENTS`].
pub const TRACING: &[Asset] = embed!("kconfig": "trace.config");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn check(dir: &str, assets: &[Asset]) {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../kernel")).join(dir);
        let files = exitlab_base::artifact::digest::list(&dir, &|_| false).unwrap();
        let mut embedded: Vec<_> = assets.iter().map(|(path, _)| Path::new(path)).collect();
        embedded.sort();
        assert_eq!(
            embedded,
            files,
            "the table in assets.rs and {}",
            dir.display()
        );
    }

    #[test]
    fn the_tables_name_every_file() {
        check("overlay", OVERLAY);
        check("hooks", HOOKS);
        // For kernels that others build (docs/conformance.md).
        let theirs = ("conformance.config", "");
        check("kconfig", &[FRAGMENTS, TRACING, &[theirs]].concat());
    }
}
