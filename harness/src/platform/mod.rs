//! Where the host comes from. A platform boots it and hands on what its agent says.

mod bochs;
pub mod hardware;
mod machine;
mod qemu;
mod watch;

use std::path::Path;

use crate::agent::Task;
use crate::artifact::Cache;
use crate::config::Plan;
use crate::config::plan::PlatformKind;
use crate::error::Result;
use crate::image::{HostForm, HostImage};
use crate::kernel::HostKernel;
use crate::tool;

pub use bochs::FAKETIME;
pub use machine::{Machine, Report};

/// What a host boots from.
#[derive(Debug, Clone, Copy)]
pub struct Boot<'a> {
    /// The host's kernel.
    pub kernel: &'a HostKernel,
    /// The host's root file system.
    pub image: &'a HostImage,
    /// What its agent is to do.
    pub task: &'a Task,
}

/// Boots a host; its files go to `dir`, which must exist.
pub async fn start(plan: &Plan, boot: Boot<'_>, cache: &Cache, dir: &Path) -> Result<Machine> {
    match plan.platform {
        PlatformKind::BochsVmx => bochs::start(plan, boot, cache, dir).await,
        PlatformKind::TcgSvm | PlatformKind::Nested => qemu::start(plan, boot, dir),
    }
}

/// What the host's root file system must be packed into.
pub fn host_form(kind: PlatformKind) -> HostForm {
    match kind {
        PlatformKind::BochsVmx => HostForm::Disk,
        PlatformKind::TcgSvm | PlatformKind::Nested => HostForm::Initramfs,
    }
}

/// Versions of the packages that the emulated machine consists of, for the provenance.
pub fn emulator_version(kind: PlatformKind) -> String {
    let packages: &[&str] = match kind {
        PlatformKind::BochsVmx => &bochs::PACKAGES,
        PlatformKind::TcgSvm | PlatformKind::Nested => &qemu::PACKAGES,
    };
    tool::package_versions(packages)
}
