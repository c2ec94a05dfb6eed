//! A distribution's kernel as it is: taken out of its package, with the modules that hosts and
//! guests need. Nothing is compiled.
//!
//! ```text
//! name ─► apt: packages ─► download ─► unpack ─► image, vmlinux, modules in order ─► artifact
//! ```

mod apt;
mod module;
mod selection;
mod unpacked;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::look;
use super::stage;
use exitlab_base::artifact::{Artifact, Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::tool;
use exitlab_model::artifacts::{HostKernel, KernelModules, ModuleOrder};
use exitlab_model::name::PlainName;
use exitlab_model::plan::KernelPackage;

use apt::Package;
use unpacked::Unpacked;

/// Changes when other files are taken out of a package, or the same in another order.
const RECIPE: &str = "1";
/// What the artifact says of itself.
const ABOUT: &str = "kernel.json";
/// The directory with the modules.
const MODULES: &str = "modules";

#[derive(Serialize, Deserialize)]
struct About {
    release: String,
    modules: ModuleOrder,
}

/// Where packages come from.
enum Origin {
    /// apt fetches them.
    Apt(Vec<Package>),
    File(PathBuf),
}

/// The kernel of `package`: from the cache, or fetched and unpacked now.
pub async fn load(
    cache: &Cache,
    package: &KernelPackage,
    progress: &dyn Fn(&str),
) -> Result<HostKernel> {
    let mut key = KeyBuilder::new();
    let origin = match package {
        KernelPackage::Named(name) => {
            let packages = apt::holders(name)?;
            for package in &packages {
                let value = format!("{} sha256:{}", package.version, package.sha256);
                key = key.text(format!("package {}", package.name), value);
            }
            Origin::Apt(packages)
        }
        KernelPackage::File(path) => {
            key = key.text("package file", cache.file_digest(path)?.hex());
            Origin::File(path.clone())
        }
    };
    let key = key.text("recipe", RECIPE).build();
    let build = async |staging: &Path| {
        let debs = origin.files(staging, progress).await?;
        unpack(&debs, staging, progress).await?;
        collect(staging)
    };
    of_artifact(
        cache,
        &cache.get_or_build("stock-kernel", &key, build).await?,
    )
}

/// What is needed meanwhile, in the artifact that is being made.
const FETCHED: &str = "fetched";
const TREE: &str = "tree";

impl Origin {
    /// The packages as files.
    async fn files(&self, staging: &Path, progress: &dyn Fn(&str)) -> Result<Vec<PathBuf>> {
        let packages = match self {
            Origin::File(path) => return Ok(vec![path.clone()]),
            Origin::Apt(packages) => packages,
        };
        let names = packages.iter().map(|package| &*package.name);
        progress(&format!("fetch {}", names.collect::<Vec<_>>().join(", ")));
        let dir = staging.join(FETCHED);
        fs::create_dir(&dir).map_err(Error::io("create", &dir))?;
        let mut command = Command::new("apt-get");
        let exact = |package: &Package| format!("{}={}", package.name, package.version);
        command
            .arg("download")
            .args(packages.iter().map(exact))
            .env("LC_ALL", "C")
            .current_dir(&dir);
        let fetched = tool::run(&stage::named("fetch"), command, &dir.join("log")).await;
        fetched.map_err(|error| {
            with_cure(
                error,
                "run apt-get update and try again, or fetch the \
            package elsewhere and name the file: kernel.source=package:PATH.deb",
            )
        })?;
        let entries = fs::read_dir(&dir).map_err(Error::io("read", &dir))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut debs: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "deb"))
            .collect();
        debs.sort();
        Ok(debs)
    }
}

fn with_cure(error: Error, better: &str) -> Error {
    match error {
        Error::Build {
            stage,
            message,
            tail,
            ..
        } => Error::Build {
            stage,
            message,
            tail,
            cure: better.to_owned(),
        },
        other => other,
    }
}

