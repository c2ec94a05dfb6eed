//! What a baseline keeps of what is below the reasons: everything that was counted, where that
//! is not too much for a file that is read by people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use toml::Spanned;

use super::line::{Numbers, numbers, reason, reason_key};
use crate::compare::{Below, CellCounts, Item, PhaseCounts, Tally, Told};
use crate::figures::Kind;
use exitlab_base::foreign::toml;
use exitlab_base::toml::{Problem, Text, Wrong};
use exitlab_model::reasons::Isa;
use exitlab_model::record::Source;

/// So many things of a kind are kept of a reason in a phase. Of a histogram that has more,
/// nothing is: half of it would make the rest look like news.
const MOST: usize = 1_000;

/// Lines of one reason, as the file has them.
pub(super) type Lines = BTreeMap<Spanned<String>, Spanned<Numbers>>;

/// The histograms that are kept of a cell.
pub(super) fn kept(cell: &CellCounts) -> BTreeSet<Source> {
    let mut many: BTreeMap<(&str, u32, Kind), usize> = BTreeMap::new();
    for phase in &cell.phases {
        for item in phase.below.0.keys() {
            *many
                .entry((&phase.name, item.reason, item.kind))
                .or_default() += 1;
        }
    }
    let too_many = many.iter().filter(|(_, items)| **items > MOST);
    let too_many: BTreeSet<&Source> = too_many
        .flat_map(|((.., kind), _)| kind.sources())
        .collect();
    let sources = cell.told.sources.iter().copied();
    sources
        .filter(|source| !too_many.contains(source))
        .collect()
}

/// Writes which histograms follow, if there are some.
pub(super) fn write_told(text: &mut String, cell: &CellCounts) {
    let kept = kept(cell);
    if kept.is_empty() {
        return;
    }
    let names = kept
        .iter()
        .filter_map(|source| serde_json::to_string(source).ok());
    let names: Vec<String> = names.collect();
    let _ = writeln!(text, "counted = [{}]", names.join(", "));
    if cell.told.named {
        *text += "places_named = true\n";
    }
}

/// Writes what is below each reason of a phase.
pub(super) fn write_phase(text: &mut String, phase: &PhaseCounts, cell: &CellCounts) {
    let kept = kept(cell);
    let is_kept = |item: &Item| {
        item.kind
            .sources()
            .iter()
            .any(|source| kept.contains(source))
    };
    let mut before = None;
    for (item, tally) in phase.below.0.iter().filter(|(item, _)| is_kept(item)) {
        if before != Some(item.reason) {
            let reason = reason_key(item.reason, cell.isa);
            let (phase, reason) = (toml(&phase.name), toml(&reason));
            let _ = writeln!(text, "\n[cell.below.{phase}.{reason}]");
            before = Some(item.reason);
        }
        let key = format!("{}: {}", item.kind.name(), tally.words(item));
        let _ = writeln!(text, "{} = {}", toml(&key), numbers(&tally.counts));
    }
}

/// What a cell says is told.
pub(super) fn told(counted: &[Source], named: bool) -> Told {
    Told {
        sources: counted.iter().copied().collect(),
        named,
    }
}

/// Reads what is below the reasons of a phase.
pub(super) fn read(
    text: &Text,
    reasons: &BTreeMap<Spanned<String>, Lines>,
    (repeats, told, isa): (usize, &Told, Isa),
) -> Result<Below, Problem> {
    let mut below = Below::default();
    for (key, lines) in reasons {
        let number = reason(text, key)?;
        if exitlab_model::reasons::ReasonTable::of(isa)
            .get(number)
            .is_none()
        {
            let wrong = Wrong::new("no reason of this cell", "give one of its instruction set");
            return Err(text.section(key.get_ref(), key, wrong));
        }
        for (words, given) in lines {
            let (item, name) = item(number, words.get_ref()).ok_or_else(|| {
                let cure = "write it as `exitlab baseline` does: \"port: write port 0x3f8 (COM1)\"";
                text.section(words.get_ref(), words, Wrong::new("names no detail", cure))
            })?;
            if !told.has(item.kind) {
                let wrong = Wrong::new(
                    "the cell does not say that such details were counted",
                    "add their histogram to counted, or save the baseline again",
                );
                return Err(text.section(words.get_ref(), words, wrong));
            }
            let counts = given.get_ref().each(repeats).ok_or_else(|| {
                let wrong = Wrong::new(
                    format!("not one number for each of {repeats} repeats"),
                    "give one number for all, or a list with one for each",
                );
                text.problem(words.get_ref(), given, wrong)
            })?;
            if below.0.insert(item, Tally { name, counts }).is_some() {
                let wrong = Wrong::new("this detail a second time", "keep one of the two");
                return Err(text.section(words.get_ref(), words, wrong));
            }
        }
    }
    Ok(below)
}

