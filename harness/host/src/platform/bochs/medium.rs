//! What a host on Bochs boots from: a disk, or a CD for a kernel of the user's own.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::disk;
use crate::image::root_initramfs;
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_base::need::Search;
use exitlab_base::tool;
use exitlab_model::artifacts::HostKernel;
use exitlab_model::plan::HostPlan;

/// The boot loader: where Debian has it, and Fedora.
pub const ISOLINUX: [&str; 2] = [
    "/usr/lib/ISOLINUX/isolinux.bin",
    "/usr/share/syslinux/isolinux.bin",
];
/// Brings [`ISOLINUX`].
pub const ISOLINUX_PACKAGE: &str = "isolinux";
/// A part of it.
pub const LDLINUX: [&str; 2] = [
    "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "/usr/share/syslinux/ldlinux.c32",
];
/// Brings [`LDLINUX`].
pub const LDLINUX_PACKAGE: &str = "syslinux-common";

/// The moment at which every host boots, seconds since 1970.
pub const EPOCH: &str = "1700000000";

/// Names of disks in the machine's directory.
pub const ROOT: &str = "root.img";
/// The order's.
pub const ORDER: &str = "order.img";
const ISO: &str = "boot.iso";
const BOOT: &str = "boot.img";

/// What the host boots from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// The first disk, with the kernel as it lies in memory.
    Disk,
    /// A CD with a boot loader and the compressed kernel.
    Cd,
}

impl Medium {
    /// The file in the machine's directory.
    pub fn file(self) -> &'static str {
        match self {
            Medium::Disk => BOOT,
            Medium::Cd => ISO,
        }
    }

    /// What it is, in the provenance.
    pub fn name(self) -> &'static str {
        match self {
            Medium::Disk => "host boot disk",
            Medium::Cd => "host boot CD",
        }
    }

    /// Where the host finds its root file system. The order is on the disk after it.
    fn root(self) -> &'static str {
        match self {
            Medium::Disk => "/dev/sdb",
            Medium::Cd => "/dev/sda",
        }
    }

    /// The lines of `bochsrc` that name the drives.
    pub fn drives(self) -> String {
        match self {
            Medium::Disk => format!(
                "\
ata0-master: type=disk, mode=flat, path={BOOT}
ata0-slave: type=disk, mode=flat, path={ROOT}
ata1: enabled=1
ata1-master: type=disk, mode=flat, path={ORDER}
boot: disk"
            ),
            Medium::Cd => format!(
                "\
ata0-master: type=disk, mode=flat, path={ROOT}
ata0-slave: type=disk, mode=flat, path={ORDER}
ata1: enabled=1
ata1-master: type=cdrom, path={ISO}, status=inserted
boot: cdrom"
            ),
        }
    }
}

/// What boots that kernel: built, or found in the cache.
pub async fn build(
    cache: &Cache,
    kernel: &HostKernel,
    host: &HostPlan,
) -> Result<(PathBuf, Medium)> {
    match &kernel.vmlinux {
        Some(vmlinux) => {
            let words = kernel_command_line(host, Medium::Disk);
            let initramfs = match &kernel.modules {
                Some(modules) => Some(root_initramfs(cache, modules).await?),
                None => None,
            };
            let disk = disk::build(cache, vmlinux, initramfs.as_deref(), &words).await?;
            Ok((disk, Medium::Disk))
        }
        // A ready image of the user's own has no uncompressed twin, and boots more slowly.
        None => Ok((boot_iso(cache, kernel, host).await?, Medium::Cd)),
    }
}

/// The host kernel's command line.
///
/// - A serial port takes its time for each character, and at its usual speed twelve times as
///   long.
/// - The timer's interrupt works: trying it takes a fifth of the kernel's boot.
/// - Linux wakes an idle processor by a store to what it watches (`set_nr_if_polling`). Bochs's
///   MONITOR drops other processors' translations by physical address, where they are kept by
///   linear address: such a store may go unseen, and the processor never wakes. From HLT it
///   is woken by an interrupt.
fn kernel_command_line(host: &HostPlan, medium: Medium) -> String {
    let root = medium.root();
    let idle = if host.cpus > 1 { " idle=nomwait" } else { "" };
    let words = format!("rootfstype=erofs ro init=/init quiet no_timer_check{idle}");
    format!("console=ttyS0,115200 root={root} {words} {}", host.cmdline)
        .trim_end()
        .to_owned()
}

fn isolinux_config(host: &HostPlan) -> String {
    let append = kernel_command_line(host, Medium::Cd);
    format!("DEFAULT host\nPROMPT 0\nLABEL host\n  KERNEL /vmlinuz\n  APPEND {append}\n")
}

/// A bootable CD with the host's kernel and its command line.
async fn boot_iso(cache: &Cache, kernel: &HostKernel, host: &HostPlan) -> Result<PathBuf> {
    let config = isolinux_config(host);
    let isolinux = Search::require_file(&ISOLINUX, ISOLINUX_PACKAGE)?;
    let ldlinux = Search::require_file(&LDLINUX, LDLINUX_PACKAGE)?;
    let xorriso =
        tool::require_version("xorriso", &["-version"], "makes what the host boots from")?;
    let key = KeyBuilder::new()
        .text("kernel", &kernel.digest)
        .text("config", &config)
        .file("isolinux", &isolinux)?
        .file("ldlinux", &ldlinux)?
        .text("xorriso", &xorriso)
        .build();
    let artifact = cache
        .get_or_build("boot-iso", &key, async |dir: &Path| {
            let tree = dir.join("tree");
            std::fs::create_dir(&tree).map_err(Error::io("create", &tree))?;
            let copy = |from: &Path, name: &str| files::copy(from, &tree.join(name));
            copy(&kernel.image, "vmlinuz")?;
            copy(&isolinux, "isolinux.bin")?;
            copy(&ldlinux, "ldlinux.c32")?;
            let path = tree.join("isolinux.cfg");
            std::fs::write(&path, &config).map_err(Error::io("write", path))?;
            let mut command = Command::new("xorriso");
            command
                .args(["-as", "mkisofs", "-quiet", "-o"])
                .arg(dir.join(ISO))
                .args(["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"])
                .args(["-boot-load-size", "4", "-boot-info-table"])
                .arg(&tree)
                .env("SOURCE_DATE_EPOCH", EPOCH);
            tool::run("boot image: xorriso", command, &dir.join("xorriso.log")).await?;
            std::fs::remove_dir_all(&tree).map_err(Error::io("remove", &tree))
        })
        .await?;
    Ok(artifact.dir.join(ISO))
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;

    #[test]
    fn boot_loader() {
        insta::assert_snapshot!(isolinux_config(&host()), @r"
        DEFAULT host
        PROMPT 0
        LABEL host
          KERNEL /vmlinuz
          APPEND console=ttyS0,115200 root=/dev/sda rootfstype=erofs ro init=/init quiet no_timer_check kvm_intel.ept=0
        ");
    }

    /// A store that ends MWAIT elsewhere may go unseen.
    #[test]
    fn processors_do_not_wait_for_each_others_stores() {
        let words = |cpus| {
            let host = HostPlan { cpus, ..host() };
            kernel_command_line(&host, Medium::Disk)
        };
        assert!(words(2).contains(" idle=nomwait "), "{}", words(2));
        assert!(!words(1).contains("idle="), "{}", words(1));
    }
}
