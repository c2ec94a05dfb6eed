//! Rules of time, and of the totals.

use std::time::Duration;

use super::super::bench::Bench;
use super::super::drive::SLOWNESS;
use super::super::guest::{Answer, PLAIN_PORT, SLOW_PORT, Step};
use super::super::leaves::POISON;
use super::super::shape::Shape;
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{broken, holds, looks_like, mistake, not_judged};
use crate::clock::tsc;
use exitlab_model::rule::Verdict;

/// Sleeps of the guest, and answers of the host to its slow port.
const TIMES: u32 = 5;
/// Interrupts that the guest sends itself, all by a fast path.
const FAST: u32 = 500;
/// What even the fastest exit costs, cycles.
const LEAST: u64 = 10;
/// How long the TSC is held against the clock.
const MEASURE: Duration = Duration::from_millis(20);

/// Something that takes time between VM exit and VM entry.
struct Timed {
    reason: u32,
    step: Step,
    /// How many exits it is, and the least that they take, cycles.
    times: u32,
    least: u64,
    missing: &'static str,
}

/// Blocked, in user space or on a fast path: all of it is time of the exit. An exit that is
/// not counted at all has no time, and is for another rule.
pub fn from_exit_to_entry(bench: &Bench) -> Result<Verdict> {
    let shape = bench.shape();
    let leaf = match bench.order.totals_only || !shape.has_cycles(bench.map) {
        true => bench.map.total_cycles,
        false => bench.map.cycles,
    };
    if !shape.answers(leaf) {
        return not_judged(format!("leaf {leaf:#x}, of cycles, is not answered"));
    }
    let _on = Switch::cycles_on()?;
    let mut vm = bench.maker.vm(1)?;
    let (mut seen, mut short, mut any) = (Vec::new(), Vec::new(), false);
    for timed in timed(bench) {
        let (counted, spent, now) = spend(bench, &shape, leaf, &mut vm, &timed)?;
        any |= now > 0;
        let title = bench.table.name(timed.reason);
        if counted < timed.times {
            continue;
        }
        let told = format!("{title} {spent} (at least {})", timed.least);
        if spent < timed.least {
            short.push((told, timed.missing));
        } else {
            seen.push(told);
        }
    }
    if !any {
        return no_cycles(bench, leaf);
    }
    let (told, missing): (Vec<String>, Vec<&str>) = short.into_iter().unzip();
    if !told.is_empty() {
        let seen = format!("cycles until the next VM entry: {}", told.join(", "));
        let why = format!(
            "time taken only around the exit handler, without {}",
            missing.join(" and ")
        );
        return mistake(10, why, seen);
    }
    if seen.is_empty() {
        return not_judged("none of the exits that are timed is counted");
    }
    holds(seen.join(", "))
}

fn timed(bench: &Bench) -> [Timed; 3] {
    let reasons = bench.reasons;
    let nap = ticks_per_ms() * SLOWNESS.as_millis() as u64;
    let all = nap * u64::from(TIMES);
    [
        Timed {
            reason: reasons.hlt,
            step: Step::sleep(nap as u32, TIMES),
            times: TIMES,
            least: all * 9 / 10,
            missing: "time blocked in HLT",
        },
        Timed {
            reason: reasons.io,
            step: Step::out(SLOW_PORT, TIMES),
            times: TIMES,
            least: all,
            missing: "time in user space",
        },
        Timed {
            reason: reasons.wrmsr,
            step: Step::send_ipi(0, FAST),
            times: FAST,
            least: LEAST * u64::from(FAST),
            missing: "time of fast paths",
        },
    ]
}

/// Lets a guest do it: how many exits of its reason were counted, how many cycles, and what
/// the leaf of cycles says afterwards.
fn spend(
    bench: &Bench,
    shape: &Shape,
    leaf: u32,
    vm: &mut Vm,
    timed: &Timed,
) -> Result<(u32, u64, u64)> {
    let count = match bench.order.totals_only {
        true => Step::cpuid(bench.map.total_count, 0, POISON),
        false => Step::read_count(bench.map, timed.reason),
    };
    let cycles = Step::cpuid(leaf, timed.reason, POISON);
    let answers = vm.run(&[count, cycles, timed.step, cycles, count])?;
    let counted = shape
        .count(&answers[4])
        .wrapping_sub(shape.count(&answers[0]));
    let now = shape.cycles(&answers[3]);
    Ok((counted, now.wrapping_sub(shape.cycles(&answers[1])), now))
}

