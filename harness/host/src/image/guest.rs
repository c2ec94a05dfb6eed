//! What a guest boots from: what its recipe builds, files of the user's own, or some of
//! both. Keys are in none of it: the agent appends them, so that one cached
//! image serves every run, and no private key ever lies in the cache.

use std::path::{Path, PathBuf};

use super::companion::{SAMPLER, companion};
use super::made_of::Packages;
use super::{debian, tiny};
use exitlab_base::artifact::Cache;
use exitlab_base::error::Result;
use exitlab_model::artifacts::KernelModules;
use exitlab_model::guest_files::GuestFiles;
use exitlab_model::plan::{GuestPlan, GuestRecipe};

/// What a guest boots from.
#[derive(Debug, Clone)]
pub struct GuestImage {
    kernel: GuestKernel,
    /// All files but the kernel.
    files: GuestFiles,
    /// Digest of everything but the host's kernel.
    pub digest: String,
    /// Whether its initramfs is that of [`GuestRecipe::Tiny`].
    is_tiny: bool,
    /// The packages that the files of [`GuestRecipe::Tiny`] are from.
    pub packages: Packages,
}

#[derive(Debug, Clone)]
enum GuestKernel {
    /// The host's.
    Hosts,
    /// Another one.
    File(PathBuf),
    /// One that the guest's disk holds.
    OnDisk,
}

impl GuestImage {
    /// Every file that the guest is run with; `kernel` is the host's.
    pub fn files(&self, kernel: &Path) -> GuestFiles {
        let kernel = match &self.kernel {
            GuestKernel::Hosts => Some(kernel.to_owned()),
            GuestKernel::File(path) => Some(path.clone()),
            GuestKernel::OnDisk => None,
        };
        GuestFiles {
            kernel,
            ..self.files.clone()
        }
    }

    /// Every file that the guest is run with, but the host's kernel.
    pub fn own_files(&self) -> GuestFiles {
        let mut files = self.files.clone();
        if let GuestKernel::File(path) = &self.kernel {
            files.kernel = Some(path.clone());
        }
        files
    }

    /// The same with the drivers of the host's kernel, where that is the guest's kernel, too,
    /// has them as modules, and the initramfs is ours to add them to.
    pub async fn with_modules(
        mut self,
        cache: &Cache,
        modules: Option<&KernelModules>,
    ) -> Result<GuestImage> {
        let (Some(modules), Some(initramfs)) = (modules, &self.files.initramfs) else {
            return Ok(self);
        };
        if self.is_tiny && matches!(self.kernel, GuestKernel::Hosts) {
            self.files.initramfs = Some(tiny::with_modules(cache, initramfs, modules).await?);
            self.digest = digest(cache, &self.own_files())?;
        }
        Ok(self)
    }

    /// The largest part: what a person would look into.
    pub fn main(&self) -> Option<&Path> {
        let files = &self.files;
        files.disk.as_deref().or(files.initramfs.as_deref())
    }
}

/// Builds what the guest boots from, as far as it is not the user's own, or finds it in the
/// cache. `note` is told what takes long.
pub async fn build_guest(
    cache: &Cache,
    plan: &GuestPlan,
    note: &dyn Fn(&str),
) -> Result<GuestImage> {
    let own = |path: &Option<PathBuf>| path.clone();
    let mut kernel = match &plan.kernel {
        Some(path) => GuestKernel::File(path.clone()),
        None if plan.boots_itself() => GuestKernel::OnDisk,
        None => GuestKernel::Hosts,
    };
    let mut files = GuestFiles {
        initramfs: own(&plan.initrd),
        disk: plan.disk.as_ref().map(|disk| disk.path.clone()),
        ..GuestFiles::default()
    };
    if plan.ssh && !has_sampler(plan) {
        files.sampler = Some(companion(SAMPLER)?);
    }
    let mut packages = Packages::new();
    if plan.uses_recipe() {
        match plan.image {
            GuestRecipe::Tiny => {
                let (initramfs, made_of) = tiny::build(cache, &plan.files).await?;
                files.initramfs = Some(initramfs);
                packages = made_of;
            }
            GuestRecipe::Debian => {
                let debian = debian::build(cache, &plan.packages, note).await?;
                files.initramfs = Some(debian.initramfs);
                files.disk = Some(debian.disk);
                if matches!(kernel, GuestKernel::Hosts) {
                    kernel = GuestKernel::File(debian.kernel);
                }
            }
        }
    }
    let mut image = GuestImage {
        kernel,
        is_tiny: plan.uses_recipe() && plan.image == GuestRecipe::Tiny,
        files,
        digest: String::new(),
        packages,
    };
    image.digest = digest(cache, &image.own_files())?;
    Ok(image)
}

/// Only the tiny guest's image has it: it is made for each exitlab anyway.
fn has_sampler(plan: &GuestPlan) -> bool {
    plan.uses_recipe() && plan.image == GuestRecipe::Tiny
}

fn digest(cache: &Cache, files: &GuestFiles) -> Result<String> {
    let mut digests = Vec::new();
    for (name, path) in files.named() {
        digests.push((name, cache.file_digest(path)?));
    }
    // A guest of one file is that file.
    if let [(_, digest)] = digests.as_slice() {
        return Ok(digest.hex().to_owned());
    }
    let mut hasher = blake3::Hasher::new();
    for (name, digest) in digests {
        hasher.update(format!("{name} {}\n", digest.hex()).as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