async fn unpack(debs: &[PathBuf], staging: &Path, progress: &dyn Fn(&str)) -> Result<()> {
    progress("unpack");
    let dir = staging.join(TREE);
    for deb in debs {
        let mut command = Command::new("dpkg-deb");
        command
            .arg("--extract")
            .arg(deb)
            .arg(&dir)
            .env("LC_ALL", "C");
        let log = staging.join("unpack.log");
        let unpacked = tool::run(&stage::named("unpack"), command, &log).await;
        unpacked.map_err(|error| {
            with_cure(
                error,
                "kernel.source=package: takes a package of Debian's kind, whole",
            )
        })?;
        let _ = fs::remove_file(log);
    }
    Ok(())
}

/// Takes out of the unpacked packages what is kept, and removes the rest.
fn collect(staging: &Path) -> Result<()> {
    let tree = staging.join(TREE);
    let found = Unpacked::find(&tree)?;
    let write = |name: &str, content: &[u8]| {
        let path = staging.join(name);
        fs::write(&path, content).map_err(Error::io("write", path))
    };
    let copy = |from: &Path, name: &str| {
        fs::copy(from, staging.join(name)).map_err(Error::io("copy", from))
    };
    copy(&found.image, "bzImage")?;
    if let Some(config) = &found.config {
        copy(config, "config")?;
    }
    write("vmlinux", &vmlinux(&found.image)?)?;
    let modules = modules(&found, &staging.join(MODULES))?;
    let release = found.release.as_str().to_owned();
    let about = serde_json::to_vec_pretty(&About { release, modules })
        .map_err(Error::json("write", staging.join(ABOUT)))?;
    write(ABOUT, &about)?;
    for dir in [tree, staging.join(FETCHED)] {
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(Error::io("remove", dir))?;
        }
    }
    Ok(())
}

fn vmlinux(image: &Path) -> Result<Vec<u8>> {
    let unpacked = look::unpacked(image).map_err(|unfit| unpacked::none(&unfit.seen))?;
    unpacked.ok_or_else(|| Error::Prerequisite {
        missing: vec![
            "what unpacks the kernel: one of lz4, zstd, xz, gzip and bzip2, as it is packed"
                .to_owned(),
        ],
        cure: "install lz4, zstd, xz-utils, gzip and bzip2".to_owned(),
    })
}

/// Writes the modules that are needed to `dir`, and says in which order they are loaded.
fn modules(found: &Unpacked, dir: &Path) -> Result<ModuleOrder> {
    fs::create_dir(dir).map_err(Error::io("create", dir))?;
    let keep = |wanted: &[&str]| -> Result<Vec<PlainName>> {
        let order = selection::ordered(wanted, |name| {
            let Some(module) = found.module(name)? else {
                return Ok(None);
            };
            let broken = || unpacked::none(&format!("{name} in it is no module"));
            let name = PlainName::new(format!("{name}.ko")).map_err(|_| broken())?;
            let path = dir.join(&name);
            fs::write(&path, &module).map_err(Error::io("write", path))?;
            module::needs(&module).map(Some).ok_or_else(broken)
        })?;
        let names = order.into_iter().map(PlainName::new);
        let names: Result<_, _> = names.collect();
        names.map_err(|why| unpacked::none(&why.to_string()))
    };
    let order = ModuleOrder {
        root: keep(&selection::ROOT)?,
        host: keep(&selection::HOST)?,
        guest: keep(&selection::GUEST)?,
    };
    if !selection::HOST
        .iter()
        .any(|name| order.host.iter().any(|have| have == name))
    {
        return Err(unpacked::none(
            "it has KVM neither for Intel nor for AMD among its modules",
        ));
    }
    Ok(order)
}

fn of_artifact(cache: &Cache, artifact: &Artifact) -> Result<HostKernel> {
    let at = |name: &str| artifact.dir.join(name);
    let text = fs::read(at(ABOUT)).map_err(Error::io("read", at(ABOUT)))?;
    let about: About = serde_json::from_slice(&text).map_err(Error::json("read", at(ABOUT)))?;
    let image = at("bzImage");
    Ok(HostKernel {
        digest: cache.file_digest(&image)?.hex().to_owned(),
        image,
        vmlinux: Some(at("vmlinux")),
        config: Some(at("config")).filter(|path| path.is_file()),
        modules: Some(KernelModules {
            dir: at(MODULES),
            order: about.modules,
        }),
        release: about.release,
        key: artifact.key.hex().to_owned(),
        inputs: artifact.key.inputs().to_vec(),
    })
}
