//! Rules of a single answer: is there a census, and is each register what it should be?

use super::super::bench::Bench;
use super::super::guest::{Answer, PLAIN_PORT, Step};
use super::super::leaves::POISON;
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{broken, holds};
use crate::clock::tsc;
use exitlab_abi::{
    CYCLES_ON, DISCOVERY, ISA_SVM, ISA_VMX, SIGNATURE, STATUS, STATUS_ENABLED, UNDEFINED,
};
use exitlab_model::reasons::EnabledBy;
use exitlab_model::rule::Verdict;

/// CPUID instructions that one count is tried with.
const HAMMER: u32 = 1000;

/// An undefined reason is answered as only a census answers it.
pub fn present(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let reason = bench.an_undefined();
    let answer = vm.run(&[Step::read_count(bench.map, reason)])?[0];
    let leaf = bench.map.count;
    // Only edx: what the others carry is for the rules about registers.
    if answer.edx != UNDEFINED && !swapped(bench, &mut vm)? {
        return broken(format!(
            "leaf {leaf:#x} answers the undefined reason {reason} with {}; expected edx \
             {UNDEFINED:#x} and 0 in the others",
            answer.shown()
        ));
    }
    let own = if bench.has_discovery(&mut vm)? {
        "with exitlab's discovery leaf"
    } else {
        "without exitlab's discovery leaf"
    };
    holds(format!("leaf map {}, {own}", bench.map.number))
}

/// A kernel that confuses the two empty answers has a census, if a wrong one: it says
/// undefined of a reason that is defined, and its count of CPUID counts.
fn swapped(bench: &Bench, vm: &mut Vm) -> Result<bool> {
    let read = Step::read_count(bench.map, bench.reasons.cpuid);
    let answers = vm.run(&[read, Step::hammer(HAMMER), read])?;
    let rise = answers[2].eax.wrapping_sub(answers[0].eax);
    Ok(rise == HAMMER + 1)
}

/// Counts in eax, both empty answers as specified, cycles in ebx:ecx.
pub fn in_their_registers(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    if let Some(wrong) = wrong_count(bench, &mut vm)? {
        return broken(wrong);
    }
    if let Some(wrong) = wrong_kind(bench, &mut vm)? {
        return broken(wrong);
    }
    if let Some(wrong) = wrong_cycles(bench)? {
        return broken(wrong);
    }
    let (defined, undefined) = (bench.table.defined().len(), bench.undefined().len());
    holds(format!(
        "{HAMMER} CPUIDs counted as {HAMMER}; {defined} defined and {undefined} undefined reasons told apart"
    ))
}

/// A reason that is answered as undefined and is not, or the other way round.
fn wrong_kind(bench: &Bench, vm: &mut Vm) -> Result<Option<String>> {
    let indices = indices(bench);
    let read = |reason: &u32| Step::read_count(bench.map, *reason);
    let answers = vm.run(&indices.iter().map(read).collect::<Vec<Step>>())?;
    for (number, answer) in indices.into_iter().zip(answers) {
        let reason = bench.table.get(number);
        let never = reason.is_some_and(|reason| reason.enabled_by == EnabledBy::Never);
        let wrong = match reason {
            Some(_) => answer.edx == UNDEFINED || (never && answer.count() != 0),
            None => !answer.is_undefined(),
        };
        if wrong {
            return Ok(Some(format!(
                "reason {number} ({}) is {} and answered {}",
                bench.table.name(number),
                match (reason.is_some(), never) {
                    (false, _) => "not defined",
                    (true, true) => "defined but never enabled",
                    (true, false) => "defined",
                },
                answer.shown()
            )));
        }
    }
    Ok(None)
}

fn wrong_count(bench: &Bench, vm: &mut Vm) -> Result<Option<String>> {
    let read = Step::read_count(bench.map, bench.reasons.cpuid);
    let answers = vm.run(&[read, Step::hammer(HAMMER), read])?;
    let rise = |register: fn(&Answer) -> u32| {
        register(&answers[2]).wrapping_sub(register(&answers[0])) == HAMMER + 1
    };
    if rise(|a| a.eax) {
        return Ok(None);
    }
    let elsewhere = if rise(|a| a.ebx) {
        "ebx"
    } else if rise(|a| a.ecx) {
        "ecx"
    } else if rise(|a| a.edx) {
        "edx"
    } else {
        let (before, after) = (answers[0].eax, answers[2].eax);
        return Ok(Some(format!(
            "{HAMMER} CPUIDs and the reading raised the count of reason {} from {before} to \
             {after}",
            bench.reasons.cpuid
        )));
    };
    Ok(Some(format!(
        "the count of CPUID exits is in {elsewhere}, not in eax"
    )))
}

