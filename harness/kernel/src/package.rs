//! A whole kernel with the census, to be installed: from a configuration to a Debian
//! package, or to a directory for other systems.
//!
//! ```text
//! source ─► work tree ─► hooks + overlay ─► configuration ─► make bindeb-pkg | dir-pkg
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::base::Base;
use super::kconfig::{self, Fragment};
use super::make;
use super::patches;
use super::source::Source;
use super::stage;
use super::tree::WorkTree;
use super::{Changes, compile_targets, key, tool_versions, work_name};
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_model::name::PlainName;
use exitlab_model::plan::KernelPlan;

/// What the artifact says of itself.
const ABOUT: &str = "package.json";
/// The directory that `make dir-pkg` fills.
const TREE: &str = "tar-install";

/// What is made of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Packages for dpkg.
    Debian,
    /// A directory with `boot` and `lib/modules`.
    Directory,
}

/// A kernel that can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `uname -r` of it.
    pub release: String,
    /// What was made of it.
    pub form: Form,
    /// The packages, the kernel's first; or the directory.
    pub paths: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct About {
    release: String,
    form: Form,
    /// Names of the packages, the kernel's first; or of the directory.
    paths: Vec<PlainName>,
}

/// Builds the kernel of `plan` from the configuration `base`, or finds it in the cache.
pub async fn build(
    cache: &Cache,
    plan: &KernelPlan,
    base: &Base,
    form: Form,
    progress: &dyn Fn(&str),
) -> Result<Package> {
    let source = Source::find(cache, &plan.source)?;
    let changes = Changes {
        census: plan.census,
        patches: patches::read(&plan.patches)?,
    };
    let fragments = kconfig::user_fragments(&plan.fragments)?;
    let versions = tool_versions()?;
    let form_name = match form {
        Form::Debian => "debian",
        Form::Directory => "directory",
    };
    let inputs = key(&source, &changes, &fragments, &versions);
    let key = KeyBuilder::new()
        .text("kernel", inputs.hex())
        .bytes("base configuration", base.text.as_bytes())
        .text("form", form_name)
        .build();
    let recipe = async |staging: &Path| {
        let name = tree_name(&work_name(&source, &fragments, &versions), base);
        let tree = WorkTree::open(cache, &name, &source, progress).await?;
        changes.make_in(&tree).await?;
        let busy = tree.busy()?;
        compile(&tree, base, &fragments, form, progress).await?;
        drop(busy);
        collect(&tree, form, staging)
    };
    let artifact = cache.get_or_build("kernel-package", &key, recipe).await?;
    load(&artifact.dir)
}

/// A configuration without modules is small, like exitlab's own, and is built in the same
/// tree: little is compiled again. One of a distribution would make all of it new, and
/// fill the tree with modules, so it has a tree of its own.
fn tree_name(own: &str, base: &Base) -> String {
    if !base.has_modules() {
        return own.to_owned();
    }
    let key = KeyBuilder::new().text("tree", own).text("modules", "yes");
    key.build().hex().to_owned()
}

async fn compile(
    tree: &WorkTree,
    base: &Base,
    fragments: &[Fragment],
    form: Form,
    progress: &dyn Fn(&str),
) -> Result<()> {
    remove_products(tree)?;
    progress("configure");
    kconfig::configure_from(tree, &base.text, fragments, &[]).await?;
    let words: &[&str] = match form {
        // What the build needs was looked for before: it need not ask (-d).
        Form::Debian => &[
            "DPKG_FLAGS=-d",
            "KDEB_SOURCENAME=linux-exitlab",
            "bindeb-pkg",
        ],
        Form::Directory => &["dir-pkg"],
    };
    compile_targets(tree, words, progress).await
}

