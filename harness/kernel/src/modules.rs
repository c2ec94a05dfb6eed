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

mod fit;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::headers::Headers;
use super::source::Source;
use super::tree::WorkTree;
use super::{Changes, RECIPE, add_census, compile_targets, kconfig, make, tool_versions};
use exitlab_base::artifact::{Cache, Key, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_base::process;
use exitlab_base::tool;
use exitlab_model::plan::KernelSource;

/// Where KVM is in a tree.
const KVM: &str = "arch/x86/kvm";
/// KVM's modules, in the order in which they are loaded.
const NAMES: [&str; 3] = ["kvm", "kvm-intel", "kvm-amd"];
/// What the artifact says of itself.
const ABOUT: &str = "modules.json";
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
    fit::require_modules(headers)?;
    fit::require_package(headers, source)?;
    let source = Source::find(cache, source)?;
    let mut versions = tool_versions()?;
    let compiler = tool::require_version(&headers.compiler, &["--version"], "compiles modules");
    let compiler = compiler.map_err(|error| match error {
        Error::Prerequisite { .. } => fit::no_compiler(headers),
        other => other,
    })?;
    versions.push(("compiler", compiler));
    let key = key(&source, headers, &versions)?;
    let recipe = async |staging: &Path| {
        let name = work_name(&source, &versions);
        let tree = WorkTree::open(cache, &name, &source, progress).await?;
        fit::require_version(headers, &tree.dir())?;
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
    fit::require_config(headers, &got)?;

    // The versions of every symbol that the kernel exports.
    let (from, to) = (
        headers.dir.join("Module.symvers"),
        dir.join("Module.symvers"),
    );
    files::copy(&from, &to)?;
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
    let text = serde_json::to_vec_pretty(&about).map_err(Error::json("write", &path))?;
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
    let about: About = serde_json::from_slice(&text).map_err(Error::json("read", &path))?;
    let modules = about.modules.into_iter().map(|(name, needs)| Module {
        path: dir.join(format!("{name}.ko")),
        needs,
    });
    Ok(Modules {
        release: about.release,
        modules: modules.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
