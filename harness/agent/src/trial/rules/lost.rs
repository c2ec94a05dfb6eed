//! The rule of vCPUs that count at the same time.

use super::super::bench::Bench;
use super::super::guest::{PLAIN_PORT, Step};
use super::super::leaves::POISON;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::isolation::mixed_up;
use super::verdict::{holds, mistake, not_judged};
use exitlab_model::rule::Verdict;

/// vCPUs that execute at the same time.
const VCPUS: u32 = 4;
/// Bursts of each, some of which are left out of a quick look, and CPUID instructions of a burst.
const BURSTS: usize = 1000;
const BURST: u32 = 10;
/// Every so many bursts there are exits of two other reasons.
const OTHERS: usize = 5;
/// Longest pause between two bursts, TSC ticks: more than one exit takes.
const PAUSE: u32 = 4000;
/// How often each reason is tried alone.
const ALONE: u32 = 20;

/// Four vCPUs exit for several reasons; every exit is counted, and every answer is the
/// asker's own. What cannot be seen from outside is looked for in the kernel's code.
pub fn none_lost(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(VCPUS)?;
    let mut seen = Vec::new();
    let mut lost = Vec::new();
    let before = snapshot(bench, &mut vm)?;
    vm.run(&[
        Step::out(PLAIN_PORT, ALONE),
        Step::set_timer_mode(ALONE),
        Step::hammer(ALONE),
    ])?;
    let alone = snapshot(bench, &mut vm)?;
    let many = bench.often(BURSTS);
    vm.run_all(&|vcpu| bursts(vcpu, many))?;
    let after = snapshot(bench, &mut vm)?;
    let others = VCPUS * (many / OTHERS) as u32;
    // Each run ends with one OUT, and the snapshot before is a run, too.
    let (once, at_once) = ([ALONE + 2, ALONE], [others + 1 + VCPUS, others]);
    let alone_of = alone.executed(&before, once);
    let executed = after.executed(&alone, at_once);
    for (at, what) in before.what.iter().enumerate() {
        let rise = |later: &Snapshot, earlier: &Snapshot| {
            later.counts[at].wrapping_sub(earlier.counts[at])
        };
        // What is not counted even alone, is lost for another reason.
        if rise(&alone, &before) < alone_of[at] {
            continue;
        }
        let (times, counted) = (executed[at], rise(&after, &alone));
        let told = format!("{what}: {times} executed, {counted} counted");
        if counted < times {
            lost.push(told);
        } else {
            seen.push(told);
        }
    }
    conclude(bench, &lost, &seen)
}

fn conclude(bench: &Bench, lost: &[String], seen: &[String]) -> Result<Verdict> {
    let code = bench.code();
    let places = code
        .as_ref()
        .map_or(String::new(), |code| code.shared.join("; "));
    if !lost.is_empty() {
        let why = "counters of 32 bits, or shared between vCPUs without care";
        let found = match &*places {
            "" => String::new(),
            places => format!("; in the kernel's code {places}"),
        };
        let lost = lost.join("; ");
        return mistake(6, why, format!("{VCPUS} vCPUs at once: {lost}{found}"));
    }
    if let Some(mixed) = mixed_up(bench)? {
        let why = "answers kept in variables that vCPUs share";
        return mistake(6, why, mixed);
    }
    if !places.is_empty() {
        let why = "counters that vCPUs share and a plain increment, which loses counts where \
                   processors run at the same time";
        return mistake(6, why, format!("in the kernel's code {places}"));
    }
    if seen.is_empty() {
        return not_judged("no exit of a vCPU alone is counted exactly");
    }
    let seen = seen.join("; ");
    holds(match code {
        Ok(code) => format!(
            "{VCPUS} vCPUs at once: {seen}; no plain increment of what is shared in {}",
            code.functions
        ),
        Err(why) => {
            format!("{VCPUS} vCPUs at once: {seen}; the kernel's code was not read: {why}")
        }
    })
}

/// Some counts, CPUID's last, and how many CPUIDs had been executed when it was read.
struct Snapshot {
    what: Vec<&'static str>,
    counts: Vec<u32>,
    cpuids: u64,
}

impl Snapshot {
    /// What was executed since an earlier one, in the order of the counts: `[OUTs, WRMSRs]`
    /// are known, CPUIDs are counted. One of a total has only the sum.
    fn executed(&self, earlier: &Snapshot, [outs, writes]: [u32; 2]) -> Vec<u32> {
        let cpuids = (self.cpuids - earlier.cpuids) as u32;
        match self.counts.len() {
            1 => vec![outs + writes + cpuids],
            _ => vec![outs, writes, cpuids],
        }
    }
}

fn snapshot(bench: &Bench, vm: &mut Vm) -> Result<Snapshot> {
    let reasons = bench.reasons;
    let (what, steps) = if bench.order.totals_only {
        let total = Step::cpuid(bench.map.total_count, 0, POISON);
        (vec!["all exits"], vec![total])
    } else {
        let read = |reason| Step::read_count(bench.map, reason);
        let asked = [reasons.io, reasons.wrmsr, reasons.cpuid];
        (vec!["OUT", "WRMSR", "CPUID"], asked.map(read).to_vec())
    };
    let answers = vm.run(&steps)?;
    let shape = bench.shape();
    Ok(Snapshot {
        what,
        counts: answers.iter().map(|answer| shape.count(answer)).collect(),
        cpuids: vm.cpuids,
    })
}

/// What a vCPU executes: bursts at moments that differ for each vCPU. Processors that
/// take turns evenly, as emulated ones do, would otherwise stay in step for ever and never
/// meet in the same place.
fn bursts(vcpu: usize, many: usize) -> Vec<Step> {
    let pauses = Bench::random(many * VCPUS as usize);
    let own = pauses.chunks(many).nth(vcpu).unwrap_or_default();
    let mut steps = Vec::new();
    for (at, pause) in own.iter().enumerate() {
        steps.extend([Step::spin(pause % PAUSE), Step::hammer(BURST)]);
        if at % OTHERS == 0 {
            steps.extend([Step::out(PLAIN_PORT, 1), Step::set_timer_mode(1)]);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_executes_what_it_is_counted_for() {
        for many in [BURSTS, BURSTS / 8] {
            let others = many / OTHERS;
            let steps = bursts(3, many);
            assert_eq!(steps.len(), 2 * many + 2 * others);
            let cpuids: u64 = steps.iter().map(Step::cpuids).sum();
            assert_eq!(cpuids, many as u64 * u64::from(BURST));
            assert_ne!(bursts(0, many), bursts(1, many));
        }
    }

    #[test]
    fn a_total_counts_all_that_was_executed() {
        let snapshot = |counts: &[u32], cpuids| Snapshot {
            what: Vec::new(),
            counts: counts.to_vec(),
            cpuids,
        };
        let executed =
            |counts: &[u32]| snapshot(counts, 30).executed(&snapshot(counts, 10), [5, 7]);
        assert_eq!(executed(&[0]), [32]);
        assert_eq!(executed(&[0, 0, 0]), [5, 7, 20]);
    }
}
