//! The rule of the index: whatever a guest puts into ecx, the answer is safe.

use super::super::bench::Bench;
use super::super::guest::{Answer, Step};
use super::super::leaves::POISON;
use super::super::trouble::Result;
use super::super::vm::{MOST_STEPS, Vm};
use super::verdict::{broken, holds};
use exitlab_abi::UNDEFINED;
use exitlab_model::rule::Verdict;

/// Every index below is tried.
const EVERY: u32 = 0x1_0000;
/// Random indices of 32 bits that are tried after those.
const RANDOM: usize = 10_000;

/// Every index of 16 bits, then random ones of 32.
pub fn every_index(bench: &Bench) -> Result<Verdict> {
    let mut vm = bench.maker.vm(1)?;
    let mut leaves = vec![bench.map.count];
    if vm.run(&[Step::read_cycles(bench.map, bench.an_undefined())])?[0].edx == UNDEFINED {
        leaves.push(bench.map.cycles);
    }
    let every: Vec<u32> = (0..EVERY).collect();
    let random = Bench::random(RANDOM);
    let mut asked = 0;
    for leaf in &leaves {
        for indices in [&every, &random] {
            if let Some(wrong) = sweep(bench, &mut vm, *leaf, indices)? {
                return broken(wrong);
            }
            asked += indices.len();
        }
    }
    holds(format!(
        "{asked} readings: every index below {EVERY}, and {RANDOM} random ones of 32 bits"
    ))
}

/// Reads a leaf with every index, and finds an answer that has no business there.
pub fn sweep(bench: &Bench, vm: &mut Vm, leaf: u32, indices: &[u32]) -> Result<Option<String>> {
    for part in indices.chunks(MOST_STEPS) {
        let step = |index: &u32| Step::cpuid(leaf, *index, POISON);
        let steps: Vec<Step> = part.iter().map(step).collect();
        let answers = vm.run(&steps)?;
        let foreign = |(index, answer): &(&u32, Answer)| is_foreign(bench, **index, *answer);
        if let Some((index, answer)) = part.iter().zip(answers).find(foreign) {
            return Ok(Some(format!(
                "leaf {leaf:#x} with ecx {index:#x} answered {}; that reason {}",
                answer.shown(),
                if bench.table.get(*index).is_some() {
                    "is defined"
                } else {
                    "is not defined"
                }
            )));
        }
    }
    Ok(None)
}

/// An answer with data for a reason that is not defined, or none for one that is.
fn is_foreign(bench: &Bench, index: u32, answer: Answer) -> bool {
    match bench.table.get(index) {
        Some(_) => answer.edx == UNDEFINED,
        None => !answer.is_empty(),
    }
}