/// A VM younger than 2^32 cycles has spent fewer than that: its high half is 0.
fn wrong_cycles(bench: &Bench) -> Result<Option<String>> {
    let _on = match Switch::Cycles.is_there() {
        true => Some(Switch::Cycles.set("Y")?),
        false => None,
    };
    let born = tsc();
    let mut vm = bench.maker.vm(1)?;
    let total = Step::cpuid(bench.map.total_cycles, 0, POISON);
    let answer = vm.run(&[Step::out(PLAIN_PORT, 100), total])?[1];
    let age = tsc().wrapping_sub(born);
    let counts_no_cycles = answer.cycles() == 0;
    if counts_no_cycles || answer.cycles() <= age {
        return Ok(None);
    }
    let turned = u64::from(answer.ecx) << 32 | u64::from(answer.ebx);
    Ok(Some(if turned <= age {
        format!("total cycles have ebx and ecx swapped: {}", answer.shown())
    } else {
        let cycles = answer.cycles();
        format!("{cycles} cycles were counted in a VM that is {age} cycles old")
    }))
}

/// Registers that an answer does not name are 0, whatever they held before.
pub fn nothing_left_over(bench: &Bench) -> Result<Verdict> {
    let _on = match Switch::Cycles.is_there() {
        true => Some(Switch::Cycles.set("Y")?),
        false => None,
    };
    let mut vm = bench.maker.vm(1)?;
    let has_own_leaves = bench.has_discovery(&mut vm)?;
    let leaves = leaves(bench, &mut vm, has_own_leaves)?;
    let mut asked = Vec::new();
    let mut steps = Vec::new();
    for reason in indices(bench) {
        for poison in [POISON, !POISON, reason] {
            for (leaf, kind) in &leaves {
                asked.push((*leaf, *kind, reason));
                // Other leaves' answers in between, so that the host's stack holds other data.
                steps.push(Step::cpuid(0x4000_0000, 0, poison));
                steps.push(Step::cpuid(0, reason, poison));
                steps.push(Step::cpuid(*leaf, reason, poison));
            }
        }
    }
    let answers = vm.run(&steps)?;
    let last_of_three = answers.into_iter().skip(2).step_by(3);
    for ((leaf, kind, reason), answer) in asked.iter().zip(last_of_three) {
        if let Some(register) = left_over(*kind, answer) {
            return broken(format!(
                "leaf {leaf:#x} with ecx {reason:#x} left something in {register}: {}",
                answer.shown()
            ));
        }
    }
    holds(format!("{} answers with poisoned registers", asked.len()))
}

/// What an answer may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count,
    Cycles,
    Totals,
    Status,
    Discovery,
}

fn leaves(bench: &Bench, vm: &mut Vm, own: bool) -> Result<Vec<(u32, Kind)>> {
    let map = bench.map;
    let mut leaves = vec![(map.count, Kind::Count)];
    if map.shares_totals() {
        leaves.push((map.total_count, Kind::Totals));
    } else {
        leaves.push((map.total_count, Kind::Count));
        leaves.push((map.total_cycles, Kind::Cycles));
    }
    let cycles = vm.run(&[Step::read_cycles(map, bench.an_undefined())])?[0];
    if cycles.edx == UNDEFINED {
        leaves.push((map.cycles, Kind::Cycles));
    }
    if own {
        leaves.extend([(STATUS, Kind::Status), (DISCOVERY, Kind::Discovery)]);
    }
    Ok(leaves)
}

/// Which of the two empty answers an edx belongs to is a question for another rule: here
/// it is left over only if it belongs to neither.
fn left_over(kind: Kind, answer: Answer) -> Option<&'static str> {
    let Answer { eax, ebx, ecx, edx } = answer;
    let strange = |edx: u32| edx != 0 && edx != UNDEFINED;
    let undefined = edx == UNDEFINED;
    match kind {
        Kind::Count => match () {
            () if ebx != 0 => Some("ebx"),
            () if ecx != 0 => Some("ecx"),
            () if strange(edx) => Some("edx"),
            () => None,
        },
        Kind::Cycles | Kind::Totals => match () {
            () if kind == Kind::Cycles && eax != 0 => Some("eax"),
            () if undefined && ebx != 0 => Some("ebx"),
            () if undefined && ecx != 0 => Some("ecx"),
            () if strange(edx) => Some("edx"),
            () => None,
        },
        Kind::Status => match () {
            () if eax > STATUS_ENABLED => Some("eax"),
            () if ebx != 0 => Some("ebx"),
            () if ecx != 0 => Some("ecx"),
            () if edx != 0 => Some("edx"),
            () => None,
        },
        Kind::Discovery => match () {
            () if eax != SIGNATURE => Some("eax"),
            () if ebx >= CYCLES_ON << 1 => Some("ebx"),
            () if ![ISA_VMX, ISA_SVM].contains(&ecx) => Some("ecx"),
            () if edx > 0xffff => Some("edx"),
            () => None,
        },
    }
}

/// Every defined reason, and some that are not.
fn indices(bench: &Bench) -> Vec<u32> {
    let defined = bench.table.defined().map(|reason| reason.number);
    defined.chain(bench.undefined()).collect()
}
