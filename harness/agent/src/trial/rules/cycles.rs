//! Rules of time, and of the totals.

use std::time::Duration;

use super::super::bench::Bench;
use super::super::drive::SLOWNESS;
use super::super::guest::{PLAIN_PORT, SLOW_PORT, Step};
use super::super::leaves::POISON;
use super::super::switches::{Restore, Switch};
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{broken, holds, not_judged};
use crate::clock::tsc;
use exitlab_abi::UNDEFINED;
use exitlab_model::rule::Verdict;

/// Sleeps of the guest, and answers of the host to its slow port.
const TIMES: u32 = 5;
/// Interrupts that the guest sends itself, all by a fast path.
const FAST: u32 = 500;
/// What even the fastest exit costs, cycles.
const LEAST: u64 = 10;
/// How long the TSC is held against the clock.
const MEASURE: Duration = Duration::from_millis(20);

/// Blocked, in user space or on a fast path: all of it is time of the exit.
pub fn from_exit_to_entry(bench: &Bench) -> Result<Verdict> {
    let _on = switch_on()?;
    let ticks_per_ms = ticks_per_ms();
    let nap = ticks_per_ms * SLOWNESS.as_millis() as u64;
    let born = tsc();
    let mut vm = bench.maker.vm(1)?;
    let reasons = bench.reasons;
    let by_reason = has_cycles_leaf(bench, &mut vm)?;
    let steps = [
        (
            reasons.hlt,
            Step::sleep(nap as u32, TIMES),
            nap * u64::from(TIMES) * 9 / 10,
        ),
        (
            reasons.io,
            Step::out(SLOW_PORT, TIMES),
            nap * u64::from(TIMES),
        ),
        (
            reasons.wrmsr,
            Step::send_ipi(0, FAST),
            LEAST * u64::from(FAST),
        ),
    ];
    let mut seen = Vec::new();
    for (reason, step, least) in steps {
        let read = if by_reason {
            Step::read_cycles(bench.map, reason)
        } else {
            Step::cpuid(bench.map.total_cycles, 0, POISON)
        };
        let answers = vm.run(&[read, step, read])?;
        let spent = answers[2].cycles().wrapping_sub(answers[0].cycles());
        let title = bench.table.name(reason);
        if answers[2].cycles() == 0 && seen.is_empty() && !Switch::Cycles.is_there() {
            return not_judged("this kernel counts no cycles");
        }
        if spent < least {
            return broken(format!(
                "{title} took at least {least} cycles until the next VM entry, {spent} were counted"
            ));
        }
        seen.push(format!("{title} {spent} (at least {least})"));
    }
    let total = vm.run(&[Step::cpuid(bench.map.total_cycles, 0, POISON)])?[0].cycles();
    let age = tsc().wrapping_sub(born);
    if total > age {
        return broken(format!("{total} cycles counted in a VM that is {age} old"));
    }
    holds(seen.join(", "))
}

fn switch_on() -> Result<Option<Restore>> {
    Ok(match Switch::Cycles.is_there() {
        true => Some(Switch::Cycles.set("Y")?),
        false => None,
    })
}

fn has_cycles_leaf(bench: &Bench, vm: &mut Vm) -> Result<bool> {
    let answer = vm.run(&[Step::read_cycles(bench.map, bench.an_undefined())])?[0];
    Ok(answer.edx == UNDEFINED)
}

/// Ticks of the host's TSC in a millisecond of its clock.
fn ticks_per_ms() -> u64 {
    let (clock, start) = (std::time::Instant::now(), tsc());
    std::thread::sleep(MEASURE);
    let ticks = tsc().wrapping_sub(start);
    (ticks as f64 / (clock.elapsed().as_secs_f64() * 1e3)) as u64
}

/// The total count is the sum of the counts at the same moment; the total of cycles lies
/// between two sums read around it.
pub fn totals(bench: &Bench) -> Result<Verdict> {
    let _on = switch_on()?;
    let mut vm = bench.maker.vm(1)?;
    vm.run(&[Step::out(PLAIN_PORT, 100), Step::send_ipi(0, FAST)])?;
    let counts = bench.counts(&mut vm)?;
    if counts.total != counts.sum() {
        return broken(format!(
            "the total is {}, the sum over all reasons {}",
            counts.total,
            counts.sum()
        ));
    }
    let seen = format!("{} exits, by sum and by total", counts.total);
    if !has_cycles_leaf(bench, &mut vm)? {
        return holds(seen);
    }
    let defined = bench.table.defined();
    let pass: Vec<Step> = defined
        .map(|reason| Step::read_cycles(bench.map, reason.number))
        .collect();
    let total = Step::cpuid(bench.map.total_cycles, 0, POISON);
    let steps = [pass.as_slice(), &[total], &pass].concat();
    let answers = vm.run(&steps)?;
    let many = bench.table.defined().len();
    let sum = |part: &[super::super::guest::Answer]| part.iter().map(|a| a.cycles()).sum::<u64>();
    let (before, total, after) = (
        sum(&answers[..many]),
        answers[many].cycles(),
        sum(&answers[many + 1..]),
    );
    if !(before..=after).contains(&total) {
        return broken(format!(
            "the total of cycles is {total}, the sums before and after it {before} and {after}"
        ));
    }
    holds(format!(
        "{seen}; {total} cycles, between the sums {before} and {after}"
    ))
}
