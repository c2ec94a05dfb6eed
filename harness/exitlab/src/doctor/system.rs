//! The machine that prerequisites are looked for on. Its files are found below a root
//! directory, so that tests bring their own machine.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use exitlab_base::need::Search;
use exitlab_model::hardware;

/// A machine.
#[derive(Debug)]
pub(super) struct System {
    /// Where its programs and files are.
    pub search: Search,
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
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let existing = cache
            .ancestors()
            .find(|ancestor| ancestor.exists())
            .unwrap_or(&cache);
        let access = rustix::fs::access(existing, Access::WRITE_OK | Access::EXEC_OK);
        let space = rustix::fs::statvfs(existing).ok();
        System {
            search: Search::this(),
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
        self.search
            .below_root(Path::new("/usr/bin/apt-get"))
            .is_file()
    }

    /// Whether a program needs no dynamic linker.
    pub(super) fn is_static(&self, program: &Path) -> bool {
        let elf = std::fs::read(self.search.below_root(program)).unwrap_or_default();
        has_interpreter(&elf) == Some(false)
    }

    /// All memory of the machine.
    pub(super) fn memory_mib(&self) -> Option<u64> {
        self.meminfo_mib("MemTotal:")
    }

    /// A field of `/proc/meminfo`.
    pub(super) fn meminfo_mib(&self, field: &str) -> Option<u64> {
        let meminfo =
            std::fs::read_to_string(self.search.below_root(Path::new("/proc/meminfo"))).ok()?;
        let total = meminfo.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024)
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
