//! Single values: what each kind may be, and the words for what it may not.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::layer::Entry;
use super::size;
use exitlab_base::git::Repository;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{KernelPackage, KernelSource};

/// Below this the guest's kernel and initramfs have no room.
const GUEST_LEAST_MIB: u32 = 64;
/// Kernel and boot loader cut longer command lines off without a word.
const CMDLINE_CHARS: usize = 1024;
/// One file that every kernel tree with KVM has, and nothing else.
const OF_A_KERNEL: &str = "arch/x86/kvm/x86.c";
/// Leaves room for a time stamp in the name of a directory.
const NAME_CHARS: usize = 64;

/// One of a few words.
pub(super) fn choose<T: Copy>(word: &str, noun: &str, choices: &[(&str, T)]) -> Result<T, Wrong> {
    let chosen = choices.iter().find(|(name, _)| *name == word);
    chosen.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        Wrong::new(
            format!("unknown {noun}"),
            format!("choose from {}", names.join(", ")),
        )
    })
}

/// A number in a range.
pub(super) fn within(number: i64, range: RangeInclusive<i64>) -> Result<i64, Wrong> {
    if range.contains(&number) {
        return Ok(number);
    }
    let (least, most) = range.into_inner();
    Err(Wrong::new(
        "out of range",
        format!("give a number from {least} to {most}"),
    ))
}

/// The experiment's name.
pub(super) fn name(name: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let good = (1..=NAME_CHARS).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if good {
        return Ok(name.to_owned());
    }
    Err(Wrong::new(
        "cannot be part of a directory's name",
        format!("use letters, digits, '-', '_' and '.', at most {NAME_CHARS}"),
    ))
}

/// A text that says something.
pub(super) fn not_blank(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("empty", "give it some text, or leave it out"));
    }
    Ok(text.to_owned())
}

/// QEMU's `-cpu`.
pub(super) fn cpu(model: &str) -> Result<String, Wrong> {
    if model.is_empty() || model.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Wrong::new(
            "not a CPU model",
            "write it as for QEMU's -cpu, without spaces: \"host,-x2apic\"",
        ));
    }
    Ok(model.to_owned())
}

/// A device as QEMU's `-device` takes it.
pub(super) fn device(text: &str) -> Result<String, Wrong> {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '{');
    if !begins || text.contains(char::is_control) {
        return Err(Wrong::new(
            "not a device",
            "write it as for QEMU's -device: \"pvpanic\", \"isa-debug-exit,iobase=0xf4\"",
        ));
    }
    Ok(text.to_owned())
}

