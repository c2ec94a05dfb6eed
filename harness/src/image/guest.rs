//! The guest's initramfs: busybox, dropbear, `exit-sampler`, and what the plan adds. Its
//! keys are an archive of their own: the agent appends it, so that one cached image serves
//! every run, and no private key ever lies in the cache.

use std::path::{Path, PathBuf};

use super::cpio;
use super::keys::GuestKeys;
use super::tree::Tree;
use crate::artifact::{Cache, KeyBuilder};
use crate::config::plan::GuestPlan;
use crate::error::{Error, Result};

const INIT: &str = include_str!("../../../guest-image/init");

/// Applets that get a name of their own in the guest; the rest are reached as
/// `busybox NAME`. Few, because each link is work for the emulated guest.
const APPLETS: [&str; 24] = [
    "cat", "cp", "dd", "dmesg", "echo", "env", "false", "free", "grep", "head", "ls", "mkdir",
    "mount", "mv", "ps", "rm", "seq", "sh", "sleep", "sync", "time", "top", "true", "uname",
];

/// The guest's initramfs.
#[derive(Debug, Clone)]
pub struct GuestImage {
    /// The archive.
    pub path: PathBuf,
    /// Digest of the archive.
    pub digest: String,
}

/// Builds the guest's initramfs, or finds it in the cache.
pub async fn build_guest(cache: &Cache, plan: &GuestPlan) -> Result<GuestImage> {
    let tree = tree(plan, &sampler()?)?;
    let archive = cpio::archive(&tree);
    let digest = blake3::hash(&archive).to_hex().to_string();
    let key = KeyBuilder::new().text("archive", &digest).build();
    let artifact = cache
        .get_or_build("guest-image", &key, async |dir: &Path| {
            let path = dir.join("initramfs.cpio");
            std::fs::write(&path, &archive).map_err(Error::io("write", &path))
        })
        .await?;
    Ok(GuestImage {
        path: artifact.dir.join("initramfs.cpio"),
        digest,
    })
}

fn tree(plan: &GuestPlan, sampler: &Path) -> Result<Tree> {
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
    tree.copy(Path::new("/bin/busybox"), "bin/busybox", 0o755)?;
    for applet in APPLETS {
        tree.link(&format!("bin/{applet}"), "busybox");
    }
    tree.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644);
    tree.file("etc/group", "root:x:0:\n", 0o644);
    tree.file("etc/shells", "/bin/sh\n", 0o644);
    if plan.sshd {
        tree.program(Path::new("/usr/sbin/dropbear"))?;
    }
    tree.copy(sampler, "usr/bin/exit-sampler", 0o755)?;
    for file in &plan.files {
        tree.program(file)?;
    }
    Ok(tree)
}

/// What is appended to a guest's initramfs to add its keys: Linux unpacks one archive
/// after the other.
pub fn keys_archive(keys: &GuestKeys) -> Result<Vec<u8>, russh::keys::ssh_key::Error> {
    let mut tree = Tree::default();
    tree.file("root/.ssh/authorized_keys", keys.authorized_keys()?, 0o600);
    tree.file("etc/dropbear/host_key", keys.server_dropbear(), 0o600);
    Ok(cpio::archive(&tree))
}

/// `exit-sampler` lies beside the running binary: both come from one build.
fn sampler() -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    // Test binaries run from `deps/`, one level deeper.
    let beside = exe
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("exit-sampler"));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| Error::Prerequisite {
            missing: vec![format!("exit-sampler beside {}", exe.display())],
            cure: "cargo build --release --workspace".into(),
        })
}
