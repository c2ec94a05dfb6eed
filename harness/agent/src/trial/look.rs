//! Looking at a kernel's answers, to learn their shape.

use exitlab_abi::MAPPED;
use exitlab_model::reasons::Isa;

use super::bench::Bench;
use super::guest::{Answer, PLAIN_PORT, Step};
use super::leaves::{NOBODYS, POISON};
use super::shape::{HAMMER, Leaf, Register, Shape, turned};
use super::switches::Switch;
use super::trouble::{Result, Trouble};
use super::vm::Vm;
use crate::clock::tsc;

/// Exits whose time is tried.
const TIMED: u32 = 100;
/// What a count may rise by on top, for interrupts of the host, where it is a total.
const SLACK: u32 = 50;

/// Looks at the answers of the leaf that counts; the others are taken for a right
/// kernel's until [`see_rest`].
pub fn see(bench: &Bench) -> Result<Shape> {
    let mut vm = bench.maker.vm(1)?;
    let asked = bench.asked();
    let mut shape = Shape::default();
    let seen = see_leaf(bench, &mut vm, asked)?;
    shape.count_in = seen.counts_in.unwrap_or_default();
    shape.set(asked, seen);
    if !bench.order.totals_only && seen.answered {
        (shape.swapped, shape.marks_undefined) = see_empty(bench, &mut vm)?;
    }
    Ok(shape)
}

/// Looks at the other leaves, each with a VM of its own. One that does the host harm is
/// taken for one that is not answered, so that it is not asked again; the first harm is
/// returned.
pub fn see_rest(mut shape: Shape, bench: &Bench) -> Result<(Shape, Option<(u32, Trouble)>)> {
    let _on = Switch::cycles_on()?;
    let mut harm = None;
    for leaf in (MAPPED..MAPPED + 4).filter(|leaf| *leaf != bench.asked()) {
        let seen = bench
            .maker
            .vm(1)
            .and_then(|mut vm| see_leaf(bench, &mut vm, leaf));
        let seen = seen.unwrap_or_else(|trouble| {
            harm.get_or_insert((leaf, trouble));
            Leaf::default()
        });
        shape.set(leaf, seen);
    }
    let mut vm = bench.maker.vm(1)?;
    for leaf in [bench.map.total_cycles, bench.map.cycles] {
        if shape.answers(leaf) && !shape.turned {
            shape.turned = is_turned(bench, &mut vm, leaf)?;
        }
    }
    Ok((shape, harm))
}

fn see_leaf(bench: &Bench, vm: &mut Vm, leaf: u32) -> Result<Leaf> {
    // Nothing here halts: that reason rises only where ecx is not looked at.
    let (cpuid, other) = (bench.reasons.cpuid, bench.reasons.hlt);
    let asked = [cpuid, other, bench.an_undefined()];
    let pairs: Vec<Step> = asked
        .iter()
        .flat_map(|ecx| [leaf, NOBODYS].map(|leaf| Step::cpuid(leaf, *ecx, POISON)))
        .collect();
    let answers = vm.run(&pairs)?;
    if answers.chunks(2).all(|pair| pair[0] == pair[1]) {
        return Ok(Leaf::default());
    }
    let read = [cpuid, other].map(|ecx| Step::cpuid(leaf, ecx, POISON));
    let [first, second] = read;
    let answers = vm.run(&[second, first, Step::hammer(HAMMER), first, second])?;
    let rise = |register: Register, before: &Answer, after: &Answer| {
        register.of(after).wrapping_sub(register.of(before))
    };
    let expected = HAMMER + 1..HAMMER + SLACK;
    let counts =
        |register: &Register| expected.contains(&rise(*register, &answers[1], &answers[3]));
    let in_eax = rise(Register::Eax, &answers[1], &answers[3]);
    let register = Register::ALL.into_iter().find(counts);
    let of_other = rise(register.unwrap_or_default(), &answers[0], &answers[4]);
    Ok(Leaf {
        answered: true,
        counts_in: register,
        rise: in_eax,
        ignores_ecx: (HAMMER..2 * HAMMER).contains(&of_other),
    })
}

/// Whether the two empty answers are swapped, and whether undefined is answered at all.
fn see_empty(bench: &Bench, vm: &mut Vm) -> Result<(bool, bool)> {
    let mut undefined = bench.undefined();
    // Right behind the table, and no farther: a kernel may not look at the index.
    undefined.extend(beyond(bench));
    let defined: Vec<u32> = bench.table.defined().map(|reason| reason.number).collect();
    let all = [&undefined[..], &defined].concat();
    let read = |reason: &u32| Step::read_count(bench.map, *reason);
    let answers = vm.run(&all.iter().map(read).collect::<Vec<Step>>())?;
    let (of_undefined, of_defined) = answers.split_at(undefined.len());
    let says = |answer: &&Answer| answer.is_undefined();
    let said = of_undefined.iter().filter(says).count();
    let empty = of_defined.iter().filter(|a| a.eax == 0).count();
    let said_of_defined = of_defined.iter().filter(says).count();
    // Nearly every reason has the count 0 in a VM that has done nothing.
    let swapped = said == 0 && said_of_defined * 2 > empty;
    Ok((swapped, said > 0 || swapped))
}

/// The first number that follows a table which has no gaps to speak of.
fn beyond(bench: &Bench) -> Option<u32> {
    (bench.table.isa() == Isa::Vmx).then(|| bench.table.last() + 1)
}

/// Whether a leaf's cycles have their halves swapped: what they rose by in a while must fit
/// into the while, one way or the other.
fn is_turned(bench: &Bench, vm: &mut Vm, leaf: u32) -> Result<bool> {
    let read = Step::cpuid(leaf, bench.reasons.io, POISON);
    let started = tsc();
    let answers = vm.run(&[read, Step::out(PLAIN_PORT, TIMED), read])?;
    let most = tsc().wrapping_sub(started);
    let rise = |cycles: fn(&Answer) -> u64| cycles(&answers[2]).wrapping_sub(cycles(&answers[0]));
    let (right, wrong) = (rise(Answer::cycles), rise(turned));
    Ok(right > most && (1..=most).contains(&wrong))
}
