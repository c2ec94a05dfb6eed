//! The host's root file system: the agent, QEMU with its libraries and
//! firmware, and the guest's kernel and initramfs. One tree in the form that a platform
//! boots from.

use std::path::{Path, PathBuf};

use super::companion::{AGENT, companion};
use super::made_of::{self, Packages};
use super::modules;
use super::needs::{BUSYBOX, BUSYBOX_PACKAGE};
use crate::qemu_files::{QEMU as QEMU_PROGRAM, QEMU_PACKAGE, firmware_places};
use exitlab_base::archive::Tree;
use exitlab_base::archive::archive;
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::need::Search;
use exitlab_base::tool;
use exitlab_model::artifacts::KernelModules;
use exitlab_model::guest_files::GuestFiles;
use exitlab_model::order::HostFiles;

const INIT: &str = include_str!("host-init.sh");
/// QEMU inside the host's root file system.
const QEMU: &str = "/usr/bin/qemu-system-x86_64";

const DISK: &str = "root.img";
const INITRAMFS: &str = "root.cpio";

/// What machines `q35`, `pc` and `microvm` load: SeaBIOS, the boot of `-kernel`, the
/// option ROM for guests without a TPR shadow.
const FIRMWARE: [&str; 7] = [
    "bios-256k.bin",
    "bios-microvm.bin",
    "kvmvapic.bin",
    "linuxboot.bin",
    "linuxboot_dma.bin",
    "multiboot_dma.bin",
    "pvh.bin",
];

/// QEMU's firmware inside the host's root file system.
const FIRMWARE_DIR: &str = "/usr/share/qemu";
/// The guest's files there.
const GUEST_DIR: &str = "/guest";
/// The order, on a host that runs from an initramfs (`host-init.sh` knows it, too).
const ORDER: &str = "/order";

/// Where the agent finds what [`build_host`] put into the host's root file system.
pub fn host_files(guest: &GuestFiles) -> HostFiles {
    HostFiles {
        qemu: PathBuf::from(QEMU),
        firmware: Some(PathBuf::from(FIRMWARE_DIR)),
        guest: guest.in_dir(GUEST_DIR),
    }
}

/// A disk image is padded to whole cylinders of Bochs' default geometry (16 heads of 63
/// sectors), so that no geometry need be stated.
pub const CYLINDER: u64 = 16 * 63 * 512;

/// What a host's root file system is packed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostForm {
    /// A disk with a read-only EROFS: runs side by side share it and none can change it.
    Disk,
    /// An archive that the boot loader puts into memory: no disk answers at a moment
    /// that depends on this machine.
    Initramfs,
}

/// The host's root file system.
#[derive(Debug, Clone)]
pub struct HostImage {
    /// The disk image or archive.
    pub path: PathBuf,
    /// Digest of everything in it.
    pub digest: String,
    /// The packages that its files are from.
    pub packages: Packages,
}

/// Builds the host's root file system with this machine's QEMU, the guest's files, and KVM
/// where that is modules of the host's kernel, or finds it in the cache.
pub async fn build_host(
    cache: &Cache,
    guest: &GuestFiles,
    modules: Option<&KernelModules>,
    form: HostForm,
) -> Result<HostImage> {
    let mut tree = agent_tree()?;
    add_guest(&mut tree, guest)?;
    if let Some(modules) = modules {
        modules::add(&mut tree, &modules.dir, &modules.order.host)?;
    }
    build(cache, tree, form).await
}

/// Builds a root file system with the agent alone, or finds it in the cache. It does not
/// depend on the kernel: hosts with different kernels share it.
pub async fn build_bare_host(cache: &Cache, form: HostForm) -> Result<HostImage> {
    build(cache, agent_tree()?, form).await
}

async fn build(cache: &Cache, mut tree: Tree, form: HostForm) -> Result<HostImage> {
    let digest = tree.digest(cache)?.hex().to_owned();
    let key = KeyBuilder::new().text("tree", &digest);
    let (artifact, name) = match form {
        HostForm::Disk => {
            let mkfs = tool::require_version("mkfs.erofs", &["-V"], "makes the host's disk")?;
            let key = key.text("mkfs", &mkfs).build();
            let build = async |dir: &Path| {
                made_of::write(dir, &tree)?;
                make_erofs(dir, &tree).await
            };
            (cache.get_or_build("host-image", &key, build).await?, DISK)
        }
        HostForm::Initramfs => {
            let build = async |dir: &Path| {
                made_of::write(dir, &tree)?;
                let path = dir.join(INITRAMFS);
                std::fs::write(&path, archive(&tree)?).map_err(Error::io("write", &path))
            };
            let key = key.build();
            let artifact = cache.get_or_build("host-initramfs", &key, build).await?;
            (artifact, INITRAMFS)
        }
    };
    Ok(HostImage {
        path: artifact.dir.join(name),
        digest,
        packages: made_of::read(&artifact)?,
    })
}

/// What is appended to an initramfs to add the order to it: Linux unpacks one archive
/// after the other.
pub fn order_archive(order: Vec<u8>) -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    tree.file(ORDER, order, 0o644);
    archive(&tree)
}

fn agent_tree() -> Result<Tree> {
    let mut tree = Tree::default();
    for dir in ["dev", "proc", "sys", "tmp", "run"] {
        tree.dir(dir);
    }
    tree.file("init", INIT, 0o755);
    let busybox = Search::require_program(BUSYBOX, BUSYBOX_PACKAGE)?;
    tree.copy(&busybox, "bin/busybox", 0o755)?;
    tree.link("bin/sh", "busybox");
    tree.copy(&companion(AGENT)?, &format!("bin/{AGENT}"), 0o755)?;
    Ok(tree)
}

fn add_guest(tree: &mut Tree, guest: &GuestFiles) -> Result<()> {
    tree.program_at(&Search::require_program(QEMU_PROGRAM, QEMU_PACKAGE)?, QEMU)?;
    for name in FIRMWARE {
        // What a machine cannot do without, `exitlab doctor` has asked for.
        if let Some(file) = Search::this().file(&firmware_places(name)) {
            tree.copy(&file, &format!("{}/{name}", FIRMWARE_DIR), 0o644)?;
        }
    }
    for (name, file) in guest.named() {
        tree.copy(file, &format!("{GUEST_DIR}/{name}"), 0o644)?;
    }
    Ok(())
}

async fn make_erofs(dir: &Path, tree: &Tree) -> Result<()> {
    let staging = dir.join("tree");
    std::fs::create_dir(&staging).map_err(Error::io("create", &staging))?;
    tree.write_below(&staging)?;
    let image = dir.join(DISK);
    let mut command = tokio::process::Command::new("mkfs.erofs");
    command
        .args(["--quiet", "-T0", "--all-root", "-x-1"])
        .args(["-U", "00000000-0000-4000-8000-000000000000"])
        .arg(&image)
        .arg(&staging);
    tool::run("host image: mkfs.erofs", command, &dir.join("mkfs.log")).await?;
    pad(&image)?;
    std::fs::remove_dir_all(&staging).map_err(Error::io("remove", &staging))
}

fn pad(image: &Path) -> Result<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(image)
        .map_err(Error::io("open", image))?;
    let size = file.metadata().map_err(Error::io("read", image))?.len();
    file.set_len(size.next_multiple_of(CYLINDER))
        .map_err(Error::io("extend", image))
}
