//! The tiny guest's initramfs: busybox, dropbear, `exit-sampler`, and programs of the
//! user's.

use std::path::{Path, PathBuf};

use super::companion::{SAMPLER, companion};
use super::made_of::{self, Packages};
use super::modules;
use super::needs::{BUSYBOX, BUSYBOX_PACKAGE, DROPBEAR, DROPBEAR_PACKAGE};
use exitlab_base::archive::Tree;
use exitlab_base::archive::archive;
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::need::Search;
use exitlab_model::artifacts::KernelModules;

const INIT: &str = include_str!("../../../../guest-image/init");

/// Applets that get a name of their own in the guest; the rest are reached as
/// `busybox NAME`. Few, because each link is work for the emulated guest.
const APPLETS: [&str; 24] = [
    "cat", "cp", "dd", "dmesg", "echo", "env", "false", "free", "grep", "head", "ls", "mkdir",
    "mount", "mv", "ps", "rm", "seq", "sh", "sleep", "sync", "time", "top", "true", "uname",
];

/// Builds the initramfs, or finds it in the cache; and says which packages it is made of.
pub async fn build(cache: &Cache, files: &[PathBuf]) -> Result<(PathBuf, Packages)> {
    let mut tree = tree(files, &companion(SAMPLER)?)?;
    let digest = tree.digest(cache)?;
    let key = KeyBuilder::new().text("tree", digest.hex()).build();
    let artifact = cache
        .get_or_build("guest-image", &key, async |dir: &Path| {
            made_of::write(dir, &tree)?;
            let path = dir.join("initramfs.cpio");
            std::fs::write(&path, archive(&tree)?).map_err(Error::io("write", &path))
        })
        .await?;
    let packages = made_of::read(&artifact)?;
    Ok((artifact.dir.join("initramfs.cpio"), packages))
}

/// The same initramfs, followed by an archive with the drivers of a kernel that has them as
/// modules: Linux unpacks one archive after the other.
pub async fn with_modules(
    cache: &Cache,
    initramfs: &Path,
    kernel: &KernelModules,
) -> Result<PathBuf> {
    let mut tree = Tree::default();
    modules::add(&mut tree, &kernel.dir, &kernel.order.guest)?;
    let digest = tree.digest(cache)?;
    let key = KeyBuilder::new()
        .file("initramfs", initramfs)?
        .text("modules", digest.hex())
        .build();
    let build = async |dir: &Path| {
        let path = dir.join("initramfs.cpio");
        let mut bytes = std::fs::read(initramfs).map_err(Error::io("read", initramfs))?;
        bytes.extend(archive(&tree)?);
        std::fs::write(&path, bytes).map_err(Error::io("write", path))
    };
    let artifact = cache.get_or_build("guest-image", &key, build).await?;
    Ok(artifact.dir.join("initramfs.cpio"))
}

fn tree(files: &[PathBuf], sampler: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    for dir in [
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "etc/dropbear",
        "root/.ssh",
        "var/run",
    ] {
        tree.dir(dir);
    }
    tree.file("init", INIT, 0o755);
    let busybox = Search::require_program(BUSYBOX, BUSYBOX_PACKAGE)?;
    tree.copy(&busybox, "bin/busybox", 0o755)?;
    for applet in APPLETS {
        tree.link(&format!("bin/{applet}"), "busybox");
    }
    tree.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
    tree.file("etc/group", "root:x:0:\n", 0o644);
    tree.file("etc/shells", "/bin/sh\n", 0o644);
    let dropbear = Search::require_program(DROPBEAR, DROPBEAR_PACKAGE)?;
    tree.program_at(&dropbear, "usr/sbin/dropbear")?;
    tree.copy(sampler, "usr/bin/exit-sampler", 0o755)?;
    for file in files {
        tree.program(file)?;
    }
    Ok(tree)
}
