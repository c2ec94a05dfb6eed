//! Every prerequisite of a run, checked at once, with the one command that installs
//! whatever is missing.

mod allowance;
mod distribution;
mod local;
mod need;
mod nested;
mod platforms;
mod ready_kernel;
mod report;
mod system;

use std::path::Path;

pub use exitlab_kernel::needs::KernelBuild;
use exitlab_model::plan::KernelSource;
use exitlab_model::plan::Plan;
use exitlab_model::platform::PlatformKind;
pub use report::{Prerequisite, Report};
use system::System;

/// Checks everything that `plan` needs on this machine. Built artifacts go to `cache`,
/// which need not exist yet.
pub fn check(plan: &Plan, cache: &Path) -> Report {
    check_on(&System::this(cache).with_qemu(), plan)
}

/// The same but for the kernel of the user's own, which is another matter where it is on trial.
pub fn check_machine(plan: &Plan, cache: &Path) -> Report {
    machine_on(&System::this(cache).with_qemu(), plan)
}

fn check_on(system: &System, plan: &Plan) -> Report {
    let mut report = machine_on(system, plan);
    let kernel = ready_kernel::prerequisite(plan, system);
    report.prerequisites.extend(kernel);
    report.prerequisites.extend(ready_kernel::drivers(plan));
    report
}

fn machine_on(system: &System, plan: &Plan) -> Report {
    let mut report = platforms::report(system, plan.platform, plan.host.accelerator);
    let shared = need::shared(plan);
    let shared = shared.iter().map(|need| need::look_up(need, system));
    if plan.platform == PlatformKind::Local {
        let counting = local::counting(system, Some(&plan.sampling));
        report.prerequisites.extend(counting);
    }
    report.prerequisites.extend(shared);
    report.prerequisites.extend(need::old_qemu(plan, system));
    report
}

/// Checks everything that building `build` of `source` needs on this machine.
pub fn check_kernel_build(source: &KernelSource, build: KernelBuild, cache: &Path) -> Report {
    let system = System::this(cache);
    let needs = exitlab_kernel::needs::needs(source, build);
    let found = needs
        .iter()
        .map(|need| need::look_up(need, &system))
        .collect();
    platforms::of_this(&system, found)
}

/// The platforms whose own needs this machine meets.
pub fn usable() -> Vec<PlatformKind> {
    // No platform of its own needs the cache.
    platforms::usable(&System::this(Path::new("")))
}

/// Memory that programs can still have, MiB, also by the limits of a container; 0 if this
/// machine does not say.
pub fn memory_mib() -> u64 {
    let system = System::this(Path::new(""));
    system.free_memory_mib().unwrap_or(0)
}

/// Every platform for people: usable or not, what is missing, how to get it.
pub fn platforms(plan: &Plan) -> String {
    platforms::render(&System::this(Path::new("")), plan)
}

#[cfg(test)]
mod tests;
