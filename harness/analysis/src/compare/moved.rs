//! What moved below a reason: the answer to why it differs.

use std::collections::{BTreeMap, BTreeSet};

use super::below::{Item, Tally, Told};
use super::counts::{CellCounts, PhaseCounts, mean};
use super::plan_key::PLAN;
use crate::figures::Kind;

/// Things below a reason that are kept by name, of those of a kind that moved the most.
const MOST: usize = 20;

/// A difference of means below this is none.
const NOTHING: f64 = 1e-6;

/// What moved of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The kind.
    pub kind: Kind,
    /// What moved, the farthest first; at most 20.
    pub items: Vec<Move>,
    /// How many more moved.
    pub others: usize,
    /// By how much these did, together.
    pub rest: f64,
    /// How much of the reason's change none of the kind tells.
    pub untold: f64,
}

/// One thing that moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// As rules name it: `write port 0x3f8`, or a function.
    pub spelling: String,
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// How often in the base, on average.
    pub base: f64,
    /// How often in the head, on average.
    pub head: f64,
}

impl Move {
    /// How many more there are in the head.
    pub fn change(&self) -> f64 {
        self.head - self.base
    }

    /// `write port 0x3f8 (COM1)`
    pub fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", self.spelling),
            None => self.spelling.clone(),
        }
    }
}

impl Moved {
    /// The first `most` that moved, and how many others moved by how much.
    pub fn top(&self, most: usize) -> (&[Move], usize, f64) {
        // One thing takes no more room by its name than as an other.
        let most = match self.items.len() + self.others {
            all if all == most + 1 => all.min(self.items.len()),
            _ => most.min(self.items.len()),
        };
        let (shown, further) = self.items.split_at(most);
        let rest = further.iter().map(Move::change).sum::<f64>() + self.rest;
        (shown, further.len() + self.others, rest)
    }
}

/// What moved below a reason in a phase, by kind; nothing of a kind that not both sides tell.
pub(crate) fn moved(
    (base, before): (&CellCounts, &PhaseCounts),
    (head, after): (&CellCounts, &PhaseCounts),
    reason: u32,
) -> Vec<Moved> {
    let mut kinds: BTreeMap<Kind, BTreeMap<&Item, [Option<&Tally>; 2]>> = BTreeMap::new();
    for (side, phase) in [before, after].into_iter().enumerate() {
        for (item, tally) in phase.below.of(reason) {
            kinds.entry(item.kind).or_default().entry(item).or_default()[side] = Some(tally);
        }
    }
    let change =
        mean(&after.exits(reason, head.repeats)) - mean(&before.exits(reason, base.repeats));
    kinds.retain(|kind, _| base.told.agree(&head.told, *kind));
    let mut moved: Vec<Moved> = Vec::new();
    // What the exit itself tells comes to the tracepoint's count of the same moment, which is a
    // few exits off what another channel reads a moment later.
    let mut exits = change;
    for (kind, items) in kinds.into_iter().rev() {
        let of = |tally: Option<&Tally>| tally.map_or(0.0, |tally| mean(&tally.counts));
        let items = items.into_iter().map(|(item, [base, head])| Move {
            spelling: item.spelling.clone(),
            name: head.or(base).and_then(|tally| tally.name.clone()),
            base: of(base),
            head: of(head),
        });
        let mut items: Vec<Move> = items.collect();
        items.retain(|item| item.change().abs() > NOTHING);
        if kind.is_of_the_exit() {
            exits = items.iter().fold(0.0, |sum, item| sum + item.change());
        }
        if !items.is_empty() {
            moved.push(of_kind(kind, items, (reason, exits)));
        }
    }
    moved.reverse();
    moved
}

fn of_kind(kind: Kind, mut items: Vec<Move>, (reason, change): (u32, f64)) -> Moved {
    // Stable: equals stay in the order of their words.
    items.sort_by(|one, other| other.change().abs().total_cmp(&one.change().abs()));
    let sum = |items: &[Move]| items.iter().fold(0.0, |sum, item| sum + item.change());
    let untold = change - sum(&items);
    // Devices in memory are a part of SVM's nested page faults.
    let is_part = kind == Kind::Mmio && reason == 0x400;
    let rest = items.split_off(items.len().min(MOST));
    Moved {
        kind,
        items,
        others: rest.len(),
        rest: sum(&rest),
        untold: if is_part || untold.abs() < NOTHING {
            0.0
        } else {
            untold
        },
    }
}

/// Why nothing is said of what moved, where one side could say it.
pub(crate) fn unknown(base: &CellCounts, head: &CellCounts) -> Vec<String> {
    let has = |told: &Told, places: bool| {
        let mut sources = told.sources.iter();
        sources.any(|source| Kind::Place.sources().contains(source) == places)
    };
    let mut notes = Vec::new();
    for (what, key, places) in [("details", "detail", false), ("places", "places", true)] {
        let (of_base, of_head) = (has(&base.told, places), has(&head.told, places));
        if of_base != of_head {
            let [with, without] = match of_base {
                true => ["base", "head"],
                false => ["head", "base"],
            };
            let plan = format!("{PLAN}sampling.{key}");
            let asked = |cell: &CellCounts| cell.facts.0.get(&plan).cloned();
            let effect = match asked(base) == asked(head) {
                true => "; of a run that has them, save the baseline again",
                false => {
                    ": a host that counts them is slower at each exit, so counts differ by that"
                }
            };
            notes.push(format!(
                "the {with} has {what} (sampling.{key}) and the {without} has none, so what moved \
                 below the reasons is not known{effect}"
            ));
        }
    }
    if has(&base.told, true) && has(&head.told, true) && base.told.named != head.told.named {
        notes.push(
            "places have names on one side only, and are not compared: the other side's guest \
             told no symbols"
                .to_owned(),
        );
    }
    let lacks: BTreeSet<&str> = kinds_apart(&base.told, &head.told);
    if !lacks.is_empty() && has(&base.told, false) && has(&head.told, false) {
        let lacks: Vec<&str> = lacks.into_iter().collect();
        notes.push(format!(
            "counted on one side only, for the other host's kernel lacks it: {}",
            lacks.join(", ")
        ));
    }
    notes
}

