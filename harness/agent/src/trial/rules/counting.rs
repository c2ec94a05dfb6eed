//! Rules of where counting stands: is every exit counted, and under its own reason?

use super::super::bench::Bench;
use super::super::counts::Rise;
use super::super::guest::{Answer, NOWHERE, PLAIN_PORT, SPARE, Step};
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::cycles::ticks_per_ms;
use super::found::Found;
use super::verdict::{broken, holds, looks_like, mistake, not_judged};
use exitlab_model::reasons::Isa;
use exitlab_model::rule::{Rule, Verdict};

/// Times that each fast path is taken.
const FAST: u32 = 500;
/// Times that something is done which no fast path takes.
const SLOW: u32 = 100;
/// Milliseconds for a host's interrupt to come: a tick of the slowest clock that a kernel can
/// have (`CONFIG_HZ_100`), and a little.
const TICK_MS: u64 = 12;
/// TSC ticks of one sleep.
const SLEEP: u32 = 100_000;
/// Sleeps.
const SLEEPS: u32 = 10;
/// The flag in `/proc/cpuinfo` of an SVM that says where the next instruction is: KVM takes no
/// fast path without it.
const NEXT_RIP: &str = "nrip_save";

/// Reasons that the exit handler dispatches before its table, and that no fast path takes,
/// happen as KVM's own statistics say; each must have been counted.
pub fn shortcuts(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let before = bench.counts(&mut vm)?;
    vm.run(&[
        Step::out(PLAIN_PORT, 10),
        Step::open_window(0, 10),
        spin(),
        Step::touch(SPARE.start, 64),
        Step::read(NOWHERE, 5),
        Step::set_timer_mode(SLOW),
    ])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    if bench.order.totals_only {
        return shortcuts_in_total(&rise);
    }
    let reasons = bench.reasons;
    let happened = [
        (reasons.io, "io_exits", rise.said("io_exits")),
        (
            reasons.window,
            "irq_window_exits",
            rise.said("irq_window_exits"),
        ),
        (reasons.interrupt, "irq_exits", rise.said("irq_exits")),
        (reasons.mmio, "mmio_exits", rise.said("mmio_exits")),
        (reasons.wrmsr, "executed", Some(SLOW.into())),
    ];
    let (mut seen, mut lost) = (Vec::new(), Vec::new());
    for (reason, name, times) in happened {
        let title = bench.table.name(reason);
        match (times, rise.of(reason)) {
            (None | Some(0), _) => {}
            (Some(times), 0) => {
                let title = bench.title(reason);
                lost.push(format!("{title} 0 ({name} {times})"));
            }
            (Some(times), counted) => seen.push(format!("{title} {counted} ({name} {times})")),
        }
    }
    if lost.is_empty() {
        return holds(seen.join(", "));
    }
    let all = format!("not counted: {}", lost.join(", "));
    if seen.is_empty() {
        return looks_like("a counter that few or no exits reach", all);
    }
    let seen = format!("{all}; counted: {}", seen.join(", "));
    mistake(
        2,
        "counting after the dispatch shortcuts of the exit handler",
        seen,
    )
}

/// Waits for a tick of the host.
fn spin() -> Step {
    Step::spin((TICK_MS * ticks_per_ms()) as u32)
}

/// The same where only a total is answered: more is missing than fast paths can explain.
fn shortcuts_in_total(rise: &Rise) -> Result<Verdict> {
    let (exits, counted) = (rise.exits(), rise.total);
    let seen = format!("KVM counted {exits} exits, the total rose by {counted}");
    if exits == 0 {
        return not_judged("KVM on this host does not count exits by itself");
    }
    if exits.saturating_sub(counted) < u64::from(SLOW) {
        return holds(seen);
    }
    mistake(
        2,
        "counting after the dispatch shortcuts of the exit handler",
        seen,
    )
}

/// Interrupts sent and timers armed by WRMSR re-enter the guest without the exit handler. All
/// counts together must be KVM's own `exits`.
pub fn fast_paths(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let before = bench.counts(&mut vm)?;
    let writes = writes(bench, &mut vm)?;
    vm.run(&[Step::sleep(SLEEP, SLEEPS), spin()])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    if bench.order.totals_only {
        return fast_paths_in_total(&rise);
    }
    let told = writes.told();
    if writes.fast_ones_lost() {
        if !takes_fast_paths(bench) {
            return not_judged(format!(
                "this processor takes no fast path, and KVM counts no WRMSR: {told}"
            ));
        }
        let why = "counting in the exit handler, which fast paths never reach";
        return mistake(1, why, told);
    }
    let (exits, counted) = (rise.exits(), rise.sum());
    let seen = format!("{told}; KVM counted {exits} exits, the census {counted}");
    // Where others are missing as well, the sum says nothing of fast paths.
    let others = writes.slow >= SLOW
        && rise.of(bench.reasons.hlt) >= u64::from(SLEEPS)
        && rise
            .said("irq_exits")
            .is_none_or(|said| said == 0 || rise.of(bench.reasons.interrupt) > 0);
    if others && exits > 0 && counted != exits && bench.restless().is_empty() {
        return looks_like("exits that are counted twice, or not at all", seen);
    }
    holds(seen)
}

