//! What this machine needs to be the host itself.

use super::nested::device;
use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_model::hardware;
use exitlab_model::plan::SamplingPlan;
use exitlab_model::record::Channel;

const WHY: &str = "this machine is the host";

/// A parameter that KVM has if it has the exit census.
const CENSUS: &str = "sys/module/kvm/parameters/exit_census_cycles";

/// Capabilities, by their numbers (capabilities(7)).
const CAP_DAC_OVERRIDE: u32 = 1;
const CAP_SYS_ADMIN: u32 = 21;

/// KVM's device.
pub(super) fn prerequisites(system: &System) -> Vec<Prerequisite> {
    vec![device(system, hardware::isa(&system.search.root), WHY)]
}

/// What counts the exits: of a plan's channels, or the census where nobody asks yet.
pub(super) fn counting(system: &System, sampling: Option<&SamplingPlan>) -> Vec<Prerequisite> {
    let census = system.search.root.join(CENSUS).exists();
    let Some(sampling) = sampling else {
        return vec![census_row(census)];
    };
    let reads = |channel| sampling.channels.contains(&channel);
    let by_census = reads(Channel::Cpuid) || reads(Channel::Stats);
    let mut rows = Vec::new();
    if by_census && (census || !sampling.auto) {
        rows.push(census_row(census));
    }
    if reads(Channel::Trace) || sampling.auto && !census {
        rows.extend(tracing(system));
    }
    rows
}

fn census_row(census: bool) -> Prerequisite {
    row(
        "exit census in this kernel's KVM",
        "census: install and boot a kernel that has it: exitlab kernel install \
         (docs/kernel-build.md); or count with any kernel: sampling.channels = [\"trace\"]",
        census.then(|| "counts".to_owned()),
    )
}

/// What the kernel's own tracepoint needs.
fn tracing(system: &System) -> Vec<Prerequisite> {
    let root = &system.search.root;
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let tracefs = root.join("sys/kernel/tracing").is_dir();
    let may = match capabilities(&read("proc/self/status")) {
        Some(bits) => [CAP_DAC_OVERRIDE, CAP_SYS_ADMIN]
            .iter()
            .all(|c| bits >> c & 1 == 1),
        None => system.superuser,
    };
    let locked = read("sys/kernel/security/lockdown").contains("[confidentiality]");
    vec![
        row(
            "tracefs in this kernel",
            "tracefs: boot a kernel with CONFIG_FTRACE and CONFIG_HIST_TRIGGERS, as distributions' \
             kernels are",
            tracefs.then(|| "/sys/kernel/tracing".to_owned()),
        ),
        row(
            "root, for the kernel's tracepoint",
            "root: run exitlab as root, or with CAP_SYS_ADMIN and CAP_DAC_OVERRIDE",
            may.then(|| "may trace".to_owned()),
        ),
        row(
            "no lockdown to confidentiality",
            "lockdown: boot without lockdown=confidentiality (integrity does no harm)",
            (!locked).then(|| "open".to_owned()),
        ),
    ]
}

/// The effective ones, from `/proc/self/status`.
fn capabilities(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

fn row(what: &str, cure: &str, found: Option<String>) -> Prerequisite {
    Prerequisite {
        what: what.to_owned(),
        why: WHY,
        cure: Cure::Action(cure.to_owned()),
        found,
    }
}
