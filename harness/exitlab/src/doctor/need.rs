//! What a plan needs: what each trade says that it needs, and memory.

use exitlab_base::need::{Candidate, Cure, Find, Need};
use exitlab_host::needs;
use exitlab_host::qemu_files;
use exitlab_kernel::needs as kernel;
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::PlatformKind;
use exitlab_model::record::Channel;

use super::report::Prerequisite;
use super::system::System;

/// Room for a run whose kernel is ready, MiB.
const LATER_RUN_MIB: u64 = 1024;
/// What a guest's image takes, where neither kernel nor host is built.
const GUEST_IMAGE_MIB: u64 = 64;
/// What emulator and build take beside the host's memory. Together with the default
/// host: 2 GB, less what the kernel keeps from `MemTotal`.
const OWN_MEMORY_MIB: u64 = 768;

/// What QEMU and the agent take beside the guest's memory, where the host is this machine.
const LOCAL_MEMORY_MIB: u64 = 192;

/// What `plan` needs on any platform.
pub(super) fn shared(plan: &Plan) -> Vec<Need> {
    // What runs there, there must be.
    let elsewhere = plan.platform == PlatformKind::Ssh;
    let mut needs = if elsewhere {
        Vec::new()
    } else {
        needs::qemu(plan.guest.machine)
    };
    needs.extend(kernel::source_needs(&plan.kernel.source));
    needs.extend(needs::images());
    needs.extend(needs::guest(&plan.guest));
    needs.extend(resources(plan));
    needs
}

fn resources(plan: &Plan) -> Vec<Need> {
    let memory = match plan.platform {
        PlatformKind::Ssh => OWN_MEMORY_MIB,
        PlatformKind::Local => u64::from(plan.guest.memory_mib) + LOCAL_MEMORY_MIB,
        _ => u64::from(plan.host.memory_mib) + OWN_MEMORY_MIB,
    };
    let disk = match (&plan.kernel.source, plan.platform.boots()) {
        (KernelSource::Image(_), false) => Find::Disk(GUEST_IMAGE_MIB, GUEST_IMAGE_MIB),
        (source, _) if source.is_ready() => Find::Disk(LATER_RUN_MIB, LATER_RUN_MIB),
        _ => kernel::FIRST_BUILD,
    };
    let cure = format!(
        "use a machine or container with {memory} MiB of memory, or a smaller host.memory or \
         guest.memory"
    );
    let memory = Need::action(Find::Memory(memory), "holds host and guest", cure);
    let limits = Need::action(
        Find::Limits(LEAST_FILES, LEAST_FILE_MIB),
        "emulator, build and results",
        "limits: raise them in the shell that starts exitlab, with ulimit -n and ulimit -f"
            .to_owned(),
    );
    let room = Need::room(disk).into_iter();
    room.chain([memory, limits]).collect()
}

/// A QEMU here that is too old to tell KVM's statistics; none if it is not.
pub(super) fn old_qemu(plan: &Plan, system: &System) -> Option<Prerequisite> {
    let census = |c: &Channel| *c != Channel::Trace;
    let census = !plan.sampling.auto && plan.sampling.channels.iter().any(census);
    let is_here = plan.platform != PlatformKind::Ssh && census;
    let version = qemu_files::version(&system.qemu_says).filter(|_| is_here)?;
    let (major, minor) = qemu_files::LEAST;
    (version < qemu_files::LEAST).then(|| Prerequisite {
        what: format!("QEMU {major}.{minor} (is {}.{})", version.0, version.1),
        why: "tells KVM's statistics",
        cure: Cure::Action(format!("QEMU: install {major}.{minor} or newer")),
        found: None,
    })
}

/// Files that a run has open at a time, and then some.
const LEAST_FILES: u64 = 64;

/// The size of the largest file that is written, MiB: the kernel before it is stripped, or an
/// image.
const LEAST_FILE_MIB: u64 = 512;