/// A machine as `ssh` takes it. Empty is none.
pub(super) fn address(text: &str) -> Result<String, Wrong> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    // What begins with a dash would be an option.
    if text.starts_with('-') || text.contains(odd) {
        return Err(Wrong::new(
            "not a machine for ssh",
            "write it as for ssh: \"user@machine\", or a Host of your SSH configuration",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a package of Debian.
pub(super) fn package(name: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !begins || !name.chars().all(plain) {
        return Err(Wrong::new(
            "not the name of a package",
            "write it as apt does: \"fio\"",
        ));
    }
    Ok(name.to_owned())
}

/// Words of a kernel command line.
pub(super) fn cmdline(words: &str) -> Result<String, Wrong> {
    if words.chars().any(char::is_control) {
        return Err(Wrong::new(
            "holds a line end or control character",
            "write it as one line",
        ));
    }
    if words.len() > CMDLINE_CHARS {
        return Err(Wrong::new(
            format!("longer than {CMDLINE_CHARS} characters, would be cut off"),
            "make it shorter",
        ));
    }
    Ok(words.to_owned())
}

/// The guest's memory, MiB.
pub(super) fn guest_memory(text: &str) -> Result<u32, Wrong> {
    match size::parse(text)? {
        mib if mib < GUEST_LEAST_MIB => Err(Wrong::new(
            "too little memory for a guest to boot",
            format!("give it \"{GUEST_LEAST_MIB}M\" or more"),
        )),
        mib => Ok(mib),
    }
}

/// A file that is there.
pub(super) fn existing_file(entry: &Entry<'_, String>) -> Result<PathBuf, Wrong> {
    existing(entry.path())
}

fn existing(path: PathBuf) -> Result<PathBuf, Wrong> {
    if path.is_file() {
        return Ok(path);
    }
    let what = if path.is_dir() {
        "is a directory, not a file:"
    } else {
        "no such file:"
    };
    Err(Wrong::new(
        format!("{what} {}", path.display()),
        "correct the path; in a file it is relative to that file, in --set to the current directory",
    ))
}

/// Where the kernel comes from.
pub(super) fn kernel_source(entry: &Entry<'_, String>) -> Result<KernelSource, Wrong> {
    if let Some(package) = entry.value.strip_prefix("debian:") {
        return debian_package(package);
    }
    if let Some(image) = entry.value.strip_prefix("image:") {
        return existing(entry.path_of(image)).map(KernelSource::Image);
    }
    if let Some(package) = entry.value.strip_prefix("package:") {
        return kernel_package(entry, package);
    }
    if let Some(revision) = entry.value.strip_prefix("git:") {
        return kernel_revision(entry, revision);
    }
    let path = entry.path();
    if path.is_file() {
        return Ok(KernelSource::Tarball(path));
    }
    if path.join(OF_A_KERNEL).is_file() {
        return Ok(KernelSource::Tree(path));
    }
    let what = if path.is_dir() {
        "is not a kernel tree:"
    } else {
        "no such tree or tarball:"
    };
    Err(Wrong::new(
        format!("{what} {}", path.display()),
        "give \"debian:linux-source-6.12\", the path of a kernel tree or tarball, \
         \"git:REPOSITORY#REVISION\", \"package:linux-image-cloud-amd64\", or \"image:\" and the \
         path of a bzImage",
    ))
}

/// `REPOSITORY#REVISION`: the commit that the revision is now, so that nothing downstream
/// depends on where a branch will be.
fn kernel_revision(entry: &Entry<'_, String>, text: &str) -> Result<KernelSource, Wrong> {
    let Some((repo, revision)) = text.split_once('#') else {
        return Err(Wrong::new(
            "names no revision",
            "write it like \"git:../linux#v6.12.1\"",
        ));
    };
    let find = || {
        let repo = Repository::open(&entry.path_of(repo))?;
        let commit = repo.commit(revision)?;
        let is_kernel = repo.has_file(&commit, OF_A_KERNEL)?;
        Ok((repo, commit, is_kernel))
    };
    let (repo, commit, is_kernel) = find()
        .map_err(|error: exitlab_base::error::Error| Wrong::new(error.to_string(), error.cure()))?;
    if !is_kernel {
        return Err(Wrong::new(
            format!("is not a revision of a kernel: {commit} has no {OF_A_KERNEL}"),
            "name a revision of a repository of Linux",
        ));
    }
    Ok(KernelSource::Revision {
        repo: repo.dir().to_owned(),
        commit,
    })
}

/// A package with a kernel: a path, by its end or its slash, else a name.
fn kernel_package(entry: &Entry<'_, String>, text: &str) -> Result<KernelSource, Wrong> {
    if text.ends_with(".deb") || text.contains('/') {
        let path = existing(entry.path_of(text))?;
        return Ok(KernelSource::Package(KernelPackage::File(path)));
    }
    if !text.starts_with("linux-image-") {
        return Err(Wrong::new(
            "not a package of a kernel",
            "name it as apt does, \"package:linux-image-cloud-amd64\", or give the path of a .deb",
        ));
    }
    package(text).map(|name| KernelSource::Package(KernelPackage::Named(name)))
}

fn debian_package(package: &str) -> Result<KernelSource, Wrong> {
    let version = package.strip_prefix("linux-source-").unwrap_or_default();
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Wrong::new(
            "not a kernel source package of Debian",
            "name it like \"debian:linux-source-6.12\"",
        ));
    }
    Ok(KernelSource::Debian(package.to_owned()))
}