fn no_cycles(bench: &Bench, leaf: u32) -> Result<Verdict> {
    let optional = bench.map.shares_totals() && !bench.order.totals_only;
    if optional && !Switch::Cycles.is_there() {
        return not_judged("this kernel counts no cycles");
    }
    looks_like(
        "cycles that are never counted",
        format!("leaf {leaf:#x}, of cycles, stays 0"),
    )
}

/// Ticks of the host's TSC in a millisecond of its clock.
pub fn ticks_per_ms() -> u64 {
    let (clock, start) = (std::time::Instant::now(), tsc());
    std::thread::sleep(MEASURE);
    let ticks = tsc().wrapping_sub(start);
    (ticks as f64 / (clock.elapsed().as_secs_f64() * 1e3)) as u64
}

/// The total count rises as the counts do; the total of cycles rises by what lies between
/// two sums read around it.
pub fn totals(bench: &Bench) -> Result<Verdict> {
    let (map, shape) = (bench.map, bench.shape());
    if !shape.answers(map.total_count) {
        let leaf = map.total_count;
        return not_judged(format!("leaf {leaf:#x}, of the total, is not answered"));
    }
    let _on = Switch::cycles_on()?;
    let mut vm = bench.maker.vm(1)?;
    let before = bench.counts(&mut vm)?;
    vm.run(&[
        Step::out(PLAIN_PORT, 100),
        Step::hammer(FAST),
        Step::send_ipi(0, FAST),
    ])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    let why = "a total kept apart from the counts, and not at the same place";
    if bench.order.totals_only {
        let least = u64::from(100 + FAST);
        let seen = format!("{least} OUTs and CPUIDs raised the total by {}", rise.total);
        return match rise.total < least {
            true => looks_like("a total that some exits never reach", seen),
            false => holds(seen),
        };
    }
    let (total, sum) = (rise.total, rise.sum());
    if total != sum {
        let seen = format!("the total rose by {total}, the sum over all reasons by {sum}");
        let restless = bench.restless();
        if restless.is_empty() {
            return looks_like(why, seen);
        }
        return broken(format!("{seen}, without the restless reasons {restless:?}"));
    }
    let seen = format!("{total} exits, by sum and by total");
    if !shape.has_cycles(map) || !shape.answers(map.total_cycles) {
        return holds(seen);
    }
    totals_of_cycles(bench, &shape, &mut vm, &seen)
}

fn totals_of_cycles(bench: &Bench, shape: &Shape, vm: &mut Vm, seen: &str) -> Result<Verdict> {
    let defined = bench.table.defined();
    let pass: Vec<Step> = defined
        .map(|reason| Step::read_cycles(bench.map, reason.number))
        .collect();
    let total = Step::cpuid(bench.map.total_cycles, 0, POISON);
    let around = [pass.as_slice(), &[total], &pass].concat();
    let mut read = || -> Result<[u64; 3]> {
        let answers = vm.run(&around)?;
        let cycles = |answer: &Answer| shape.cycles(answer);
        let sum = |part: &[Answer]| part.iter().map(cycles).fold(0, u64::wrapping_add);
        let (first, rest) = answers.split_at(pass.len());
        Ok([sum(first), cycles(&rest[0]), sum(&rest[1..])])
    };
    let first = read()?;
    let second = read()?;
    let total = second[1].wrapping_sub(first[1]);
    let least = second[0].wrapping_sub(first[2]);
    let most = second[2].wrapping_sub(first[0]);
    if !(least..=most).contains(&total) {
        return looks_like(
            "a total of cycles kept apart, and not at the same place",
            format!(
                "the total of cycles rose by {total}, the sums over all reasons by {least} to {most}"
            ),
        );
    }
    holds(format!(
        "{seen}; {total} cycles, between the sums {least} and {most}"
    ))
}
