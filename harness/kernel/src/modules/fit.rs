//! Whether source, configuration and compiler are those of the installed kernel. A module
//! that does not fit may load and then corrupt memory.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::headers::Headers;
use super::super::{kconfig, source};
use exitlab_base::error::{Error, Result};
use exitlab_base::tool;
use exitlab_model::plan::KernelSource;

const STAGE: &str = "fit";
/// Symbols that say which programs there were when the kernel was configured. Where they
/// change what is compiled, another symbol differs, too.
const TOOLS: [&str; 7] = [
    "CONFIG_CC_VERSION_TEXT",
    "CONFIG_AS_VERSION",
    "CONFIG_LD_VERSION",
    "CONFIG_PAHOLE_VERSION",
    "CONFIG_RUSTC_VERSION",
    "CONFIG_RUSTC_VERSION_TEXT",
    "CONFIG_BINDGEN_VERSION_TEXT",
];

fn misfit(message: String, cure: String) -> Error {
    Error::Build {
        stage: format!("kernel: {STAGE}"),
        message,
        tail: Vec::new(),
        cure,
    }
}

const WHOLE: &str = "build a whole kernel instead: exitlab kernel install";

/// KVM must be modules there, or there is nothing to put in their place.
pub fn require_modules(headers: &Headers) -> Result<()> {
    let is_module = |name: &str| headers.symbol(name) == "m";
    if is_module("CONFIG_KVM") {
        return Ok(());
    }
    let how = match headers.symbol("CONFIG_KVM") {
        "y" => "has KVM built in",
        _ => "has no KVM",
    };
    Err(misfit(
        format!("the kernel {} {how}, not as modules", headers.release),
        WHOLE.to_owned(),
    ))
}

/// Debian's source package must be the one that Debian's kernel was built from. Asked for
/// before anything is unpacked.
pub fn require_package(headers: &Headers, source: &KernelSource) -> Result<()> {
    let (KernelSource::Debian(name), Some(wanted)) = (source, &headers.package) else {
        return Ok(());
    };
    let found = tool::version("dpkg-query", &["-W", "-f", "${Version}", name]);
    match found {
        Some(found) if found != *wanted => Err(other_version(headers, name, &found, wanted)),
        // Where it is not installed, finding the source says so.
        _ => Ok(()),
    }
}

fn other_version(headers: &Headers, source: &str, found: &str, wanted: &str) -> Error {
    misfit(
        format!(
            "{source} is of version {found}, and the kernel {} was built from {wanted}",
            headers.release
        ),
        format!(
            "bring source, headers and kernel to one version (Debian: apt-get update, then \
             apt-get install linux-source-{} linux-headers-amd64 linux-image-amd64, and boot \
             that kernel), or name the source of {wanted} with --source; or {WHOLE}",
            headers.series()
        ),
    )
}

/// A tree must be of the very version.
pub fn require_version(headers: &Headers, tree: &Path) -> Result<()> {
    let found = source::version_of(tree)?;
    if found == headers.version {
        return Ok(());
    }
    Err(other_version(
        headers,
        "the source",
        &found,
        &headers.version,
    ))
}

/// The compiler that built the kernel is not there.
pub fn no_compiler(headers: &Headers) -> Error {
    let compiler = &headers.compiler;
    Error::Prerequisite {
        missing: vec![format!(
            "{compiler}: it built the kernel {}",
            headers.release
        )],
        cure: format!("apt-get install {compiler}"),
    }
}