/// `port: write port 0x3f8 (COM1)`
fn item(reason: u32, key: &str) -> Option<(Item, Option<String>)> {
    let (kind, words) = key.split_once(": ")?;
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
    let nameless = kind == Kind::PageFault || kind == Kind::Place && !words.starts_with("0x");
    let named = words
        .strip_suffix(')')
        .and_then(|words| words.split_once(" ("));
    let (spelling, name) = match named {
        Some((spelling, name)) if !nameless => (spelling, Some(name.to_owned())),
        _ => (words, None),
    };
    let spelling = spelling.to_owned();
    Some((
        Item {
            reason,
            kind,
            spelling,
        },
        name,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::{document, text};
    use super::*;
    use crate::compare::fixture::cell_of;
    use crate::figures::fixture::{detailed, placed};
    use exitlab_base::toml::as_error;

    fn parsed(content: String) -> Result<Vec<CellCounts>, String> {
        let read = document::read(&Text::new("baseline.toml", content));
        read.map_err(|problem| as_error(vec![problem]).to_string())
    }

    #[test]
    fn details_and_places_come_back() {
        for record in [detailed(), placed()] {
            let mut cell = cell_of(&record);
            cell.absorb(cell_of(&record));
            cell.phases[0].below.0.values_mut().next().unwrap().counts[1] += 1;
            let told = text(std::slice::from_ref(&cell));
            let mut back = parsed(told.clone()).unwrap();
            back[0].sources = cell.sources.clone();
            assert_eq!(back, [cell]);
            assert_eq!(text(&back), told);
        }
        let told = text(&[cell_of(&detailed())]);
        let from = told.find("counted").unwrap();
        let below = told.find("[cell.below").unwrap();
        let lines = told[from..]
            .lines()
            .take(1)
            .chain(told[below..].lines().take(8));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_histogram_of_too_many_is_left_out_whole() {
        let mut cell = cell_of(&detailed());
        let tally = Tally {
            name: None,
            counts: vec![1],
        };
        for port in 0..=MOST {
            let spelling = format!("read port {port:#x}");
            let item = Item {
                reason: 30,
                kind: Kind::Port,
                spelling,
            };
            cell.phases[0].below.0.insert(item, tally.clone());
        }
        let back = parsed(text(&[cell])).unwrap();
        assert!(!back[0].told.has(Kind::Port) && back[0].told.has(Kind::Leaf));
        let kinds = back[0].phases[0].below.0.keys().map(|item| item.kind);
        assert!(kinds.collect::<BTreeSet<_>>().contains(&Kind::Leaf));
        assert!(
            back[0].phases[0]
                .below
                .0
                .keys()
                .all(|item| item.kind != Kind::Port)
        );
    }

    #[test]
    fn wrong_details_are_told() {
        let good = text(&[cell_of(&detailed())]);
        let wrong = [
            ("\"port: write", "\"write"),
            ("\"port: write", "\"harbour: write"),
            ("\"port: write", "\"msr: write"),
            ("counted = [", "counted = [\"nothing\", "),
            ("(COM1)\" = 29047", "(COM1)\" = [1, 2]"),
            ("(COM1)\" = 29047", "(COM1)\" = -1"),
            ("below.\"boot\".\"30 IO", "below.\"boot\".\"x IO"),
            ("below.\"boot\".\"30 IO", "below.\"boot\".\"200 IO"),
            ("below.\"boot\".\"30 IO", "below.\"bot\".\"30 IO"),
            (
                "\"port: read port 0x3fd (COM1)\"",
                "\"port: write port 0x3f8 (x)\"",
            ),
        ];
        let told = wrong.map(|(from, to)| {
            assert!(good.contains(from), "{from}");
            parsed(good.replacen(from, to, 1)).unwrap_err()
        });
        insta::assert_snapshot!(told.join("\n"));
    }
}
