//! The host's kernel: source, hooks and overlay, configuration, build.
//!
//! ```text
//! source ─► work tree ─► hooks + overlay ─► patches ─► kconfig ─► make ─► artifact
//! ```
//!
//! `docs/kernel-build.md` says what a result depends on, and why it does not depend on
//! whether the work tree was fresh.

mod assets;
pub mod base;
pub mod census;
pub mod deploy;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod headers;
mod hooks;
mod image;
mod kconfig;
pub mod look;
mod make;
pub mod modules;
pub mod needs;
pub mod package;
mod patch;
mod patches;
mod source;
pub mod stage;
mod stock;
mod tree;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use exitlab_model::artifacts::HostKernel;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use exitlab_base::artifact::{Artifact, Cache, Key, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::process;
use exitlab_base::tool;
use exitlab_model::plan::{KernelPlan, KernelSource};

use kconfig::Fragment;
use patch::{Files, Patch};
use source::Source;
use tree::WorkTree;

/// Changes when the way of building changes in a way that keys do not show otherwise.
const RECIPE: &str = "1";
/// Compiled objects between two lines of progress.
const PROGRESS_STEP: u32 = 50;
/// What the artifact says of itself.
const ABOUT: &str = "kernel.json";

#[derive(Serialize, Deserialize)]
struct About {
    release: String,
}

/// The kernel of `plan`: ready, from the cache, or built now. `progress` is given short lines,
/// such as `compile: 150 objects`, and only while something is built.
pub async fn build(
    cache: &Cache,
    plan: &KernelPlan,
    progress: &dyn Fn(&str),
) -> Result<HostKernel> {
    match &plan.source {
        KernelSource::Image(path) => return image::load(cache, path),
        KernelSource::Package(package) => return stock::load(cache, package, progress).await,
        _ => {}
    }
    let source = Source::find(cache, &plan.source)?;
    let changes = Changes {
        census: plan.census,
        patches: patches::read(&plan.patches)?,
    };
    let fragments = kconfig::fragments(plan.tracing, &plan.fragments)?;
    let versions = tool_versions()?;
    let key = key(&source, &changes, &fragments, &versions);

    let recipe = async |staging: &Path| {
        let tree = WorkTree::open(
            cache,
            &work_name(&source, &fragments, &versions),
            &source,
            progress,
        )
        .await?;
        compile(&tree, &changes, &fragments, progress).await?;
        collect(&tree, staging).await
    };
    load(cache, &cache.get_or_build("kernel", &key, recipe).await?)
}

/// What is changed in the source.
struct Changes {
    /// Whether the census is added.
    census: bool,
    /// Patches of the user's own.
    patches: Vec<Patch>,
}

/// Every input of the kernel.
fn key(
    source: &Source,
    changes: &Changes,
    fragments: &[Fragment],
    versions: &[(&'static str, String)],
) -> Key {
    let mut key = KeyBuilder::new()
        .text("source", source.digest.hex())
        .text("census", if changes.census { "yes" } else { "no" });
    if changes.census {
        key = add_census(key);
    }
    for patch in &changes.patches {
        key = key.bytes(format!("patch {}", base_name(&patch.name)), &patch.text);
    }
    for fragment in fragments {
        let name = base_name(&fragment.name);
        key = key.bytes(format!("fragment {name}"), fragment.text.as_bytes());
    }
    for (program, version) in versions {
        key = key.text(*program, version);
    }
    for (name, value) in make::SETTINGS {
        key = key.text(*name, *value);
    }
    key.text("recipe", RECIPE).build()
}

/// Everything that the census consists of.
fn add_census(mut key: KeyBuilder) -> KeyBuilder {
    for (path, text) in assets::OVERLAY {
        key = key.bytes(format!("overlay/{path}"), text.as_bytes());
    }
    for (path, text) in assets::HOOKS {
        key = key.bytes(format!("hooks/{path}"), text.as_bytes());
    }
    key
}

/// Without its directory: equal experiments on two machines have equal keys.
fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What compiler and linker say of themselves.
fn tool_versions() -> Result<Vec<(&'static str, String)>> {
    ["gcc", "ld"]
        .into_iter()
        .map(|program| {
            let version = tool::require_version(program, &["--version"], "builds the kernel")?;
            Ok((program, version))
        })
        .collect()
}

/// A work tree serves one source and one set of tools: `make` does not notice when the
/// assembler or linker changes. Kernels that trace, and those with another tick or another
/// preemption, have one of their own: nearly every object is another, and two kernels that
/// take turns would be compiled whole each time.
fn work_name(
    source: &Source,
    fragments: &[Fragment],
    versions: &[(&'static str, String)],
) -> String {
    let mut key = KeyBuilder::new().text("source", source.family());
    if kconfig::tracing(fragments) {
        key = key.text("tracing", "yes");
    }
    for (symbol, value) in kconfig::far_reaching(fragments) {
        key = key.text(symbol, value);
    }
    for (program, version) in versions {
        key = key.text(*program, version);
    }
    key.build().hex().to_owned()
}

async fn compile(
    tree: &WorkTree,
    changes: &Changes,
    fragments: &[Fragment],
    progress: &dyn Fn(&str),
) -> Result<()> {
    changes.make_in(tree).await?;
    let busy = tree.busy()?;
    progress(stage::CONFIGURE);
    kconfig::configure(tree, fragments).await?;
    compile_targets(tree, &["bzImage"], progress).await?;
    drop(busy);
    Ok(())
}

impl Changes {
    /// Makes the tree the untouched one but for these changes.
    async fn make_in(&self, tree: &WorkTree) -> Result<()> {
        let scratch = tree.scratch()?;
        let files = if self.census {
            let series = source::series_of(&tree.dir()).map_err(|message| Error::Build {
                stage: "kernel: unpack".into(),
                message,
                tail: Vec::new(),
                cure: format!("remove {}", tree.dir().display()),
            })?;
            census::files(series, |path| tree.pristine(path))?
        } else {
            Files::new()
        };
        let pristine = |path: &Path| tree.pristine(path);
        let files = patches::apply(&self.patches, files, pristine, scratch.path()).await?;
        tree.materialize(&files)
    }
}

/// Runs `make` with these words on all processors, and says how many objects it compiled.
async fn compile_targets(tree: &WorkTree, words: &[&str], progress: &dyn Fn(&str)) -> Result<()> {
    let log = tree.log_path(stage::COMPILE);
    let _ = fs::remove_file(&log);
    let objects = Cell::new(0_u32);
    let count = |line: &str| {
        if ["  CC ", "  AS "]
            .iter()
            .any(|start| line.starts_with(start))
        {
            objects.set(objects.get() + 1);
            if objects.get().is_multiple_of(PROGRESS_STEP) {
                progress(&format!("compile: {} objects", objects.get()));
            }
        }
    };
    progress(stage::COMPILE);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = format!("-j{jobs}");
    let words = [&[jobs.as_str()], words].concat();
    make::run(&tree.dir(), &words, &log, stage::COMPILE, count).await?;
    progress(&format!("compiled {} objects", objects.get()));
    Ok(())
}

/// Takes what is kept of a build out of the tree.
async fn collect(tree: &WorkTree, staging: &Path) -> Result<()> {
    let dir = tree.dir();
    let copy = |from: PathBuf, name: &str| {
        fs::copy(&from, staging.join(name)).map_err(Error::io("copy", from))
    };
    copy(dir.join("arch/x86/boot/bzImage"), "bzImage")?;
    copy(dir.join(".config"), "config")?;
    copy(tree.log_path(stage::COMPILE), "compile.log")?;

    let log = tree.log_path("strip");
    let mut strip = Command::new("objcopy");
    make::clean_env(&mut strip);
    strip
        .arg("-S")
        .arg(dir.join("vmlinux"))
        .arg(staging.join("vmlinux"));
    let stripped = process::run(strip, &log, |_| {}).await?;
    if !stripped.status.success() {
        return Err(make::failed(
            "strip",
            "objcopy failed".into(),
            stripped.tail,
            &log,
        ));
    }

    let release = dir.join("include/config/kernel.release");
    let about = About {
        release: fs::read_to_string(&release)
            .map_err(Error::io("read", &release))?
            .trim()
            .to_owned(),
    };
    let path = staging.join(ABOUT);
    let text = serde_json::to_vec_pretty(&about).map_err(Error::json("write", &path))?;
    fs::write(&path, text).map_err(Error::io("write", &path))
}

fn load(cache: &Cache, artifact: &Artifact) -> Result<HostKernel> {
    let path = artifact.dir.join(ABOUT);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let about: About = serde_json::from_slice(&text).map_err(Error::json("read", &path))?;
    let image = artifact.dir.join("bzImage");
    Ok(HostKernel {
        // Of what is there now, not of the day on which it was built.
        digest: cache.file_digest(&image)?.hex().to_owned(),
        image,
        vmlinux: Some(artifact.dir.join("vmlinux")),
        config: Some(artifact.dir.join("config")),
        modules: None,
        release: about.release,
        key: artifact.key.hex().to_owned(),
        inputs: artifact.key.inputs().to_vec(),
    })
}

#[cfg(test)]
mod tests;
