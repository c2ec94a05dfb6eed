//! The machine that prerequisites are looked for on. Its files are found below a root
//! directory, so that tests bring their own machine.

use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::allowance::Allowance;
use exitlab_base::archive::has_interpreter;
use exitlab_base::inherited::Limits;
use exitlab_base::need::Search;
use exitlab_base::tool;
use exitlab_host::qemu_files::QEMU;
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
    pub kvm: std::io::Result<()>,
    /// Limits of this process.
    pub limits: Limits,
    /// What QEMU says of its version; empty if it was not asked or does not start.
    pub qemu_says: String,
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
            limits: Limits::of_this(),
            qemu_says: String::new(),
            // `make` builds in the directory that a link leads to.
            cache: match existing.canonicalize() {
                Ok(real) => real.join(cache.strip_prefix(existing).unwrap_or(Path::new(""))),
                Err(_) => cache,
            },
        }
    }

    /// The same, after QEMU was asked for its version.
    pub(super) fn with_qemu(mut self) -> System {
        self.qemu_says = tool::version(QEMU, &["--version"]).unwrap_or_default();
        self
    }

    /// Whether a program needs no dynamic linker.
    pub(super) fn is_static(&self, program: &Path) -> std::io::Result<bool> {
        let elf = std::fs::read(self.search.below_root(program))?;
        Ok(has_interpreter(&elf) == Some(false))
    }

    /// All memory that a program here may have: the machine's, as far as no container and no
    /// limit of the process allows less.
    pub(super) fn memory_mib(&self) -> Option<u64> {
        let allowed = Allowance::of(&self.search.root);
        let all = [
            self.meminfo_mib("MemTotal:"),
            allowed.limit_mib,
            self.limits.memory_mib,
        ];
        all.into_iter().flatten().min()
    }

    /// Memory that programs can still have, as far as no container allows less.
    pub(super) fn free_memory_mib(&self) -> Option<u64> {
        let allowed = Allowance::of(&self.search.root);
        let all = [self.meminfo_mib("MemAvailable:"), allowed.left_mib];
        all.into_iter().flatten().min()
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
