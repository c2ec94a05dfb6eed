//! Rules of exitlab's own interface: statistics, status, leaf maps and switches. A kernel
//! without it is not judged by them.

use super::super::bench::Bench;
use super::super::guest::{Answer, PLAIN_PORT, Step};
use super::super::leaves::{NOBODYS, POISON};
use super::super::look;
use super::super::shape::Shape;
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::found::Found;
use super::range::{Wrong, sweep};
use super::verdict::{broken, holds, looks_like, not_judged};
use exitlab_abi::{
    DISCOVERY, LEAF_MAPS, LeafMap, MAP_SHIFT, MAPPED, STATUS, STATUS_ENABLED, STATUS_NOT_ENABLED,
    STATUS_UNDEFINED,
};
use exitlab_model::reasons::EnabledBy;
use exitlab_model::rule::{Rule, Verdict};

/// The histogram of the statistics.
const HISTOGRAM: &str = "exits_by_reason";
/// Indices below this, and so many random ones, are tried with each leaf map.
const INDICES: usize = 0x400;
const RANDOM: usize = 2000;

/// `exits_by_reason` of `KVM_GET_STATS_FD` rises as the leaves do.
pub fn statistics(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(2)?;
    let before = bench.counts(&mut vm)?;
    // One after the other: what is lost between them is for another rule.
    vm.run_each(&[Step::out(PLAIN_PORT, 20), Step::hammer(100)])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    let Some(histogram) = rise.histogram(HISTOGRAM) else {
        return not_judged(format!("KVM has no statistic '{HISTOGRAM}'"));
    };
    for (reason, leaf) in &rise.by_reason {
        let slot = bench.table.slot(*reason).and_then(|at| histogram.get(at));
        let slot = slot.copied().unwrap_or_default();
        if *leaf != slot {
            return looks_like(
                "two sets of counters, counted at different places",
                format!(
                    "reason {}: the leaf rose by {leaf}, the statistic by {slot}",
                    bench.title(*reason)
                ),
            );
        }
    }
    let sum: u64 = histogram.iter().sum();
    holds(format!("{sum} exits, the same for every reason"))
}

/// The status of a reason follows the controls in force for the VM that asks.
pub fn status(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    if !bench.has_discovery(&mut vm)? {
        return not_judged("this kernel has no discovery leaf");
    }
    let before = bench.counts(&mut vm)?;
    vm.run(&[Step::out(PLAIN_PORT, 3), Step::sleep(10_000, 2)])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    let undefined = bench.undefined();
    let defined = bench.table.defined().map(|reason| reason.number);
    let numbers: Vec<u32> = undefined.into_iter().chain(defined).collect();
    let read = |number: &u32| Step::cpuid(STATUS, *number, POISON);
    let answers = vm.run(&numbers.iter().map(read).collect::<Vec<Step>>())?;
    let mut enabled = 0;
    for (number, answer) in numbers.into_iter().zip(answers) {
        let (status, count) = (answer.eax, rise.of(number));
        let wrong = match bench.table.get(number).map(|reason| reason.enabled_by) {
            None => status != STATUS_UNDEFINED,
            Some(EnabledBy::Always) => status != STATUS_ENABLED,
            Some(EnabledBy::Never) => status != STATUS_NOT_ENABLED,
            Some(_) => status == STATUS_UNDEFINED || (count > 0 && status != STATUS_ENABLED),
        };
        if wrong {
            return looks_like(
                "a list of enabled reasons written by hand",
                format!(
                    "reason {}, counted {count} times, has status {status}",
                    bench.title(number)
                ),
            );
        }
        enabled += u32::from(status == STATUS_ENABLED);
    }
    let hlt = bench.reasons.hlt;
    let mut alone = bench.maker.vm_that_halts_alone()?;
    let seen = format!(
        "{enabled} of {} reasons enabled",
        bench.table.defined().len()
    );
    let inherited = alone.run(&[Step::read_count(bench.map, hlt)])?[0];
    if bench.shape().count(&inherited) > 0 {
        // What has happened is enabled; that another VM's exits show is for another rule.
        return holds(format!("{seen}; a VM that never halted counts HLT"));
    }
    let (with, without) = (status_of(&mut vm, hlt)?, status_of(&mut alone, hlt)?);
    if (with, without) != (STATUS_ENABLED, STATUS_NOT_ENABLED) {
        return looks_like(
            "a list of enabled reasons written by hand",
            format!(
                "HLT has status {with} in a VM whose HLT exits, and {without} in one whose HLT \
                 does not; expected {STATUS_ENABLED} and {STATUS_NOT_ENABLED}"
            ),
        );
    }
    holds(format!("{seen}; HLT only where the VM exits for it"))
}