/// How often writes of MSRs were counted.
struct Writes {
    sent: u32,
    armed: u32,
    slow: u32,
}

impl Writes {
    fn told(&self) -> String {
        let Writes { sent, armed, slow } = self;
        format!(
            "of {FAST} interrupts sent by WRMSR {sent} are counted, of {FAST} timers armed \
             {armed}, of {SLOW} other writes {slow}"
        )
    }

    /// Interrupts are always sent by a fast path; whether timers are armed by one depends on
    /// the processor.
    fn fast_ones_lost(&self) -> bool {
        self.sent < FAST || (self.armed < FAST && self.slow >= SLOW)
    }
}

/// Each kind of write between two readings of its count, with interrupts off: nothing else
/// can raise it.
fn writes(bench: &Bench, vm: &mut Vm) -> Result<Writes> {
    let read = Step::read_count(bench.map, bench.reasons.wrmsr);
    let answers = vm.run(&[
        read,
        Step::send_ipi(0, FAST),
        read,
        Step::arm_timer(FAST),
        read,
        Step::set_timer_mode(SLOW),
        read,
        Step::disarm_timer(),
    ])?;
    let shape = bench.shape();
    let rise =
        |before: &Answer, after: &Answer| shape.count(after).wrapping_sub(shape.count(before));
    Ok(Writes {
        sent: rise(&answers[0], &answers[2]),
        armed: rise(&answers[2], &answers[4]),
        slow: rise(&answers[4], &answers[6]),
    })
}

fn takes_fast_paths(bench: &Bench) -> bool {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    bench.table.isa() == Isa::Vmx || cpu.split_whitespace().any(|flag| flag == NEXT_RIP)
}

/// The same where only a total is answered.
fn fast_paths_in_total(rise: &Rise) -> Result<Verdict> {
    let (exits, counted) = (rise.exits(), rise.total);
    let seen = format!("KVM counted {exits} exits, the total rose by {counted}");
    match exits.saturating_sub(counted) {
        _ if exits == 0 => not_judged("KVM on this host does not count exits by itself"),
        0 if counted == exits => holds(seen),
        0 => looks_like("exits that are counted twice", seen),
        lost if lost >= u64::from(FAST) => mistake(
            1,
            "counting in the exit handler, which fast paths never reach",
            format!("{seen}; {} of these exits take a fast path", 2 * FAST),
        ),
        _ => broken(seen),
    }
}

/// The processor refuses one entry: the count of that basic reason rises by one.
pub fn basic_reason(bench: &Bench, found: &Found) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let reason = bench.reasons.entry_failed;
    let before = bench.counts(&mut vm)?;
    if !vm.fail_an_entry()? {
        return not_judged("the processor entered a guest state that it should refuse");
    }
    let rise = bench.counts(&mut vm)?.since(&before);
    let counted = rise.of(reason);
    let title = bench.title(reason);
    if counted != 1 {
        let total = rise.total.saturating_sub(rise.sum());
        let seen = format!("one VM entry failed, and reason {title} rose by {counted}");
        return not_under_its_reason(bench, found, seen, total > 0);
    }
    match rise.said("failed_entries") {
        Some(rise) if rise != 1 => broken(format!(
            "one VM entry failed, and the statistic failed_entries rose by {rise}"
        )),
        Some(_) => holds(format!("counted once as {title}, once as failed entry")),
        _ => holds(format!("counted once as {title}")),
    }
}

/// A failed entry that its reason does not show. If the total shows it, it was counted under
/// another number. If nothing does, a kernel that misses other exits, too, may only count at a
/// place that failed entries do not reach.
fn not_under_its_reason(
    bench: &Bench,
    found: &Found,
    seen: String,
    in_total: bool,
) -> Result<Verdict> {
    let seen = if in_total {
        format!("{seen}, the total by one more than all reasons")
    } else {
        seen
    };
    let misses_others = found.is_broken(Rule::Shortcuts) || found.is_broken(Rule::FastPaths);
    if !in_total && misses_others {
        return looks_like(
            "counting at a place that a failed entry does not reach",
            seen,
        );
    }
    let why = match bench.table.isa() {
        Isa::Vmx => "the full reason word as index, with bit 31 of a failed entry",
        Isa::Svm => "a table of exit codes without VMEXIT_INVALID, which is -1",
    };
    mistake(5, why, seen)
}
