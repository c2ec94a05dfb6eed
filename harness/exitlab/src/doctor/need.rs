//! What a plan needs: what each trade says that it needs, and memory.

use exitlab_base::need::{Find, Need};
use exitlab_host::needs;
use exitlab_kernel::needs as kernel;
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::PlatformKind;

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
        (KernelSource::Image(_), true) => Find::Disk(LATER_RUN_MIB, LATER_RUN_MIB),
        _ => kernel::FIRST_BUILD,
    };
    let cure = format!(
        "use a machine with {memory} MiB of memory, or a smaller host.memory or guest.memory"
    );
    let memory = Need::action(Find::Memory(memory), "holds host and guest", cure);
    Need::room(disk).into_iter().chain([memory]).collect()
}

/// Looks for it on a machine.
pub(super) fn look_up(need: &Need, system: &System) -> Prerequisite {
    let shown = |path: std::path::PathBuf| path.display().to_string();
    let enough = |have: Option<u64>, least: u64| {
        have.filter(|mib| *mib >= least)
            .map(|mib| format!("{mib} MiB"))
    };
    let (what, found) = match &need.find {
        Find::Program(name) => ((*name).to_owned(), system.search.program(name).map(shown)),
        Find::StaticProgram(name) => {
            let found = system
                .search
                .program(name)
                .filter(|path| system.is_static(path));
            (format!("{name}, static"), found.map(shown))
        }
        Find::UserProgram(name) => {
            let found = system.search.program(name).map(shown);
            let root = system.superuser.then(|| "root needs none".to_owned());
            ((*name).to_owned(), found.or(root))
        }
        Find::File(name, places) => (name.clone(), system.search.file(places).map(shown)),
        Find::Cache => {
            let cache = || shown(system.cache.clone());
            // What is in it can be used; where something is missing, its build says so.
            let finished = || {
                system
                    .cache_filled
                    .then(|| format!("{}, read-only", cache()))
            };
            let found = system.cache_writable.then(cache).or_else(finished);
            ("writable cache".to_owned(), found)
        }
        Find::Disk(first, later) => {
            let least = *if system.cache_filled { later } else { first };
            let read_only = system.cache_filled && !system.cache_writable;
            let nothing = || read_only.then(|| "nothing is built".to_owned());
            (
                format!("{least} MiB of disk"),
                enough(system.free_mib, least).or_else(nothing),
            )
        }
        Find::Memory(least) => (
            format!("{least} MiB of memory"),
            enough(system.memory_mib(), *least),
        ),
    };
    Prerequisite {
        what,
        why: need.why,
        cure: need.cure.clone(),
        found,
    }
}