/// What packaging makes beside the tree and in it. Nothing of it may be taken for that of
/// another kernel.
fn remove_products(tree: &WorkTree) -> Result<()> {
    for path in products(tree)? {
        fs::remove_file(&path).map_err(Error::io("remove", path))?;
    }
    // Where Debian's packaging counts builds: the count is in the image and in its version.
    let count = tree.dir().join(".version");
    match fs::remove_file(&count) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("remove", count)(error));
        }
        _ => {}
    }
    for name in ["debian", TREE] {
        let path = tree.dir().join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Packages and what describes them, which `make bindeb-pkg` puts beside the tree.
fn products(tree: &WorkTree) -> Result<Vec<PathBuf>> {
    let dir = tree.dir();
    let beside = dir.parent().unwrap_or(&dir);
    let entries = fs::read_dir(beside).map_err(Error::io("read", beside))?;
    let is_product = |path: &PathBuf| {
        let end = path.extension().and_then(|end| end.to_str());
        matches!(end, Some("deb" | "changes" | "buildinfo"))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut products: Vec<PathBuf> = paths.filter(is_product).collect();
    products.sort();
    Ok(products)
}

/// Takes what is kept of a build out of the tree.
fn collect(tree: &WorkTree, form: Form, staging: &Path) -> Result<()> {
    let dir = tree.dir();
    let release = dir.join("include/config/kernel.release");
    let release = fs::read_to_string(&release).map_err(Error::io("read", &release))?;
    let release = release.trim().to_owned();
    let mut paths = Vec::new();
    match form {
        Form::Debian => {
            // Not the headers of the C library: they must stay the distribution's.
            let is_package = |path: &PathBuf| {
                let name = path.file_name().map(|name| name.to_string_lossy());
                name.is_some_and(|n| n.ends_with(".deb") && !n.starts_with("linux-libc-dev"))
            };
            for path in products(tree)?.into_iter().filter(is_package) {
                let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else {
                    continue;
                };
                fs::copy(&path, staging.join(&*name)).map_err(Error::io("copy", &path))?;
                paths.push(plain(name.into_owned())?);
            }
            // `linux-image-…` first, `linux-headers-…` after it.
            paths.sort_by_key(|name| (!is_image(name.as_str()), name.clone()));
            if !paths.first().is_some_and(|name| is_image(name.as_str())) {
                let message = "`make bindeb-pkg` made no package of the kernel".to_owned();
                return Err(make::failed("package", message, Vec::new(), &log(tree)));
            }
        }
        Form::Directory => {
            let name = plain(release.clone())?;
            let (from, to) = (dir.join(TREE), staging.join(&name));
            // In one file system: both are in the cache.
            fs::rename(&from, to).map_err(Error::io("move", from))?;
            paths.push(name);
        }
    }
    for (from, name) in [(dir.join(".config"), "config"), (log(tree), "compile.log")] {
        fs::copy(&from, staging.join(name)).map_err(Error::io("copy", from))?;
    }
    remove_products(tree)?;
    let path = staging.join(ABOUT);
    let about = About {
        release,
        form,
        paths,
    };
    let text = serde_json::to_vec_pretty(&about).map_err(Error::json("write", &path))?;
    fs::write(&path, text).map_err(Error::io("write", &path))
}

/// What a build calls its products becomes a name in the cache, and of a file to install.
fn plain(name: String) -> Result<PlainName> {
    PlainName::new(name).map_err(|why| Error::Build {
        stage: stage::named("package"),
        message: format!("the kernel's release: {why}"),
        tail: Vec::new(),
        cure: "give the kernel another LOCALVERSION".to_owned(),
    })
}

fn is_image(name: &str) -> bool {
    name.starts_with("linux-image-") && !name.contains("-dbg_")
}

fn log(tree: &WorkTree) -> PathBuf {
    tree.log_path("compile")
}

fn load(dir: &Path) -> Result<Package> {
    let path = dir.join(ABOUT);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    let about: About = serde_json::from_slice(&text).map_err(Error::json("read", &path))?;
    Ok(Package {
        release: about.release,
        form: about.form,
        paths: about.paths.iter().map(|name| dir.join(name)).collect(),
    })
}
