//! Debian's kernel as it is, for the machines of benchmarks.

use std::path::{Path, PathBuf};

use crate::support::run;

/// The kernel that `exitlab build kernel` makes of these settings.
pub fn built(sets: &[&str]) -> PathBuf {
    let outcome = run(&[&["build", "kernel"], sets].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    PathBuf::from(outcome.stdout.trim())
}

/// Debian's, of the package that `scripts/install-prerequisites --tests` has fetched.
pub fn kernel() -> PathBuf {
    let source = format!("kernel.source=package:{}", package().display());
    built(&["--set", &source])
}

fn package() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debian-kernel");
    let packages = std::fs::read_dir(&dir).unwrap();
    let mut packages: Vec<PathBuf> = packages.map(|entry| entry.unwrap().path()).collect();
    packages.retain(|path| path.extension().is_some_and(|end| end == "deb"));
    packages.sort();
    packages.pop().expect("a package: install-prerequisites")
}
