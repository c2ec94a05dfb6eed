//! Rules of several vCPUs and VMs, and of what counting leaves behind on the host.

use super::super::bench::Bench;
use super::super::guest::Step;
use super::super::kernel_log::KernelLog;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{broken, holds, not_judged};
use exitlab_model::rule::Verdict;

/// vCPUs that execute CPUID at the same time.
const VCPUS: u32 = 4;
/// Bursts of CPUID instructions of each, and instructions of a burst.
const BURSTS: usize = 1000;
const BURST: u32 = 10;
/// Longest pause between two bursts, TSC ticks: more than one exit takes.
const PAUSE: u32 = 4000;
/// Exits during which the host's log and memory are watched.
const WATCHED: u32 = 20_000;
/// Lines that the host may print meanwhile for reasons of its own.
const OTHER_LINES: usize = 3;
/// Memory that must not be lost for each exit, bytes: the smallest allocation.
const BYTES_EACH: u64 = 8;

/// Four vCPUs hammer CPUID; every one is counted.
pub fn none_lost(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(VCPUS)?;
    let before = count_and_executed(bench, &mut vm)?;
    vm.run_all(&bursts)?;
    let after = count_and_executed(bench, &mut vm)?;
    let (counted, executed) = (after.0 - before.0, after.1 - before.1);
    if counted != executed {
        return broken(format!(
            "{VCPUS} vCPUs executed {executed} CPUIDs, {counted} were counted"
        ));
    }
    holds(format!(
        "{VCPUS} vCPUs executed {executed} CPUIDs, {counted} counted"
    ))
}

/// What a vCPU executes: bursts at moments that differ for each vCPU. Processors that
/// take turns evenly, as emulated ones do, would otherwise stay in step for ever and never
/// meet in the same place.
fn bursts(vcpu: usize) -> Vec<Step> {
    let pauses = Bench::random(BURSTS * VCPUS as usize);
    let own = pauses.chunks(BURSTS).nth(vcpu).unwrap_or_default();
    own.iter()
        .flat_map(|pause| [Step::spin(pause % PAUSE), Step::hammer(BURST)])
        .collect()
}

/// Two VMs run turn by turn; each count is what its own VM executed since it was made.
pub fn per_vm(bench: &Bench) -> Result<Verdict> {
    let mut busy = bench.maker.vm(1)?;
    let mut calm = bench.maker.vm(1)?;
    busy.run(&[Step::hammer(1000)])?;
    calm.run(&[Step::hammer(10)])?;
    busy.run(&[Step::hammer(1000)])?;
    for (name, vm) in [("calm", &mut calm), ("busy", &mut busy)] {
        let (counted, executed) = count_and_executed(bench, vm)?;
        if counted != executed {
            return broken(format!(
                "the {name} one of two VMs executed {executed} CPUIDs since it was made, and \
                 reads {counted}"
            ));
        }
    }
    let late = count_and_executed(bench, &mut bench.maker.vm(1)?)?;
    if late.0 != late.1 {
        return broken(format!(
            "a new VM executed {} CPUIDs and reads {}",
            late.1, late.0
        ));
    }
    holds(format!(
        "two VMs side by side read {} and {}, a third {}: their own",
        busy.cpuids, calm.cpuids, late.0
    ))
}

/// The count of CPUID exits that a VM reads, and how many CPUIDs it has executed.
fn count_and_executed(bench: &Bench, vm: &mut Vm) -> Result<(u64, u64)> {
    let answer = vm.run(&[Step::read_count(bench.map, bench.reasons.cpuid)])?[0];
    Ok((answer.count(), vm.cpuids))
}

/// The host prints nothing and loses no memory while exits are counted.
pub fn quiet(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    // Once for what the first exits of a VM rightly allocate.
    vm.run(&[Step::hammer(100)])?;
    let mut log = KernelLog::from_now();
    if !log.is_there() {
        return not_judged("the host has no /dev/kmsg");
    }
    // The lesser of two rounds: what the host takes once for reasons of its own is no leak.
    let mut lost = u64::MAX;
    for _ in 0..2 {
        let before = free_memory();
        vm.run(&[Step::hammer(WATCHED)])?;
        lost = lost.min(before.saturating_sub(free_memory()));
    }
    let lines = log.lines();
    if lines.len() > OTHER_LINES {
        return broken(format!(
            "the host printed {} lines during {WATCHED} exits, the first: {}",
            lines.len(),
            lines[0]
        ));
    }
    if lost > BYTES_EACH * u64::from(WATCHED) {
        return broken(format!("the host lost {lost} bytes in {WATCHED} exits"));
    }
    holds(format!(
        "{WATCHED} exits: {} lines printed, {} KiB of memory gone",
        lines.len(),
        lost / 1024
    ))
}

/// Free memory of the host, bytes.
fn free_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.freeram as u64 * u64::from(info.mem_unit)
}