/// The configuration that the tree made of the kernel's must be the kernel's: where a
/// symbol differs, structures may.
pub fn require_config(headers: &Headers, got: &str) -> Result<()> {
    let read = |text: &'_ str| -> BTreeMap<String, String> {
        let settings = text.lines().filter_map(kconfig::setting);
        let set = settings.filter(|(symbol, value)| *value != "n" && !TOOLS.contains(symbol));
        set.map(|(s, v)| (s.to_owned(), v.to_owned())).collect()
    };
    let (wanted, got) = (read(&headers.config), read(got));
    let value = |map: &BTreeMap<String, String>, symbol: &str| {
        map.get(symbol).cloned().unwrap_or_else(|| "n".to_owned())
    };
    let symbols: std::collections::BTreeSet<_> = wanted.keys().chain(got.keys()).collect();
    let differing = symbols
        .into_iter()
        .filter(|symbol| wanted.get(*symbol) != got.get(*symbol));
    let lines: Vec<String> = differing
        .map(|symbol| {
            let (had, becomes) = (value(&wanted, symbol), value(&got, symbol));
            format!("  {symbol}={had} would be {becomes}")
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    const SHOWN: usize = 12;
    let more = lines.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("\n  and {more} more"));
    Err(misfit(
        format!(
            "the configuration of {} does not hold in this source with these tools:\n{}{}",
            headers.release,
            lines[..lines.len().min(SHOWN)].join("\n"),
            more.unwrap_or_default()
        ),
        format!(
            "install the tools that the kernel was built with (for CONFIG_DEBUG_INFO_BTF pahole: \
             apt-get install dwarves); name the source that it was built from with --source; or \
             {WHOLE}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn headers(config: &str) -> Headers {
        Headers {
            dir: "/usr/src/linux-headers-6.1.0-56-amd64".into(),
            release: "6.1.0-56-amd64".into(),
            version: "6.1.192".into(),
            package: Some("6.1.192-2".into()),
            compiler: "gcc-12".into(),
            config: config.into(),
        }
    }

    fn told(error: &Error) -> String {
        format!("{error}\ncure: {}", error.cure())
    }

    #[test]
    fn kvm_must_be_modules() {
        require_modules(&headers("CONFIG_KVM=m\n")).unwrap();
        let built_in = require_modules(&headers("CONFIG_KVM=y\n")).unwrap_err();
        insta::assert_snapshot!(told(&built_in), @r"
        kernel: fit: the kernel 6.1.0-56-amd64 has KVM built in, not as modules
        cure: build a whole kernel instead: exitlab kernel install
        ");
        let none = require_modules(&headers("# CONFIG_KVM is not set\n")).unwrap_err();
        assert!(none.to_string().contains("has no KVM"));
    }

    #[test]
    fn the_source_must_be_of_the_very_version() {
        let dir = tempfile::tempdir().unwrap();
        let makefile = "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 176\nEXTRAVERSION =\n";
        fs::write(dir.path().join("Makefile"), makefile).unwrap();
        let error = require_version(&headers(""), dir.path()).unwrap_err();
        insta::assert_snapshot!(told(&error), @r"
        kernel: fit: the source is of version 6.1.176, and the kernel 6.1.0-56-amd64 was built from 6.1.192
        cure: bring source, headers and kernel to one version (Debian: apt-get update, then apt-get install linux-source-6.1 linux-headers-amd64 linux-image-amd64, and boot that kernel), or name the source of 6.1.192 with --source; or build a whole kernel instead: exitlab kernel install
        ");
        fs::write(dir.path().join("Makefile"), makefile.replace("176", "192")).unwrap();
        require_version(&headers(""), dir.path()).unwrap();
    }

    #[test]
    fn a_symbol_that_differs_is_named_and_versions_of_tools_may_differ() {
        let kernel = headers(
            "CONFIG_PAHOLE_VERSION=124\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_KVM=m\n\
             # CONFIG_KVM_XEN is not set\n",
        );
        require_config(
            &kernel,
            "CONFIG_PAHOLE_VERSION=125\nCONFIG_DEBUG_INFO_BTF=y\nCONFIG_KVM=m\n",
        )
        .unwrap();
        let error = require_config(&kernel, "CONFIG_KVM=m\nCONFIG_KVM_XEN=y\n").unwrap_err();
        insta::assert_snapshot!(error.to_string(), @r"
        kernel: fit: the configuration of 6.1.0-56-amd64 does not hold in this source with these tools:
          CONFIG_DEBUG_INFO_BTF=y would be n
          CONFIG_KVM_XEN=n would be y
        ");
    }
}