/// Looks for it on a machine.
pub(super) fn look_up(need: &Need, system: &System) -> Prerequisite {
    let shown = |path: std::path::PathBuf| path.display().to_string();
    let enough = |what: &str, have: Option<u64>, least: u64| match have {
        Some(mib) if mib < least => (format!("{least} MiB of {what} (there are {mib})"), None),
        Some(mib) => (format!("{least} MiB of {what}"), Some(format!("{mib} MiB"))),
        // A machine that does not say is not one that has none.
        None => (
            format!("{least} MiB of {what}"),
            Some("not known".to_owned()),
        ),
    };
    let (what, found) = match &need.find {
        Find::Program(name) => (
            system.search.named(name),
            system.search.program(name).map(shown),
        ),
        Find::StaticProgram(name) => match system.search.program(name) {
            None => (format!("{}, static", system.search.named(name)), None),
            Some(path) => match system.is_static(&path) {
                Ok(is) => (format!("{name}, static"), is.then(|| shown(path))),
                Err(error) => (format!("{name}, static (cannot be read: {error})"), None),
            },
        },
        Find::UserProgram(name) => {
            let found = system.search.program(name).map(shown);
            let root = system.superuser.then(|| "root needs none".to_owned());
            ((*name).to_owned(), found.or(root))
        }
        Find::File(name, places) => (name.clone(), system.search.file(places).map(shown)),
        Find::Cache => ("writable cache".to_owned(), usable_cache(system)),
        Find::PlainCache => match kernel::odd_character(&system.cache) {
            None => (
                "path that make takes".to_owned(),
                Some(shown(system.cache.clone())),
            ),
            Some(odd) => (format!("cache path without {odd:?}"), None),
        },
        Find::Limits(files, file_mib) => limits(*files, *file_mib, system),
        Find::Disk(first, later) => {
            let least = *if system.cache_filled { later } else { first };
            let (what, found) = enough("disk", system.free_mib, least);
            let read_only = system.cache_filled && !system.cache_writable;
            let nothing = || read_only.then(|| "nothing is built".to_owned());
            (what, found.or_else(nothing))
        }
        Find::Memory(least) => enough("memory", system.memory_mib(), *least),
    };
    Prerequisite {
        what,
        why: need.why,
        cure: cure(need, system),
        found,
    }
}

/// The cache, where it can be used. What is in it can be, though nothing can be added; where
/// something is missing, its build says so.
fn usable_cache(system: &System) -> Option<String> {
    let cache = || system.cache.display().to_string();
    let finished = || {
        let is_filled = system.cache_filled;
        is_filled.then(|| format!("{}, read-only", cache()))
    };
    system.cache_writable.then(cache).or_else(finished)
}

/// What is there and is no program is not cured by installing it once more.
fn cure(need: &Need, system: &System) -> Cure {
    if let Find::Program(name) | Find::StaticProgram(name) | Find::UserProgram(name) = &need.find
        && let Some(Candidate::Unusable(path, why)) = system.search.candidate(name)
    {
        return Cure::Action(format!("{name}: see to {}: it {why}", path.display()));
    }
    need.cure.clone()
}

/// Limits of this process, and which is too low.
fn limits(files: u64, file_mib: u64, system: &System) -> (String, Option<String>) {
    let have = system.limits;
    let low = |have: Option<u64>, least: u64| have.filter(|have| *have < least);
    let lacks = [
        low(have.files, files).map(|is| format!("{files} open files (ulimit -n is {is})")),
        low(have.file_mib, file_mib)
            .map(|is| format!("files of {file_mib} MiB (ulimit -f allows {is})")),
    ];
    let lacks: Vec<String> = lacks.into_iter().flatten().collect();
    if !lacks.is_empty() {
        return (lacks.join(", "), None);
    }
    let number = |limit: Option<u64>, unit: &str| {
        limit.map_or("any".to_owned(), |limit| format!("{limit}{unit}"))
    };
    let found = format!(
        "{} files, {} size",
        number(have.files, ""),
        number(have.file_mib, " MiB")
    );
    ("open files and their size".to_owned(), Some(found))
}
