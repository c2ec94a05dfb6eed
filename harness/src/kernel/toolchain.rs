//! The programs that build a kernel.

use std::path::Path;

use crate::error::{Error, Result};

/// A program or header that a build needs, and Debian's package for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Name of a program, or absolute path of a header.
    pub name: &'static str,
    /// The package.
    pub package: &'static str,
}

const fn need(name: &'static str, package: &'static str) -> Need {
    Need { name, package }
}

/// Everything that a build of a kernel needs.
pub const NEEDS: &[Need] = &[
    need("gcc", "gcc"),
    need("ld", "binutils"),
    need("objcopy", "binutils"),
    need("make", "make"),
    need("flex", "flex"),
    need("bison", "bison"),
    need("bc", "bc"),
    need("lz4", "lz4"),
    need("patch", "patch"),
    need("tar", "tar"),
    need("xz", "xz-utils"),
    need("/usr/include/gelf.h", "libelf-dev"),
];

/// What is missing here of [`NEEDS`].
pub fn missing() -> Vec<Need> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |name: &str| match Path::new(name).is_absolute() {
        true => Path::new(name).exists(),
        false => std::env::split_paths(&path).any(|dir| dir.join(name).is_file()),
    };
    NEEDS
        .iter()
        .copied()
        .filter(|need| !found(need.name))
        .collect()
}

/// Names all that is missing in one error.
pub fn check() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    packages.dedup();
    Err(Error::Prerequisite {
        missing: missing
            .iter()
            .map(|need| format!("{} (to build a kernel)", need.name))
            .collect(),
        cure: format!("apt-get install {}", packages.join(" ")),
    })
}

/// What compiler and linker say of themselves.
pub async fn versions() -> Result<Vec<(&'static str, String)>> {
    let mut versions = Vec::new();
    for program in ["gcc", "ld"] {
        let output = tokio::process::Command::new(program)
            .arg("--version")
            .env("LC_ALL", "C")
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io("start", program))?;
        let text = String::from_utf8_lossy(&output.stdout);
        versions.push((program, text.lines().next().unwrap_or_default().to_owned()));
    }
    Ok(versions)
}
