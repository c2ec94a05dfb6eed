//! The machine that prerequisites are looked for on. Its files are found below a root
//! directory, so that tests bring their own machine.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::platform::hardware;

/// Where programs are that Debian does not put on every user's search path.
const SYSTEM_PROGRAMS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A machine.
#[derive(Debug)]
pub(super) struct System {
    /// `/`, except in tests.
    pub root: PathBuf,
    /// Directories of programs, absolute on that machine.
    pub search: Vec<PathBuf>,
    /// The cache directory.
    pub cache: PathBuf,
    /// Whether it can be created and written to.
    pub cache_writable: bool,
    /// Whether something was built before.
    pub cache_filled: bool,
    /// Room in its file system; none if unknown.
    pub free_mib: Option<u64>,
    /// Whether the user is root.
    pub superuser: bool,
    /// What opening KVM's device gives. Tests are told, because root may open anything.
    pub kvm: Result<(), ErrorKind>,
}

impl System {
    /// This machine, with built artifacts in `cache`.
    pub(super) fn this(cache: &Path) -> System {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let search = std::env::split_paths(&path).chain(SYSTEM_PROGRAMS.map(PathBuf::from));
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let existing = cache
            .ancestors()
            .find(|ancestor| ancestor.exists())
            .unwrap_or(&cache);
        let access = rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK);
        let space = rustix::fs::statvfs(existing).ok();
        System {
            root: PathBuf::from("/"),
            search: search.collect(),
            cache_writable: existing.is_dir() && access.is_ok(),
            cache_filled: std::fs::read_dir(&cache)
                .is_ok_and(|mut entries| entries.next().is_some()),
            free_mib: space.map(|space| space.f_bavail.saturating_mul(space.f_frsize) >> 20),
            superuser: rustix::process::geteuid().is_root(),
            kvm: hardware::open_device(Path::new("/")),
            cache,
        }
    }

    /// Whether packages come through apt.
    pub(super) fn is_debian(&self) -> bool {
        self.below_root(Path::new("/usr/bin/apt-get")).is_file()
    }

    /// The program of that name.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let executable = |path: &PathBuf| {
            let metadata = std::fs::metadata(self.below_root(path));
            metadata.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        self.search
            .iter()
            .map(|directory| directory.join(name))
            .find(executable)
    }

    /// The first of `places` that is a file; a component `*` stands for any directory.
    pub(super) fn file(&self, places: &[String]) -> Option<PathBuf> {
        places
            .iter()
            .flat_map(|place| self.expand(place))
            .find(|path| self.below_root(path).is_file())
    }

    fn expand(&self, place: &str) -> Vec<PathBuf> {
        let Some((before, after)) = place.split_once("/*/") else {
            return vec![PathBuf::from(place)];
        };
        let directory = std::fs::read_dir(self.below_root(Path::new(before)));
        let entries = directory.into_iter().flatten().filter_map(Result::ok);
        let mut paths: Vec<_> = entries
            .map(|entry| Path::new(before).join(entry.file_name()).join(after))
            .collect();
        paths.sort();
        paths
    }

    /// Whether a program needs no dynamic linker.
    pub(super) fn is_static(&self, program: &Path) -> bool {
        let elf = std::fs::read(self.below_root(program)).unwrap_or_default();
        has_interpreter(&elf) == Some(false)
    }

    /// All memory of the machine.
    pub(super) fn memory_mib(&self) -> Option<u64> {
        self.meminfo_mib("MemTotal:")
    }

    /// A field of `/proc/meminfo`.
    pub(super) fn meminfo_mib(&self, field: &str) -> Option<u64> {
        let meminfo = std::fs::read_to_string(self.below_root(Path::new("/proc/meminfo"))).ok()?;
        let total = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024)
    }

    fn below_root(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// Whether a 64-bit ELF file names a dynamic linker (`PT_INTERP`); none if it is no
/// such file.
fn has_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: [u8; 4] = 3u32.to_le_bytes();
    let word = |offset: usize| {
        Some(u16::from_le_bytes(
            elf.get(offset..)?.first_chunk().copied()?,
        ))
    };
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = u64::from_le_bytes(elf.get(32..40)?.try_into().ok()?);
    let (size, count) = (usize::from(word(54)?), usize::from(word(56)?));
    let table = elf.get(usize::try_from(table).ok()?..)?;
    let headers = table
        .get(..size.checked_mul(count)?)?
        .chunks_exact(size.max(1));
    Some(
        headers
            .into_iter()
            .any(|header| header.starts_with(&PT_INTERP)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_static_from_dynamic() {
        let this = std::env::current_exe()
            .and_then(std::fs::read)
            .expect("this program");
        assert_eq!(
            has_interpreter(&this),
            Some(!cfg!(target_feature = "crt-static"))
        );
        assert_eq!(has_interpreter(b"#!/bin/sh"), None);
        assert_eq!(has_interpreter(&this[..60]), None);
        assert_eq!(has_interpreter(&elf_with_segment(3)), Some(true));
        assert_eq!(has_interpreter(&elf_with_segment(1)), Some(false));
    }

    /// The least that counts as an ELF program with one segment of that type.
    fn elf_with_segment(kind: u8) -> Vec<u8> {
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 1);
        elf.push(kind);
        elf.resize(64 + 56, 0);
        elf
    }
}
