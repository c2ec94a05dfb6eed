//! The rule of the index: whatever a guest puts into ecx, the answer is safe.

use std::time::{Duration, Instant};

use super::super::bench::Bench;
use super::super::guest::{Answer, Step};
use super::super::leaves::{NOBODYS, POISON};
use super::super::shape::HAMMER;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{holds, looks_like, mistake};
use exitlab_model::rule::Verdict;

/// Every index below is tried.
const EVERY: usize = 0x1_0000;
/// Random indices of 32 bits that are tried after those.
const RANDOM: usize = 10_000;
/// Readings between two looks at the clock.
const PART: usize = 512;
/// How long one leaf may take, milliseconds of the host's clock: a kernel that prints a lot is
/// slow.
const BUDGET_MS: usize = 6000;

/// The answer to an index that nobody defines, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It carries data that belong to nobody who asks.
    Foreign(String),
    /// It is none at all: KVM's answer to a leaf that nobody defines.
    Unanswered(String),
}

/// Every index of 16 bits, then random ones of 32, after each defined one has been seen to
/// count its own exits.
pub fn every_index(bench: &Bench) -> Result<Verdict> {
    let index_why = "an index from the guest used before its range is checked";
    if let Some(seen) = neighbours(bench)? {
        return mistake(
            4,
            "an array of counters that ends before the index does",
            seen,
        );
    }
    let mut vm = bench.maker.vm(1)?;
    let mut leaves = vec![bench.map.count];
    if bench.shape().has_cycles(bench.map) {
        leaves.push(bench.map.cycles);
    }
    let (below, random) = (bench.often(EVERY), bench.often(RANDOM));
    let every: Vec<u32> = (0..below as u32).collect();
    let all = [every, Bench::random(random)].concat();
    let mut asked = 0;
    for leaf in &leaves {
        let (wrong, tried) = sweep(bench, &mut vm, *leaf, &all)?;
        match wrong {
            Some(Wrong::Foreign(seen)) => return mistake(4, index_why, seen),
            Some(Wrong::Unanswered(seen)) => {
                return looks_like("no answer for an index that no table has", seen);
            }
            None => asked += tried,
        }
    }
    let wanted = leaves.len() * all.len();
    if asked < wanted {
        return holds(format!(
            "{asked} readings of {wanted}: this kernel took too long for more"
        ));
    }
    holds(format!(
        "{asked} readings: every index below {below}, and {random} random ones of 32 bits"
    ))
}

/// Defined reasons whose answers follow something that is none of theirs: what lies behind
/// an array that is too short.
fn neighbours(bench: &Bench) -> Result<Option<String>> {
    let cpuid = bench.reasons.cpuid;
    let mut vm = bench.maker.vm(1)?;
    let defined = bench.table.defined().map(|reason| reason.number);
    let others: Vec<u32> = defined.filter(|reason| *reason != cpuid).collect();
    let pass: Vec<Step> = others
        .iter()
        .map(|reason| Step::read_count(bench.map, *reason))
        .collect();
    let steps = [&pass[..], &[Step::hammer(HAMMER)], &pass].concat();
    let answers = vm.run(&steps)?;
    let shape = bench.shape();
    let (before, after) = (&answers[..others.len()], &answers[others.len() + 1..]);
    let rises = before
        .iter()
        .zip(after)
        .map(|(before, after)| shape.count(after).wrapping_sub(shape.count(before)));
    let restless = bench.restless();
    let follows = others.iter().zip(rises).filter(|(reason, rise)| {
        // Nothing but CPUID exits so often; interrupts of the host are far fewer.
        *rise >= HAMMER || restless.contains(reason)
    });
    let follows: Vec<(u32, u32)> = follows.map(|(reason, rise)| (*reason, rise)).collect();
    // Where every reason follows, ecx is not read at all, which is for another rule.
    if follows.is_empty() || follows.len() * 2 > others.len() {
        return Ok(None);
    }
    let told = follows.iter().take(5).map(|(reason, rise)| {
        let title = bench.title(*reason);
        format!("reason {title} rose by {rise}")
    });
    let told: Vec<String> = told.collect();
    Ok(Some(format!(
        "while {HAMMER} CPUIDs and nothing else were executed, {}: what is read there is no \
         count of that reason",
        told.join(", ")
    )))
}

/// Reads a leaf with every index, as long as time allows: an answer that has no business
/// there, and how many indices were tried.
pub fn sweep(
    bench: &Bench,
    vm: &mut Vm,
    leaf: u32,
    indices: &[u32],
) -> Result<(Option<Wrong>, usize)> {
    let (started, budget) = (Instant::now(), bench.often(BUDGET_MS));
    let mut tried = 0;
    for part in indices.chunks(PART) {
        if started.elapsed() > Duration::from_millis(budget as u64) {
            break;
        }
        let step = |index: &u32| Step::cpuid(leaf, *index, POISON);
        let steps: Vec<Step> = part.iter().map(step).collect();
        let answers = vm.run(&steps)?;
        tried += part.len();
        let odd = part
            .iter()
            .zip(answers)
            .filter(|(index, answer)| bench.table.get(**index).is_none() && !answer.is_empty());
        for (index, answer) in odd.take(4) {
            if let Some(wrong) = look_closer(vm, leaf, *index, answer)? {
                return Ok((Some(wrong), tried));
            }
        }
    }
    Ok((None, tried))
}

/// What is wrong with an answer that should be empty; nothing if it is only a register that
/// was left as it was, which is for another rule.
fn look_closer(vm: &mut Vm, leaf: u32, index: u32, answer: Answer) -> Result<Option<Wrong>> {
    let nobodys = vm.run(&[Step::cpuid(NOBODYS, index, POISON)])?[0];
    let told = format!(
        "leaf {leaf:#x} with ecx {index:#x} answered {}; that reason is not defined",
        answer.shown()
    );
    if answer == nobodys {
        return Ok(Some(Wrong::Unanswered(told)));
    }
    let own = |value: u32, input: u32, left: u32| {
        value == 0 || value == u32::MAX || value == left || value == input
    };
    let left_over = own(answer.eax, leaf, nobodys.eax)
        && own(answer.ebx, POISON, nobodys.ebx)
        && own(answer.ecx, index, nobodys.ecx)
        && own(answer.edx, !POISON, nobodys.edx);
    Ok((!left_over).then_some(Wrong::Foreign(told)))
}
