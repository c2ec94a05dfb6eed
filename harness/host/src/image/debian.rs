//! A real Debian for the guest: its kernel, its initramfs, and a read-only root file
//! system, installed from packages by `mmdebstrap`, without root where user namespaces
//! allow it.
//!
//! Equal packages give equal bytes. Which packages there are is for Debian's archive to
//! say, at the moment of the build: a security update makes another image after the cache
//! was cleared, and the digest in a run's provenance tells them apart.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use exitlab_base::artifact::{Artifact, Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::tool;

/// The release.
const SUITE: &str = "bookworm";

/// What a server has that people log in to, and what its kernel needs to boot.
const PACKAGES: [&str; 8] = [
    "dbus",
    "initramfs-tools",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "openssh-server",
    "systemd-sysv",
    "udev",
    "zstd",
];

/// What nobody reads in this guest.
const LEFT_OUT: [&str; 4] = [
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];

/// Hooks, as shell commands: a user namespace may not reach our files.
const PREPARE: &str = include_str!("../../../../guest-image/debian/prepare.sh");
const FINISH: &str = include_str!("../../../../guest-image/debian/finish.sh");

/// No time of this machine is in the image (seconds since 1970).
const EPOCH: &str = "1700000000";

const KERNEL: &str = "kernel";
const INITRAMFS: &str = "initramfs";
const ROOT: &str = "root.squashfs";
/// Packs what `mmdebstrap` installed. LZ4, because the guest unpacks what it reads on an
/// emulated processor. The archive does not say whose the root directory is.
const PACK: &str = "exec mksquashfs - root.squashfs -tar -comp lz4 -reproducible -noappend \
                    -root-mode 755 -root-uid 0 -root-gid 0 -no-progress -quiet <root.tar";

const STAGE: &str = "guest image: Debian";

/// What a Debian guest boots from.
#[derive(Debug, Clone)]
pub struct Debian {
    /// Debian's kernel.
    pub kernel: PathBuf,
    /// The initramfs that its packages made.
    pub initramfs: PathBuf,
    /// Its root file system.
    pub disk: PathBuf,
}

/// Installs Debian with more `packages`, or finds it in the cache. `note` is told that it
/// takes long.
pub async fn build(cache: &Cache, packages: &[String], note: &dyn Fn(&str)) -> Result<Debian> {
    let version =
        |program, argument| tool::require_version(program, &[argument], "makes Debian for a guest");
    let arguments = arguments(packages);
    let key = KeyBuilder::new()
        .text("mmdebstrap", version("mmdebstrap", "--version")?)
        .text("mksquashfs", version("mksquashfs", "-version")?)
        .bytes("arguments", arguments.join("\n").as_bytes())
        .text("pack", PACK)
        .build();
    let build = async |dir: &Path| {
        note("installing Debian, about a minute");
        install(dir, &arguments).await?;
        note("packing Debian");
        pack(dir).await
    };
    let Artifact { dir, .. } = cache.get_or_build("guest-debian", &key, build).await?;
    Ok(Debian {
        kernel: dir.join(KERNEL),
        initramfs: dir.join(INITRAMFS),
        disk: dir.join(ROOT),
    })
}

/// The words of `mmdebstrap` that decide what is installed.
fn arguments(packages: &[String]) -> Vec<String> {
    let mut include = PACKAGES.map(str::to_owned).to_vec();
    include.extend_from_slice(packages);
    include.sort();
    include.dedup();
    let mut arguments = vec![
        "--mode=auto".to_owned(),
        "--variant=minbase".to_owned(),
        "--format=tar".to_owned(),
        format!("--include={}", include.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
    ];
    let excluded = LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}"));
    arguments.extend(excluded);
    arguments.push(format!("--essential-hook={PREPARE}"));
    arguments.push(format!("--customize-hook={FINISH}"));
    // By name, so that the staging directory is not part of the key.
    arguments.push("--customize-hook=copy-out /boot .".to_owned());
    arguments
        .push("--customize-hook=rm -rf \"$1\"/boot/* \"$1\"/vmlinuz* \"$1\"/initrd*".to_owned());
    arguments.extend([SUITE, "root.tar"].map(str::to_owned));
    arguments
}

async fn install(dir: &Path, arguments: &[String]) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    command
        .args(arguments)
        .current_dir(dir)
        .env("LC_ALL", "C")
        .env("SOURCE_DATE_EPOCH", EPOCH);
    tool::run(STAGE, command, &dir.join("install.log")).await?;
    let boot = dir.join("boot");
    for (prefix, name) in [("vmlinuz-", KERNEL), ("initrd.img-", INITRAMFS)] {
        let file = only(&boot, prefix)?;
        std::fs::rename(&file, dir.join(name)).map_err(Error::io("rename", &file))?;
    }
    std::fs::remove_dir_all(&boot).map_err(Error::io("remove", &boot))
}

/// The file whose name begins with `prefix`.
fn only(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(dir).map_err(Error::io("read", dir))?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let begins = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(prefix))
    };
    paths.find(begins).ok_or_else(|| Error::Build {
        stage: STAGE.to_owned(),
        message: format!("Debian's kernel package left no {prefix}*"),
        tail: Vec::new(),
        cure: "see install.log; report this as a mistake of exitlab".to_owned(),
    })
}

async fn pack(dir: &Path) -> Result<()> {
    let mut command = Command::new("sh");
    command
        .args(["-c", PACK])
        .current_dir(dir)
        .env("LC_ALL", "C")
        .env("SOURCE_DATE_EPOCH", EPOCH);
    tool::run(STAGE, command, &dir.join("pack.log")).await?;
    let tar = dir.join("root.tar");
    std::fs::remove_file(&tar).map_err(Error::io("remove", &tar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_installed_by() {
        let arguments = arguments(&["fio".to_owned(), "udev".to_owned()]);
        let plain = arguments.iter().filter(|word| !word.contains('\n'));
        insta::assert_snapshot!(plain.cloned().collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn hooks_are_shell_that_parses() {
        for hook in [PREPARE, FINISH] {
            let status = std::process::Command::new("sh")
                .args(["-n", "-c", hook])
                .status();
            assert!(status.unwrap().success());
        }
    }
}
