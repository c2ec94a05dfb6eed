//! Where the host comes from. A platform boots one or finds one, and hands on what the
//! agent on it says.

mod aftermath;
mod bochs;
mod boot;
mod emulated;
mod heard;
mod leash;
mod local;
mod machine;
pub(crate) mod needs;
mod patience;
mod qemu;
pub(crate) mod remote;
mod ssh;
mod watch;

use std::path::Path;

use crate::image::HostForm;
use crate::qemu_files::QEMU;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::need::Search;
use exitlab_base::tool;
use exitlab_model::order::Task;
use exitlab_model::plan::Plan;
use exitlab_model::platform::PlatformKind;

pub use boot::{Boot, Files};
pub use machine::{Machine, Report};

/// What the stages before and after an experiment are called.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Until the agent speaks.
    pub start: &'static str,
    /// After its last word.
    pub end: &'static str,
}

/// Starts a host, from `boot` where it is booted; its files go to `dir`, which must exist.
/// `note` is told what takes long.
pub async fn start(
    plan: &Plan,
    boot: Option<Boot<'_>>,
    task: &Task,
    cache: &Cache,
    dir: &Path,
    note: &dyn Fn(&str),
) -> Result<Machine> {
    match (plan.platform, boot) {
        (PlatformKind::BochsVmx, Some(boot)) => bochs::start(plan, boot, task, cache, dir).await,
        (PlatformKind::TcgSvm | PlatformKind::Nested, Some(boot)) => {
            qemu::start(plan, boot, task, dir)
        }
        (PlatformKind::Local, _) => local::start(plan, task, cache, dir),
        (PlatformKind::Ssh, _) => ssh::start(plan, task, dir, note).await,
        (PlatformKind::BochsVmx | PlatformKind::TcgSvm | PlatformKind::Nested, None) => {
            Err(Error::Build {
                stage: "host image".to_owned(),
                message: format!("{} boots a host, and none was built", plan.platform),
                tail: Vec::new(),
                cure: "report this as a mistake of exitlab".to_owned(),
            })
        }
    }
}

/// Every file that a host boots from, or that emulates it, by what it is: built, as far as it
/// is a medium of the platform's own. Of a machine that is not booted, the guest's QEMU, where
/// that is on this machine.
pub async fn files(plan: &Plan, boot: Option<Boot<'_>>, cache: &Cache) -> Result<Files> {
    match (plan.platform, boot) {
        (PlatformKind::BochsVmx, Some(boot)) => bochs::files(plan, boot, cache).await,
        (PlatformKind::TcgSvm | PlatformKind::Nested, Some(boot)) => Ok(qemu::files(boot)),
        (PlatformKind::Local, _) => {
            let qemu = Search::this().program(QEMU);
            Ok(qemu.map(|path| ("QEMU", path)).into_iter().collect())
        }
        _ => Ok(Files::new()),
    }
}

/// What the host's root file system must be packed into; none where no host is booted.
pub fn host_form(kind: PlatformKind) -> Option<HostForm> {
    match kind {
        PlatformKind::BochsVmx => Some(HostForm::Disk),
        PlatformKind::TcgSvm | PlatformKind::Nested => Some(HostForm::Initramfs),
        PlatformKind::Local | PlatformKind::Ssh => None,
    }
}

/// What the stages around an experiment are called.
pub fn words(kind: PlatformKind) -> Words {
    let (start, end) = match kind {
        PlatformKind::BochsVmx | PlatformKind::TcgSvm | PlatformKind::Nested => {
            ("host boots", "host powers off")
        }
        PlatformKind::Local => ("agent starts", "agent ends"),
        PlatformKind::Ssh => ("connecting", "clearing up"),
    };
    Words { start, end }
}

/// Versions of the packages that the emulated machine consists of, for the provenance; empty
/// for a machine that is none.
///
/// # Errors
///
/// If dpkg is there and cannot be asked.
pub fn emulator_version(kind: PlatformKind) -> Result<String> {
    let packages: &[&str] = match kind {
        PlatformKind::BochsVmx => &bochs::PACKAGES,
        PlatformKind::TcgSvm | PlatformKind::Nested => &qemu::PACKAGES,
        PlatformKind::Local | PlatformKind::Ssh => &[],
    };
    tool::package_versions(packages)
}
