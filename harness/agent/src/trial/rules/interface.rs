//! Rules of exitlab's own interface: statistics, status, leaf maps and switches. A kernel
//! without it is not judged by them.

use super::super::bench::Bench;
use super::super::guest::{Answer, PLAIN_PORT, Step};
use super::super::leaves::POISON;
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::range::sweep;
use super::verdict::{broken, holds, not_judged};
use exitlab_abi::{
    DISCOVERY, LEAF_MAPS, LeafMap, MAP_SHIFT, MAPPED, STATUS, STATUS_ENABLED, STATUS_NOT_ENABLED,
    STATUS_UNDEFINED,
};
use exitlab_model::reasons::EnabledBy;
use exitlab_model::rule::Verdict;

/// The histogram of the statistics.
const HISTOGRAM: &str = "exits_by_reason";
/// A leaf of the same range that nobody defines: KVM answers it as any it does not know.
const NOBODYS: u32 = 0x4fff_ffef;
/// Indices below this, and so many random ones, are tried with each leaf map.
const INDICES: u32 = 0x400;
const RANDOM: usize = 2000;

/// `exits_by_reason` of `KVM_GET_STATS_FD` has the same counts.
pub fn statistics(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(2)?;
    vm.run_all(&|_| vec![Step::out(PLAIN_PORT, 20), Step::hammer(100)])?;
    let counts = bench.counts(&mut vm)?;
    let Some(histogram) = counts.statistics.histogram(HISTOGRAM) else {
        return not_judged(format!("KVM has no statistic '{HISTOGRAM}'"));
    };
    for reason in bench.table.defined() {
        let slot = bench
            .table
            .slot(reason.number)
            .and_then(|at| histogram.get(at));
        let (leaf, slot) = (counts.of(reason.number), slot.copied().unwrap_or_default());
        if leaf != slot {
            return broken(format!(
                "reason {} ({}): the leaf says {leaf}, the statistic {slot}",
                reason.number, reason.name
            ));
        }
    }
    let sum: u64 = histogram.iter().sum();
    if sum != counts.exits() {
        return broken(format!(
            "the statistics of all reasons are {sum}, KVM's exits {}",
            counts.exits()
        ));
    }
    holds(format!("{sum} exits, the same for every reason"))
}

/// The status of a reason follows the controls in force for the VM that asks.
pub fn status(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    if !bench.has_discovery(&mut vm)? {
        return not_judged("this kernel has no discovery leaf");
    }
    vm.run(&[Step::out(PLAIN_PORT, 3), Step::sleep(10_000, 2)])?;
    let counts = bench.counts(&mut vm)?;
    let undefined = bench.undefined();
    let defined = bench.table.defined().map(|reason| reason.number);
    let numbers: Vec<u32> = undefined.into_iter().chain(defined).collect();
    let read = |number: &u32| Step::cpuid(STATUS, *number, POISON);
    let answers = vm.run(&numbers.iter().map(read).collect::<Vec<Step>>())?;
    let mut enabled = 0;
    for (number, answer) in numbers.into_iter().zip(answers) {
        let (status, count) = (answer.eax, counts.of(number));
        let wrong = match bench.table.get(number).map(|reason| reason.enabled_by) {
            None => status != STATUS_UNDEFINED,
            Some(EnabledBy::Always) => status != STATUS_ENABLED,
            Some(EnabledBy::Never) => status != STATUS_NOT_ENABLED,
            Some(_) => status == STATUS_UNDEFINED || (count > 0 && status != STATUS_ENABLED),
        };
        if wrong {
            return broken(format!(
                "reason {number} ({}), counted {count} times, has status {status}",
                bench.table.name(number)
            ));
        }
        enabled += u32::from(status == STATUS_ENABLED);
    }
    let hlt = bench.reasons.hlt;
    let mut alone = bench.maker.vm_that_halts_alone()?;
    let (with, without) = (status_of(&mut vm, hlt)?, status_of(&mut alone, hlt)?);
    if (with, without) != (STATUS_ENABLED, STATUS_NOT_ENABLED) {
        return broken(format!(
            "HLT has status {with} in a VM whose HLT exits, and {without} in one whose HLT does \
             not; expected {STATUS_ENABLED} and {STATUS_NOT_ENABLED}"
        ));
    }
    holds(format!(
        "{enabled} of {} reasons enabled; HLT only where the VM exits for it",
        bench.table.defined().len()
    ))
}

