//! Everything that a run boots from.

use exitlab_base::artifact::Cache;
use exitlab_base::error::Result;
use exitlab_host::image::{self, GuestImage, HostImage};
use exitlab_host::platform;
use exitlab_kernel as kernel;
use exitlab_model::artifacts::HostKernel;
use exitlab_model::plan::Plan;

use crate::ui::Ui;

/// Everything that host and guest boot from.
#[derive(Debug)]
pub struct Artifacts {
    /// The kernel of host and guest.
    pub kernel: HostKernel,
    /// What the guest boots from.
    pub guest: GuestImage,
    /// The host's root file system; none for a machine that exitlab does not boot.
    pub host: Option<HostImage>,
}

/// Builds kernel and images, or finds them in the cache.
pub async fn build(plan: &Plan, cache: &Cache, ui: &mut Ui) -> Result<Artifacts> {
    ui.stage("kernel");
    let kernel = kernel::build(cache, &plan.kernel, &|progress| ui.note(progress)).await?;
    ui.stage("guest image");
    let guest = image::build_guest(cache, &plan.guest, &|progress| ui.note(progress)).await?;
    let guest = guest.with_modules(cache, kernel.modules.as_ref()).await?;
    let host = match platform::host_form(plan.platform) {
        None => None,
        Some(form) => {
            ui.stage("host image");
            let files = guest.files(&kernel.image);
            let modules = kernel.modules.as_ref();
            Some(image::build_host(cache, &files, modules, form).await?)
        }
    };
    Ok(Artifacts {
        kernel,
        guest,
        host,
    })
}
