//! The rule of what is left over in registers.

use super::super::bench::Bench;
use super::super::guest::{Answer, Step};
use super::super::leaves::{NOBODYS, POISON};
use super::super::shape::{Register, Shape};
use super::super::switches::Switch;
use super::super::trouble::Result;
use super::super::vm::Vm;
use super::verdict::{holds, mistake};
use exitlab_abi::UNDEFINED;
use exitlab_abi::{CYCLES_ON, DISCOVERY, ISA_SVM, ISA_VMX, SIGNATURE, STATUS, STATUS_ENABLED};
use exitlab_model::rule::Verdict;

/// Registers that an answer does not name are 0, whatever they held before.
pub fn nothing_left_over(bench: &Bench) -> Result<Verdict> {
    let _on = Switch::cycles_on()?;
    let shape = bench.shape();
    let mut vm = bench.maker.vm(1)?;
    let leaves = leaves(bench, &shape, bench.has_discovery(&mut vm)?);
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
        let Some(register) = left_over(*kind, &shape, *leaf, &answer) else {
            continue;
        };
        let seen = format!(
            "leaf {leaf:#x} with ecx {reason:#x} left something in {}: {}",
            register.name(),
            answer.shown()
        );
        let why = origin(&mut vm, *leaf, *reason, register)?;
        return mistake(3, why, seen);
    }
    holds(format!("{} answers with poisoned registers", asked.len()))
}

/// Where it is from that a register holds.
fn origin(vm: &mut Vm, leaf: u32, reason: u32, register: Register) -> Result<&'static str> {
    let answers = vm.run(&[
        Step::cpuid(0, reason, POISON),
        Step::cpuid(leaf, reason, POISON),
        Step::cpuid(leaf, reason, !POISON),
        Step::cpuid(NOBODYS, reason, POISON),
    ])?;
    let [before, first, second, nobodys] = [0, 1, 2, 3].map(|at| register.of(&answers[at]));
    let input = |poison: u32| match register {
        Register::Eax => leaf,
        Register::Ecx => reason,
        Register::Ebx => poison,
        Register::Edx => !poison,
    };
    Ok(match () {
        () if first == input(POISON) && second == input(!POISON) => {
            "a register returned without being set: what the caller had in it comes back"
        }
        () if first == nobodys => {
            "a register returned as CPUID answers for a leaf that nobody defines, without being set"
        }
        () if first == before => {
            "a register returned without being set: the answer to the CPUID before comes back"
        }
        () => "a register returned without being set",
    })
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

/// The leaves that are answered; whether one is, is for another rule.
fn leaves(bench: &Bench, shape: &Shape, own: bool) -> Vec<(u32, Kind)> {
    let map = bench.map;
    let mut leaves = Vec::new();
    if map.shares_totals() {
        leaves.push((map.total_count, Kind::Totals));
    } else {
        leaves.push((map.total_count, Kind::Count));
        leaves.push((map.total_cycles, Kind::Cycles));
    }
    if !bench.order.totals_only {
        leaves.extend([(map.count, Kind::Count), (map.cycles, Kind::Cycles)]);
    }
    leaves.retain(|(leaf, _)| shape.answers(*leaf));
    if own {
        leaves.extend([(STATUS, Kind::Status), (DISCOVERY, Kind::Discovery)]);
    }
    leaves
}

/// A register that an answer does not name, and that holds something. Which of the two empty
/// answers an edx belongs to, and whether a count is in the wrong register, are questions for
/// another rule.
fn left_over(kind: Kind, shape: &Shape, leaf: u32, answer: &Answer) -> Option<Register> {
    let Answer { eax, ebx, ecx, edx } = *answer;
    let undefined = edx == UNDEFINED;
    let filled = match kind {
        Kind::Count => vec![
            (Register::Eax, eax == leaf),
            (Register::Ebx, ebx != 0),
            (Register::Ecx, ecx != 0),
            (Register::Edx, edx != 0 && !undefined),
        ],
        Kind::Cycles | Kind::Totals => vec![
            (
                Register::Eax,
                eax == leaf || (kind == Kind::Cycles && eax != 0),
            ),
            (Register::Ebx, undefined && ebx != 0),
            (Register::Ecx, undefined && ecx != 0),
            (Register::Edx, edx != 0 && !undefined),
        ],
        Kind::Status => vec![
            (Register::Eax, eax > STATUS_ENABLED),
            (Register::Ebx, ebx != 0),
            (Register::Ecx, ecx != 0),
            (Register::Edx, edx != 0),
        ],
        Kind::Discovery => vec![
            (Register::Eax, eax != SIGNATURE),
            (Register::Ebx, ebx >= CYCLES_ON << 1),
            (Register::Ecx, ![ISA_VMX, ISA_SVM].contains(&ecx)),
            (Register::Edx, edx > 0xffff),
        ],
    };
    let counted = |register: Register| {
        matches!(kind, Kind::Count | Kind::Totals)
            && register == shape.count_in
            && register != Register::Eax
    };
    let mut filled = filled.into_iter();
    let found = filled.find(|(register, filled)| *filled && !counted(*register));
    found.map(|(register, _)| register)
}

/// Every defined reason, and some that are not.
fn indices(bench: &Bench) -> Vec<u32> {
    let defined = bench.table.defined().map(|reason| reason.number);
    defined.chain(bench.undefined()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: u32 = 0x4fff_fffe;

    fn answer(eax: u32, ebx: u32, ecx: u32, edx: u32) -> Answer {
        Answer { eax, ebx, ecx, edx }
    }

    #[test]
    fn an_answer_that_was_never_written_shows_in_its_count() {
        let found = |answer| left_over(Kind::Count, &Shape::default(), LEAF, &answer);
        assert_eq!(found(answer(7, 0, 0, 0)), None);
        assert_eq!(found(answer(0, 0, 0, UNDEFINED)), None);
        assert_eq!(found(answer(LEAF, 0, 0, 0)), Some(Register::Eax));
        assert_eq!(found(answer(7, 0, 9, 0)), Some(Register::Ecx));
        assert_eq!(found(answer(7, 0, 0, 9)), Some(Register::Edx));
    }

    #[test]
    fn a_count_in_the_wrong_register_is_not_left_over() {
        let shape = Shape {
            count_in: Register::Ecx,
            ..Shape::default()
        };
        let found = |answer| left_over(Kind::Count, &shape, LEAF, &answer);
        assert_eq!(found(answer(0, 0, 9, 0)), None);
        assert_eq!(found(answer(0, 3, 9, 0)), Some(Register::Ebx));
    }

    #[test]
    fn cycles_have_two_registers_and_no_eax() {
        let found = |kind, answer| left_over(kind, &Shape::default(), LEAF, &answer);
        assert_eq!(found(Kind::Cycles, answer(0, 1, 2, 0)), None);
        assert_eq!(found(Kind::Cycles, answer(1, 1, 2, 0)), Some(Register::Eax));
        assert_eq!(found(Kind::Totals, answer(1, 1, 2, 0)), None);
        assert_eq!(
            found(Kind::Cycles, answer(0, 1, 2, UNDEFINED)),
            Some(Register::Ebx)
        );
    }
}