fn status_of(vm: &mut Vm, reason: u32) -> Result<u32> {
    Ok(vm.run(&[Step::cpuid(STATUS, reason, POISON)])?[0].eax)
}

/// Each map keeps count, cycles and totals where it should.
pub fn leaf_maps(bench: &Bench) -> Result<Verdict> {
    if !Switch::LeafMap.is_there() {
        return not_judged("this kernel has no switch for its leaf map");
    }
    let mut indices: Vec<u32> = (0..INDICES).collect();
    indices.extend(Bench::random(RANDOM));
    for map in LEAF_MAPS {
        let number = map.number;
        let _set = Switch::LeafMap.set(&number.to_string())?;
        if let Some(wrong) = wrong_in_map(bench, map, &indices)? {
            return broken(format!("leaf map {number}: {wrong}"));
        }
    }
    for bad in ["0", "4", "1x"] {
        if Switch::LeafMap.write(bad).is_ok() {
            return broken(format!("the kernel took '{bad}' for a leaf map"));
        }
    }
    holds(format!(
        "counts, totals and {} indices right in maps 1, 2 and 3",
        indices.len()
    ))
}

fn wrong_in_map(bench: &Bench, map: LeafMap, indices: &[u32]) -> Result<Option<String>> {
    let mut vm = bench.maker.vm(1)?;
    let said = vm.run(&[Step::cpuid(DISCOVERY, 0, POISON)])?[0].ebx >> MAP_SHIFT & 0xff;
    if said != u32::from(map.number) {
        return Ok(Some(format!("the discovery leaf says map {said}")));
    }
    let count = vm.run(&[Step::hammer(50), Step::read_count(map, bench.reasons.cpuid)])?[1];
    if count.count() != vm.cpuids {
        let (counted, executed) = (count.count(), vm.cpuids);
        return Ok(Some(format!("{executed} CPUIDs read {counted}")));
    }
    let counts = bench_with(bench, map).counts(&mut vm)?;
    if counts.total != counts.sum() {
        let (total, sum) = (counts.total, counts.sum());
        return Ok(Some(format!("the total is {total}, the sum {sum}")));
    }
    for leaf in [map.count, map.cycles] {
        if let Some(wrong) = sweep(bench, &mut vm, leaf, indices)? {
            return Ok(Some(wrong));
        }
    }
    Ok(None)
}

fn bench_with(bench: &Bench, map: LeafMap) -> Bench {
    Bench {
        maker: bench.maker.clone(),
        table: bench.table.clone(),
        map,
        reasons: bench.reasons,
    }
}

/// With the leaves off, none differs from a leaf that nobody defines; counting goes on.
pub fn switched_off(bench: &Bench) -> Result<Verdict> {
    if !Switch::Leaves.is_there() {
        return not_judged("this kernel has no switch for its leaves");
    }
    let mut vm = bench.maker.vm(1)?;
    let leaves = [DISCOVERY, STATUS].into_iter().chain(MAPPED..MAPPED + 4);
    let off = Switch::Leaves.set("N")?;
    for leaf in leaves {
        for ecx in [0, bench.reasons.cpuid, bench.an_undefined(), u32::MAX] {
            let steps = [
                Step::cpuid(leaf, ecx, POISON),
                Step::cpuid(NOBODYS, ecx, POISON),
            ];
            let answers: Vec<Answer> = vm.run(&steps)?;
            if answers[0] != answers[1] {
                return broken(format!(
                    "leaf {leaf:#x} with ecx {ecx:#x} answers {}, as no unpatched KVM does",
                    answers[0].shown()
                ));
            }
        }
    }
    drop(off);
    let count = vm.run(&[Step::read_count(bench.map, bench.reasons.cpuid)])?[0].count();
    if count != vm.cpuids {
        return broken(format!(
            "{} CPUIDs, some while the leaves were off, read {count} afterwards",
            vm.cpuids
        ));
    }
    holds("six leaves answer as one that nobody defines, and counting went on")
}
