//! KVM's modules alone, with the census, for a kernel that is installed.
//!
//! ```text
//! source ─► work tree ─► hooks + overlay ─► the kernel's .config ─► make M=arch/x86/kvm
//!                                           the kernel's Module.symvers ──┘
//! ```
//!
//! Headers alone do not hold KVM's source, and the census changes a header
//! (`asm/kvm_host.h`), so the modules are built in a tree of the same source. That is
//! right only where source, configuration and compiler are those of the kernel: each is
//! compared, because a module that does not fit may load and then corrupt memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::headers::Headers;
use super::source::{self, Source};
use super::tree::WorkTree;
use super::{Changes, RECIPE, add_census, compile_targets, kconfig, make, tool_versions};
use crate::artifact::{Cache, Key, KeyBuilder};
use crate::config::plan::KernelSource;
use crate::error::{Error, Result};
use crate::process;
use crate::tool;

const STAGE: &str = "fit";
/// Where KVM is in a tree.
const KVM: &str = "arch/x86/kvm";
/// KVM's modules, in the order in which they are loaded.
const NAMES: [&str; 3] = ["kvm", "kvm-intel", "kvm-amd"];
/// What the artifact says of itself.
const ABOUT: &str = "modules.json";
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

/// KVM's modules, built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modules {
    /// `uname -r` of the kernel that they are for.
    pub release: String,
    /// In the order in which they are loaded.
    pub modules: Vec<Module>,
}

/// One module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The file.
    pub path: PathBuf,
    /// Modules that it needs, without those that are built here.
    pub needs: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct About {
    release: String,
    /// Name of each module, and what it needs.
    modules: Vec<(String, Vec<String>)>,
}

/// Builds KVM's modules for the kernel of `headers` from `source`, or finds them in the
/// cache.
pub async fn build(
    cache: &Cache,
    headers: &Headers,
    source: &KernelSource,
    progress: &dyn Fn(&str),
) -> Result<Modules> {
    require_modules(headers)?;
    require_package(headers, source)?;
    let source = Source::find(cache, source)?;
    let mut versions = tool_versions()?;
    let compiler = tool::version(&headers.compiler, &["--version"]);
    versions.push(("compiler", compiler.ok_or_else(|| no_compiler(headers))?));
    let key = key(&source, headers, &versions)?;
    let recipe = async |staging: &Path| {
        let name = work_name(&source, &versions);
        let tree = WorkTree::open(cache, &name, &source, progress).await?;
        require_version(headers, &tree.dir())?;
        let changes = Changes {
            census: true,
            patches: Vec::new(),
        };
        changes.make_in(&tree).await?;
        let busy = tree.busy()?;
        compile(&tree, headers, progress).await?;
        drop(busy);
        collect(&tree, headers, staging).await
    };
    let artifact = cache.get_or_build("kernel-modules", &key, recipe).await?;
    load(&artifact.dir)
}

