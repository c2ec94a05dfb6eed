//! The rule of the registers that an answer is in.

use super::super::bench::Bench;
use super::super::guest::Step;
use super::super::leaves::POISON;
use super::super::shape::{HAMMER, Register, Shape};
use super::super::trouble::Result;
use super::verdict::{broken, holds, looks_like, mistake};
use exitlab_model::rule::Verdict;

/// Counts in eax, both empty answers as specified, cycles in ebx:ecx.
pub fn in_their_registers(bench: &Bench) -> Result<Verdict> {
    let shape = bench.shape();
    if let Some(wrong) = wrong_count(bench, &shape)? {
        return Ok(wrong);
    }
    if shape.swapped {
        return mistake(
            8,
            "the answers for undefined and for not enabled swapped",
            "reasons that nobody defines are answered with zeros, and defined ones that never \
             happened with edx 0xffffffff",
        );
    }
    if !shape.marks_undefined {
        let numbers: Vec<String> = bench.undefined().iter().map(u32::to_string).collect();
        let few = &numbers[..numbers.len().min(8)];
        return looks_like(
            "no answer for reasons that are not defined",
            format!("none of {} is answered with edx 0xffffffff", few.join(", ")),
        );
    }
    if shape.turned {
        return mistake(
            8,
            "ebx swapped with ecx in the leaves that return cycles",
            "read as ebx:ecx the cycles grow faster than time, read as ecx:ebx they do not",
        );
    }
    holds(format!("{HAMMER} CPUIDs counted as {HAMMER} in eax"))
}

fn wrong_count(bench: &Bench, shape: &Shape) -> Result<Option<Verdict>> {
    let by_reason = !bench.order.totals_only;
    let asked = bench.asked();
    let leaf = shape.leaf(asked);
    let title = bench.title(bench.reasons.cpuid);
    let verdict = match leaf.counts_in {
        Some(Register::Eax) if by_reason && leaf.ignores_ecx => mistake(
            8,
            "the reason is not taken from ecx",
            format!(
                "{HAMMER} CPUIDs raise the answer for reason {} as much as that for {title}",
                bench.title(bench.reasons.hlt)
            ),
        ),
        Some(Register::Eax) => return Ok(None),
        Some(register) => mistake(
            8,
            format!("{} confused with eax", register.name()),
            format!(
                "the count of CPUID exits is in {}, not in eax",
                register.name()
            ),
        ),
        None => uncounted(bench, asked, leaf.rise),
    };
    verdict.map(Some)
}

/// A count of CPUID exits that is not what was executed, in no register.
fn uncounted(bench: &Bench, leaf: u32, rise: u32) -> Result<Verdict> {
    let seen = format!("{HAMMER} CPUIDs and the reading raised leaf {leaf:#x} by {rise}");
    let mut vm = bench.maker.vm(1)?;
    let read = Step::cpuid(leaf, bench.reasons.cpuid, POISON);
    let again = vm.run(&[read, read])?;
    let alone = again[1].eax.wrapping_sub(again[0].eax);
    match rise {
        0 => looks_like("a counter that does not count, or another reason's", seen),
        _ if rise == 2 * (HAMMER + 1) => looks_like("each exit counted twice", seen),
        _ if alone > 1 => looks_like(
            "a number that is no count of this reason",
            format!("{seen}; two readings in a row differ by {alone}"),
        ),
        _ => broken(seen),
    }
}
