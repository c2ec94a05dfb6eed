//! Rules of where counting stands: is every exit counted, and under its own reason?

use super::super::bench::{Bench, Counts};
use super::super::guest::{NOWHERE, PLAIN_PORT, SPARE, Step};
use super::super::stats::Statistics;
use super::super::trouble::Result;
use super::verdict::{broken, holds, not_judged};
use exitlab_model::rule::Verdict;

/// Times that each fast path is taken.
const FAST: u32 = 500;
/// TSC ticks for a host's interrupt to come: at least a tick of any clock.
const SPIN: u32 = 40_000_000;
/// TSC ticks of one sleep.
const SLEEP: u32 = 100_000;

/// Reasons that the exit handler dispatches before its table, and that no fast path takes,
/// happen as KVM's own statistics say; each must have been counted.
pub fn shortcuts(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let before = bench.counts(&mut vm)?;
    vm.run(&[
        Step::out(PLAIN_PORT, 10),
        Step::open_window(0, 10),
        Step::spin(SPIN),
        Step::touch(SPARE.start, 64),
        Step::read(NOWHERE, 5),
    ])?;
    let after = bench.counts(&mut vm)?;

    let reasons = bench.reasons;
    let said = |name: &str| rise_of(&before.statistics, &after.statistics, name);
    let mut seen = Vec::new();
    for (reason, name) in [
        (reasons.io, "io_exits"),
        (reasons.window, "irq_window_exits"),
        (reasons.interrupt, "irq_exits"),
        (reasons.mmio, "mmio_exits"),
    ] {
        let counted = after.of(reason) - before.of(reason);
        let title = bench.table.name(reason);
        match said(name) {
            None | Some(0) => {}
            Some(said) if counted == 0 => {
                return broken(format!(
                    "KVM's own {name} rose by {said}, and reason {reason} ({title}) by 0"
                ));
            }
            Some(said) => seen.push(format!("{title} {counted} ({name} {said})")),
        }
    }
    if seen.is_empty() {
        return not_judged("KVM's own statistics say of no such exit");
    }
    holds(seen.join(", "))
}

fn rise_of(before: &Statistics, after: &Statistics, name: &str) -> Option<u64> {
    Some(after.counter(name)?.saturating_sub(before.counter(name)?))
}

/// Interrupts sent and timers armed by WRMSR re-enter the guest without the exit handler,
/// in part so does HLT. All counts together must be KVM's own `exits`.
pub fn fast_paths(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let before = bench.counts(&mut vm)?;
    vm.run(&[
        Step::send_ipi(0, FAST),
        Step::arm_timer(FAST),
        Step::disarm_timer(),
        Step::sleep(SLEEP, 10),
        Step::spin(SPIN),
    ])?;
    let after = bench.counts(&mut vm)?;
    let exits = after.exits() - before.exits();
    let counted = after.sum() - before.sum();
    if exits == 0 {
        return not_judged("KVM on this host does not count exits by itself");
    }
    if counted != exits {
        return broken(format!(
            "KVM counted {exits} exits, the census {counted}; {}",
            suspects(bench, &before, &after)
        ));
    }
    let wrmsr = after.of(bench.reasons.wrmsr) - before.of(bench.reasons.wrmsr);
    holds(format!(
        "{exits} exits, {counted} counted, {wrmsr} of them WRMSR ({FAST} interrupts sent, \
         {FAST} timers armed)"
    ))
}

fn suspects(bench: &Bench, before: &Counts, after: &Counts) -> String {
    let rise = |reason| after.of(reason) - before.of(reason);
    let (wrmsr, hlt) = (rise(bench.reasons.wrmsr), rise(bench.reasons.hlt));
    format!(
        "at least {} WRMSR and 10 HLT were executed, {wrmsr} and {hlt} counted",
        2 * FAST + 11
    )
}

/// The processor refuses one entry: the count of that basic reason rises by one.
pub fn basic_reason(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let reason = bench.reasons.entry_failed;
    let before = bench.counts(&mut vm)?;
    if !vm.fail_an_entry()? {
        return not_judged("the processor entered a guest state that it should refuse");
    }
    let after = bench.counts(&mut vm)?;
    let counted = after.of(reason) - before.of(reason);
    let title = bench.table.name(reason);
    if counted != 1 {
        return broken(format!(
            "one VM entry failed, and reason {reason} ({title}) rose by {counted}"
        ));
    }
    match rise_of(&before.statistics, &after.statistics, "failed_entries") {
        Some(rise) if rise != 1 => broken(format!(
            "one VM entry failed, and the statistic failed_entries rose by {rise}"
        )),
        Some(_) => holds(format!("counted once as {title}, once as failed entry")),
        _ => holds(format!("counted once as {title}")),
    }
}
