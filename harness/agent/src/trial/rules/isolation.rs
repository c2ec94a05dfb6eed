//! Rules of several vCPUs and VMs.

use super::super::bench::Bench;
use super::super::guest::{Answer, PLAIN_PORT, Step};
use super::super::leaves::POISON;
use super::super::shape::Shape;
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{holds, mistake, not_judged};
use crate::clock::tsc;
use exitlab_model::rule::Verdict;

/// CPUID instructions of the VM that is busy while another is calm.
const BUSY: u32 = 1000;
/// Readings in a row that tell how much a calm VM's count rises by itself.
const LEAST: u32 = BUSY / 2;

/// Two VMs run turn by turn; what one does raises no count of the other, and a third that is
/// new begins at 0.
pub fn per_vm(bench: &Bench) -> Result<Verdict> {
    let _on = Switch::cycles_on()?;
    let mut busy = bench.maker.vm(1)?;
    let mut calm = bench.maker.vm(1)?;
    let mut shared = Vec::new();
    let mut seen = Vec::new();
    for (leaf, what) in counts(bench) {
        let before = read(bench, &mut calm, leaf)?;
        busy.run(&[Step::hammer(BUSY)])?;
        let after = read(bench, &mut calm, leaf)?;
        let rise = after.wrapping_sub(before);
        let told =
            format!("{what} of a calm VM rose by {rise} while another executed {BUSY} CPUIDs");
        if rise >= LEAST {
            shared.push(told);
        } else {
            seen.push(told);
        }
        let executed = bench.maker.vm(1)?;
        let (executed, first) = first_of(bench, executed, leaf)?;
        if first >= executed + LEAST {
            shared.push(format!(
                "a new VM that executed {executed} CPUIDs reads {first}"
            ));
        }
    }
    shared.extend(cycles_of_others(bench, &mut busy)?);
    if shared.is_empty() {
        return match seen.is_empty() {
            true => not_judged("no leaf of a count is answered"),
            false => holds(seen.join("; ")),
        };
    }
    let shared = shared.join("; ");
    if bench.order.all_vms {
        return holds(format!(
            "counters of all VMs together, which this form allows: {shared}"
        ));
    }
    mistake(7, "counters that all VMs share, never reset", shared)
}

/// The leaves that count CPUID exits, among others.
fn counts(bench: &Bench) -> Vec<(u32, &'static str)> {
    let (map, shape) = (bench.map, bench.shape());
    let mut leaves = vec![(map.total_count, "the total")];
    if !bench.order.totals_only {
        leaves.insert(0, (map.count, "the count of CPUID exits"));
    }
    leaves.retain(|(leaf, _)| shape.answers(*leaf));
    leaves
}

fn read(bench: &Bench, vm: &mut Vm, leaf: u32) -> Result<u32> {
    let answers = vm.run(&[Step::cpuid(leaf, bench.reasons.cpuid, POISON)])?;
    Ok(bench.shape().count(&answers[0]))
}

/// What a VM executed since it was made, and the first count that it reads.
fn first_of(bench: &Bench, mut vm: Vm, leaf: u32) -> Result<(u32, u32)> {
    let first = read(bench, &mut vm, leaf)?;
    Ok((vm.cpuids as u32, first))
}

/// Cycles in a new VM that are more than its age, and not more than the host's.
fn cycles_of_others(bench: &Bench, busy: &mut Vm) -> Result<Option<String>> {
    let shape = bench.shape();
    if !shape.answers(bench.map.total_cycles) {
        return Ok(None);
    }
    busy.run(&[Step::out(PLAIN_PORT, BUSY)])?;
    let born = tsc();
    let mut vm = bench.maker.vm(1)?;
    let read = Step::cpuid(bench.map.total_cycles, 0, POISON);
    let answers = vm.run(&[Step::out(PLAIN_PORT, 10), read])?;
    let (age, cycles) = (tsc().wrapping_sub(born), shape.cycles(&answers[1]));
    let of_the_host = tsc();
    Ok((age < cycles && cycles <= of_the_host)
        .then(|| format!("a new VM that is {age} cycles old reads {cycles} cycles")))
}

/// What each vCPU asks for again and again while the others ask for something else.
pub fn mixed_up(bench: &Bench) -> Result<Option<String>> {
    const READINGS: usize = 2000;
    let map = bench.map;
    if bench.order.totals_only {
        return Ok(None);
    }
    // One answer is undefined, one a count, one empty, one a total.
    let total = match bench.shape().answers(map.total_count) {
        true => (map.total_count, 0),
        false => (map.count, bench.reasons.cpuid),
    };
    let asked = [
        (map.count, bench.an_undefined()),
        (map.count, bench.reasons.cpuid),
        (map.count, bench.reasons.hlt),
        total,
    ];
    let ask = |vcpu: usize| {
        let (leaf, ecx) = asked[vcpu];
        Step::cpuid(leaf, ecx, POISON)
    };
    let mut vm = bench.maker.vm(asked.len() as u32)?;
    let alone = vm.run(&[0, 1, 2, 3].map(ask))?;
    let readings = bench.often(READINGS);
    let at_once = vm.run_all(&|vcpu| vec![ask(vcpu); readings])?;
    let shape = bench.shape();
    for (vcpu, answers) in at_once.iter().enumerate() {
        let grows = [1, 3].contains(&vcpu);
        let same = |answer: &&Answer| !is_same(&shape, grows, &alone[vcpu], answer);
        if let Some(wrong) = answers.iter().find(same) {
            let (leaf, ecx) = asked[vcpu];
            return Ok(Some(format!(
                "while other vCPUs asked for other reasons, leaf {leaf:#x} with ecx {ecx:#x} \
                 answered {} instead of {}",
                wrong.shown(),
                alone[vcpu].shown()
            )));
        }
    }
    Ok(None)
}

/// Whether an answer is one to the same question: of a reason that is defined or is not, with
/// a count that is the same, or has grown. What else is in its registers is for other rules.
fn is_same(shape: &Shape, grows: bool, alone: &Answer, at_once: &Answer) -> bool {
    let (before, after) = (shape.count(alone), shape.count(at_once));
    shape.is_undefined(alone) == shape.is_undefined(at_once)
        && if grows {
            after >= before
        } else {
            after == before
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_vcpus_answer_is_known_by_its_kind_and_its_count() {
        let answer = |eax, edx| Answer {
            eax,
            ebx: 0,
            ecx: 0,
            edx,
        };
        let shape = Shape::default();
        let (count, undefined) = (answer(900, 0), answer(0, u32::MAX));
        assert!(is_same(&shape, true, &count, &answer(950, 0)));
        assert!(is_same(&shape, true, &count, &answer(950, 0x5555)));
        assert!(!is_same(&shape, true, &count, &answer(0, 0)));
        assert!(!is_same(&shape, true, &count, &undefined));
        assert!(is_same(&shape, false, &undefined, &undefined));
        assert!(!is_same(&shape, false, &undefined, &count));
        assert!(!is_same(&shape, false, &answer(0, 0), &count));
    }
}