fn status_of(vm: &mut Vm, reason: u32) -> Result<u32> {
    Ok(vm.run(&[Step::cpuid(STATUS, reason, POISON)])?[0].eax)
}

/// Each map keeps count, cycles and totals where it should.
pub fn leaf_maps(bench: &Bench, found: &Found) -> Result<Verdict> {
    if !Switch::LeafMap.is_there() {
        return not_judged("this kernel has no switch for its leaf map");
    }
    // What is wrong in one map already, is no mistake of the others.
    let mut indices: Vec<u32> = (0..bench.often(INDICES) as u32).collect();
    indices.extend(Bench::random(bench.often(RANDOM)));
    if found.is_broken(Rule::Range) {
        indices.clear();
    }
    let totals = !found.is_broken(Rule::Totals);
    let harmful = found.is_broken(Rule::Leaves);
    for map in LEAF_MAPS {
        let number = map.number;
        let _set = Switch::LeafMap.set(&number.to_string())?;
        let mapped = bench.with_map(map);
        let seen = look::see_rest(look::see(&mapped)?, &mapped)?;
        if let (_, Some((leaf, harm))) = &seen {
            let told = format!(
                "leaf map {number}: leaf {leaf:#x} was read: {}",
                harm.told()
            );
            return if harmful {
                not_judged(told)
            } else {
                broken(told)
            };
        }
        if let Some(wrong) = wrong_in_map(bench, map, seen.0, &indices, totals)? {
            let why = "leaf numbers mixed up between the maps";
            return looks_like(why, format!("leaf map {number}: {wrong}"));
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

fn wrong_in_map(
    bench: &Bench,
    map: LeafMap,
    shape: Shape,
    indices: &[u32],
    totals: bool,
) -> Result<Option<String>> {
    let bench = bench.with_map(map);
    bench.learn(shape.clone());
    let mut vm = bench.maker.vm(1)?;
    let said = vm.run(&[Step::cpuid(DISCOVERY, 0, POISON)])?[0].ebx >> MAP_SHIFT & 0xff;
    if said != u32::from(map.number) {
        return Ok(Some(format!("the discovery leaf says map {said}")));
    }
    let read = Step::read_count(map, bench.reasons.cpuid);
    let answers = vm.run(&[read, Step::hammer(50), read])?;
    let rise = shape
        .count(&answers[2])
        .wrapping_sub(shape.count(&answers[0]));
    if rise != 51 {
        return Ok(Some(format!("51 CPUIDs raised the count by {rise}")));
    }
    let before = bench.counts(&mut vm)?;
    vm.run(&[Step::hammer(50)])?;
    let rise = bench.counts(&mut vm)?.since(&before);
    if totals && shape.answers(map.total_count) && rise.total != rise.sum() {
        let (total, sum) = (rise.total, rise.sum());
        return Ok(Some(format!("the total rose by {total}, the sum by {sum}")));
    }
    for leaf in [map.count, map.cycles] {
        match sweep(&bench, &mut vm, leaf, indices)?.0 {
            Some(Wrong::Foreign(wrong) | Wrong::Unanswered(wrong)) => return Ok(Some(wrong)),
            None => {}
        }
    }
    Ok(None)
}

/// With the leaves off, none differs from a leaf that nobody defines; counting goes on.
pub fn switched_off(bench: &Bench) -> Result<Verdict> {
    if !Switch::Leaves.is_there() {
        return not_judged("this kernel has no switch for its leaves");
    }
    let mut vm = bench.maker.vm(1)?;
    let read = Step::read_count(bench.map, bench.reasons.cpuid);
    let before = vm.run(&[read])?[0];
    let asked = vm.cpuids;
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
                return looks_like(
                    "leaves that are answered although they are switched off",
                    format!(
                        "leaf {leaf:#x} with ecx {ecx:#x} answers {}, as no unpatched KVM does",
                        answers[0].shown()
                    ),
                );
            }
        }
    }
    drop(off);
    let after = vm.run(&[read])?[0];
    let shape = bench.shape();
    let counted = shape.count(&after).wrapping_sub(shape.count(&before));
    let executed = vm.cpuids - asked;
    if u64::from(counted) != executed {
        return broken(format!(
            "{executed} CPUIDs, most of them while the leaves were off, raised the count by \
             {counted}"
        ));
    }
    holds("six leaves answer as one that nobody defines, and counting went on")
}
