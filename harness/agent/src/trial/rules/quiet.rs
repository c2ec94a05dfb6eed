//! The rule of what counting leaves behind on the host, and costs it.

use std::time::Duration;

use super::super::bench::Bench;
use super::super::guest::Step;
use super::super::kernel_log::{KernelLog, Printed};
use super::super::leaves::POISON;
use super::super::slabs::Slabs;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{holds, mistake, not_judged};
use exitlab_model::rule::Verdict;

/// Exits during which the host's log and memory are watched.
const WATCHED: usize = 20_000;
/// Exits that show a kernel which prints on each; there may be far too many lines of more.
const FEW: u32 = 200;
/// Readings during which the host's log is watched.
const READINGS: usize = 50;
/// Lines that the host may print meanwhile for reasons of its own.
const OTHER_LINES: usize = 3;
/// Memory that must not be lost for each exit, bytes: the smallest allocation.
const BYTES_EACH: u64 = 8;

/// The host prints nothing, loses no memory and allocates none while exits are counted and
/// counts are read.
pub fn quiet(bench: &Bench) -> Result<Verdict> {
    let watched = bench.often(WATCHED) as u32;
    let mut vm = bench.maker.vm(1)?;
    // Once for what the first exits of a VM rightly allocate.
    vm.run(&[Step::hammer(100)])?;
    let mut log = KernelLog::from_now();
    if !log.is_there() {
        return not_judged("the host has no /dev/kmsg");
    }
    if let Some(loud) = loud(bench, &mut vm, &mut log)? {
        return mistake(9, "a printk on every exit, or on every reading", loud);
    }
    let (lost, made) = taken(&mut vm, watched)?;
    let printed = log.printed();
    if printed.count > OTHER_LINES {
        let seen = told(&printed, &format!("{watched} exits"));
        return mistake(9, "a printk on every exit, or on every reading", seen);
    }
    if lost > BYTES_EACH * u64::from(watched) {
        let seen = format!("the host lost {lost} bytes in {watched} exits");
        return mistake(9, "an allocation on every exit that is never freed", seen);
    }
    let why = "an allocation on every exit, even if it is freed";
    let allocates = bench
        .code()
        .as_ref()
        .map(|code| code.allocations.join("; "));
    match (made, allocates) {
        (Some(made), _) if made > u64::from(watched) / 2 => mistake(
            9,
            why,
            format!("the host allocated {made} times in {watched} exits"),
        ),
        (None, Ok(places)) if !places.is_empty() => {
            mistake(9, why, format!("in the kernel's code {places}"))
        }
        (Some(made), _) => holds(format!(
            "{watched} exits: {} lines printed, {made} allocations",
            printed.count
        )),
        (None, allocates) => {
            let freed = match allocates {
                Ok(_) => "no allocation in the kernel's code",
                Err(_) => "memory that is freed at once does not show in this kernel",
            };
            holds(format!(
                "{watched} exits: {} lines printed, {} KiB of memory gone; {freed}",
                printed.count,
                lost / 1024
            ))
        }
    }
}

/// Bytes that the host lost and, where it counts them, how often it allocated during so many
/// exits: the lesser of two rounds, for what it takes once for reasons of its own is no leak.
fn taken(vm: &mut Vm, watched: u32) -> Result<(u64, Option<u64>)> {
    let (mut lost, mut made) = (u64::MAX, None);
    for _ in 0..2 {
        let (before, slabs) = (free_memory(), Slabs::count());
        vm.run(&[Step::hammer(watched)])?;
        let round = slabs.zip(Slabs::count()).map(|(a, b)| b.saturating_sub(a));
        made = made.map_or(round, |made: u64| round.map(|round| round.min(made)));
        lost = lost.min(before.saturating_sub(free_memory()));
    }
    Ok((lost, made))
}

/// What is printed on few exits or on few readings.
fn loud(bench: &Bench, vm: &mut Vm, log: &mut KernelLog) -> Result<Option<String>> {
    let leaf = bench.asked();
    let read = |ecx: usize| Step::cpuid(leaf, ecx as u32, POISON);
    let trials = [
        (vec![Step::hammer(FEW)], format!("{FEW} exits")),
        (
            (0..READINGS).map(read).collect(),
            format!("{READINGS} readings of leaf {leaf:#x}"),
        ),
    ];
    for (steps, what) in trials {
        // Lines of the host's own from before.
        let _ = log.printed();
        vm.run(&steps)?;
        // A log is written by whoever prints; nothing comes later.
        std::thread::sleep(Duration::from_millis(1));
        let printed = log.printed();
        if printed.count > OTHER_LINES {
            return Ok(Some(told(&printed, &what)));
        }
    }
    Ok(None)
}

fn told(printed: &Printed, what: &str) -> String {
    let first = printed.lines.first().map_or("", String::as_str);
    format!(
        "the host printed {} lines during {what}, the first: {first}",
        printed.count
    )
}

/// Free memory of the host, bytes.
fn free_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.freeram as u64 * u64::from(info.mem_unit)
}