fn key(source: &Source, headers: &Headers, versions: &[(&'static str, String)]) -> Result<Key> {
    let mut key = KeyBuilder::new()
        .text("source", source.digest.hex())
        .text("release", &headers.release)
        .bytes("config", headers.config.as_bytes())
        .file("symbols", &headers.dir.join("Module.symvers"))?;
    key = add_census(key);
    for (program, version) in versions {
        key = key.text(*program, version);
    }
    Ok(key.text("recipe", RECIPE).build())
}

/// Apart from the trees of whole kernels: nearly every object is another.
fn work_name(source: &Source, versions: &[(&'static str, String)]) -> String {
    let mut key = KeyBuilder::new()
        .text("source", source.family())
        .text("modules", "yes");
    for (program, version) in versions {
        key = key.text(*program, version);
    }
    key.build().hex().to_owned()
}

async fn compile(tree: &WorkTree, headers: &Headers, progress: &dyn Fn(&str)) -> Result<()> {
    let dir = tree.dir();
    let release = format!("KERNELRELEASE={}", headers.release);
    let compiler = format!("CC={}", headers.compiler);
    let words = [release.as_str(), compiler.as_str()];
    progress("configure");
    kconfig::configure_from(tree, &headers.config, &[], &words).await?;
    let config = dir.join(".config");
    let got = fs::read_to_string(&config).map_err(Error::io("read", config))?;
    require_config(headers, &got)?;

    // The versions of every symbol that the kernel exports.
    let (from, to) = (
        headers.dir.join("Module.symvers"),
        dir.join("Module.symvers"),
    );
    fs::copy(&from, to).map_err(Error::io("copy", from))?;
    progress("prepare");
    let log = tree.log_path("prepare");
    let _ = fs::remove_file(&log);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = format!("-j{jobs}");
    let prepare = [&words[..], &[&jobs, "modules_prepare"]].concat();
    make::run(&dir, &prepare, &log, "prepare", |_| {}).await?;
    let modules = [&words[..], &["M=arch/x86/kvm", "modules"]].concat();
    compile_targets(tree, &modules, progress).await
}

/// Takes the modules out of the tree, without what only a debugger reads.
async fn collect(tree: &WorkTree, headers: &Headers, staging: &Path) -> Result<()> {
    let built = tree.dir().join(KVM);
    let mut modules = Vec::new();
    for name in NAMES {
        let file = format!("{name}.ko");
        if !built.join(&file).is_file() {
            continue;
        }
        let log = tree.log_path("strip");
        let mut strip = Command::new("objcopy");
        make::clean_env(&mut strip);
        strip.arg("--strip-debug").arg(built.join(&file));
        strip.arg(staging.join(&file));
        let stripped = process::run(strip, &log, |_| {}).await?;
        if !stripped.status.success() {
            let message = format!("objcopy failed for {file}");
            return Err(make::failed("strip", message, stripped.tail, &log));
        }
        let source = built.join(format!("{name}.mod.c"));
        let source = fs::read_to_string(&source).map_err(Error::io("read", source))?;
        modules.push((name.to_owned(), needs(&source)));
    }
    let path = staging.join(ABOUT);
    let about = About {
        release: headers.release.clone(),
        modules,
    };
    let text = serde_json::to_vec_pretty(&about)
        .map_err(|error| Error::io("write", &path)(error.into()))?;
    fs::write(&path, text).map_err(Error::io("write", &path))?;
    let log = tree.log_path("compile");
    let copied = fs::copy(&log, staging.join("compile.log"));
    copied.map(drop).map_err(Error::io("copy", log))
}

/// The modules of `MODULE_INFO(depends, "kvm,ccp");` but KVM's own.
fn needs(source: &str) -> Vec<String> {
    let list = source
        .split_once("MODULE_INFO(depends, \"")
        .and_then(|(_, rest)| Some(rest.split_once('"')?.0))
        .unwrap_or_default();
    let names = list.split(',').filter(|name| !name.is_empty());
    names
        .filter(|name| !NAMES.contains(&name.replace('_', "-").as_str()))
        .map(str::to_owned)
        .collect()
}

fn load(dir: &Path) -> Result<Modules> {
    let path = dir.join(ABOUT);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let about: About =
        serde_json::from_slice(&text).map_err(|error| Error::io("read", &path)(error.into()))?;
    let modules = about.modules.into_iter().map(|(name, needs)| Module {
        path: dir.join(format!("{name}.ko")),
        needs,
    });
    Ok(Modules {
        release: about.release,
        modules: modules.collect(),
    })
}

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
fn require_modules(headers: &Headers) -> Result<()> {
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
fn require_package(headers: &Headers, source: &KernelSource) -> Result<()> {
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
fn require_version(headers: &Headers, tree: &Path) -> Result<()> {
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

fn no_compiler(headers: &Headers) -> Error {
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
fn require_config(headers: &Headers, got: &str) -> Result<()> {
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

    #[test]
    fn a_module_needs_what_is_not_built_here() {
        assert_eq!(needs("MODULE_INFO(depends, \"kvm,ccp\");\n"), ["ccp"]);
        assert_eq!(
            needs("MODULE_INFO(depends, \"irqbypass\");\n"),
            ["irqbypass"]
        );
        assert!(needs("MODULE_INFO(depends, \"\");\n").is_empty());
        assert!(needs("").is_empty());
    }
}
