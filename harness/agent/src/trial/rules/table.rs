//! The rule of which reasons are defined: the mildest, since manuals differ.

use std::collections::BTreeSet;

use super::super::bench::Bench;
use super::super::guest::Step;
use super::super::trouble::Result;
use super::verdict::{holds, looks_like, not_judged};
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::rule::Verdict;

/// Numbers of VMX that are asked for, which no manual defines yet.
const BEYOND: u32 = 10;
/// Numbers that are listed of each kind.
const LISTED: usize = 40;

/// The reasons that are answered as defined are those of one manual.
pub fn of_a_manual(bench: &Bench) -> Result<Verdict> {
    if !bench.shape().marks_undefined {
        return not_judged("no reason is answered as undefined");
    }
    let (asked, defined) = ask(bench)?;
    let table = bench.table;
    let manuals: Vec<u16> = match bench.order.sdm {
        Some(year) => vec![year],
        None => table.years(),
    };
    // The latest of those that fit equally well.
    let fits = manuals.iter().rev().map(|year| {
        let of_manual = numbers(&table.up_to(*year));
        Fit::new(*year, &of_manual, &asked, &defined)
    });
    let Some(best) = fits.min_by_key(Fit::deviations) else {
        return not_judged("there is no manual to compare with");
    };
    let manual = match table.isa() {
        Isa::Vmx => "SDM",
        Isa::Svm => "APM",
    };
    let year = best.year;
    if best.deviations() == 0 {
        let newer = numbers(table).difference(&defined).count();
        let later = match newer {
            0 => String::new(),
            newer => format!("; the current one defines {newer} more"),
        };
        return holds(format!(
            "the {} reasons of the {manual} of {year}{later}",
            defined.len()
        ));
    }
    let labels = |numbers: &BTreeSet<u32>| listed(table.isa(), numbers);
    let mut seen = format!("fits the {manual} of {year} best");
    if !best.missing.is_empty() {
        seen += &format!(
            "; answered as undefined, but defined: {}",
            labels(&best.missing)
        );
    }
    if !best.extra.is_empty() {
        seen += &format!(
            "; answered as defined, but undefined: {}",
            labels(&best.extra)
        );
    }
    looks_like("a table of reasons written by hand", seen)
}

/// How a kernel's table deviates from a manual's.
struct Fit {
    year: u16,
    missing: BTreeSet<u32>,
    extra: BTreeSet<u32>,
}

impl Fit {
    fn new(
        year: u16,
        manual: &BTreeSet<u32>,
        asked: &BTreeSet<u32>,
        defined: &BTreeSet<u32>,
    ) -> Fit {
        let manual = manual.intersection(asked).copied().collect();
        Fit {
            year,
            missing: &manual - defined,
            extra: defined - &manual,
        }
    }

    fn deviations(&self) -> usize {
        self.missing.len() + self.extra.len()
    }
}

fn numbers(table: &ReasonTable) -> BTreeSet<u32> {
    table.defined().map(|reason| reason.number).collect()
}

/// What was asked for, and which of it is answered as defined.
fn ask(bench: &Bench) -> Result<(BTreeSet<u32>, BTreeSet<u32>)> {
    let table = bench.table;
    let mut asked = numbers(table);
    asked.extend(bench.undefined());
    if table.isa() == Isa::Vmx {
        asked.extend(table.last() + 1..=table.last() + BEYOND);
    }
    let mut vm = bench.maker.vm(1)?;
    let read = |number: &u32| Step::read_count(bench.map, *number);
    let answers = vm.run(&asked.iter().map(read).collect::<Vec<Step>>())?;
    let shape = bench.shape();
    let pairs = asked.iter().copied().zip(answers);
    let defined = pairs.filter(|(_, answer)| !shape.is_undefined(answer));
    let defined = defined.map(|(number, _)| number).collect();
    Ok((asked, defined))
}

/// Numbers as their manual writes them, runs as `36-39`.
fn listed(isa: Isa, numbers: &BTreeSet<u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let shown = |(first, last): &(u32, u32)| match last - first {
        0 => isa.label(*first),
        1 => format!("{}, {}", isa.label(*first), isa.label(*last)),
        _ => format!("{}-{}", isa.label(*first), isa.label(*last)),
    };
    let few: Vec<String> = runs.iter().take(LISTED).map(shown).collect();
    let more = if runs.len() > LISTED { ", …" } else { "" };
    few.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(defined: impl IntoIterator<Item = u32>) -> Fit {
        let table = ReasonTable::vmx();
        let asked: BTreeSet<u32> = (0..96).collect();
        let defined: BTreeSet<u32> = defined.into_iter().collect();
        let years = table.years();
        let fits = years
            .iter()
            .rev()
            .map(|year| Fit::new(*year, &numbers(&table.up_to(*year)), &asked, &defined));
        fits.min_by_key(Fit::deviations).unwrap()
    }

    #[test]
    fn the_table_of_the_assignment_is_the_manual_of_2020() {
        let fit = best((0..=68).filter(|n| ![35, 38, 42, 65].contains(n)));
        assert_eq!((fit.year, fit.deviations()), (2020, 0));
        let fit = best((0..=69).filter(|n| ![35, 38, 42, 65].contains(n)));
        assert_eq!((fit.year, fit.deviations()), (2021, 0));
    }

    #[test]
    fn what_deviates_from_the_closest_manual_is_named() {
        let fit = best((0..=68).filter(|n| ![5, 35, 38].contains(n)));
        assert_eq!(fit.year, 2020);
        assert_eq!(listed(Isa::Vmx, &fit.missing), "5");
        assert_eq!(listed(Isa::Vmx, &fit.extra), "42, 65");
    }

    #[test]
    fn runs_of_numbers_are_written_as_such() {
        let numbers = BTreeSet::from([1, 3, 4, 7, 8, 9]);
        assert_eq!(listed(Isa::Vmx, &numbers), "1, 3, 4, 7-9");
        assert_eq!(listed(Isa::Svm, &BTreeSet::from([0x72])), "0x072");
    }
}