fn kinds_apart(base: &Told, head: &Told) -> BTreeSet<&'static str> {
    let apart = base.sources.symmetric_difference(&head.sources);
    let apart: Vec<_> = apart.collect();
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Place);
    kinds
        .filter(|kind| kind.sources().iter().any(|source| apart.contains(&source)))
        .map(Kind::plural)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::compare::fixture::{cell_of, side};
    use crate::compare::{Settings, Verdict, compare};
    use crate::figures::fixture::{detailed, placed};

    fn more(cell: &mut CellCounts, spelling: &str, exits: u64) {
        let below = &mut cell.phases[0].below.0;
        let mut found = below.iter_mut();
        let (item, tally) = found.find(|(item, _)| item.spelling == spelling).unwrap();
        tally.counts[0] += exits;
        let reason = item.reason;
        cell.phases[0].reasons.get_mut(&reason).unwrap().exits[0] += exits;
    }

    #[test]
    fn what_moved_the_farthest_comes_first() {
        let (base, mut head) = (cell_of(&detailed()), cell_of(&detailed()));
        more(&mut head, "write port 0x3f8", 8_723);
        more(&mut head, "read port 0x3fd", 9_550);
        let found = compare(&side("a", base), &side("b", head), &Settings::default()).unwrap();
        let finding = &found.cells[0].findings[0];
        assert_eq!((finding.reason, finding.verdict), (30, Verdict::Differs));
        let [ports] = &finding.moved[..] else {
            panic!("{:?}", finding.moved)
        };
        let told: Vec<_> = ports
            .items
            .iter()
            .map(|m| (m.words(), m.change()))
            .collect();
        let expected = [
            ("read port 0x3fd (COM1)".to_owned(), 9_550.0),
            ("write port 0x3f8 (COM1)".to_owned(), 8_723.0),
        ];
        assert_eq!(told, expected);
        assert_eq!((ports.others, ports.untold), (0, 0.0));
        let rest = found.cells[0].findings.iter().skip(1);
        assert!(rest.clone().all(|finding| finding.moved.is_empty()));
        assert!(
            found.cells[0].notes.is_empty(),
            "{:?}",
            found.cells[0].notes
        );
    }

    #[test]
    fn many_are_summed_and_what_none_tells_is_said() {
        let items = (0..50).map(|at| Move {
            spelling: format!("port {at}"),
            name: None,
            base: 0.0,
            head: f64::from(100 - at),
        });
        let moved = of_kind(Kind::Port, items.collect(), (30, 4_000.0));
        assert_eq!((moved.items.len(), moved.others), (MOST, 30));
        assert_eq!(
            moved.untold,
            4_000.0 - (51..=100).map(f64::from).sum::<f64>()
        );
        let (shown, others, rest) = moved.top(4);
        assert_eq!((shown.len(), others), (4, 46));
        assert_eq!(rest, (51..=96).map(f64::from).sum::<f64>());
        let five = Moved {
            items: moved.items[..5].to_vec(),
            others: 0,
            rest: 0.0,
            ..moved
        };
        assert_eq!(five.top(4).1, 0, "the fifth is named");
    }

    #[test]
    fn of_what_one_side_does_not_tell_nothing_is_said() {
        let plain = crate::compare::fixture::cell(exitlab_model::reasons::Isa::Vmx, false);
        let mut with = cell_of(&detailed());
        more(&mut with, "write port 0x3f8", 5);
        for (base, head) in [(&plain, &with), (&with, &plain)] {
            let (base, head) = (side("a", base.clone()), side("b", head.clone()));
            let found = compare(&base, &head, &Settings::default()).unwrap();
            let cell = &found.cells[0];
            assert!(cell.findings.iter().all(|finding| finding.moved.is_empty()));
            let note = cell
                .notes
                .iter()
                .find(|note| note.contains("sampling.detail"));
            assert!(note.is_some(), "{:?}", cell.notes);
            let plan = cell
                .differences
                .iter()
                .any(|d| d.name == "plan sampling.detail");
            assert!(plan, "{:?}", cell.differences);
        }
        let named = cell_of(&placed());
        let mut nameless = named.clone();
        nameless.told.named = false;
        more(&mut nameless, "0xfe05b", 5);
        let found = compare(
            &side("a", named),
            &side("b", nameless),
            &Settings::default(),
        );
        let cell = &found.unwrap().cells[0];
        assert!(cell.findings.iter().all(|finding| finding.moved.is_empty()));
        assert!(cell.notes[0].contains("names on one side only"));
    }
}
