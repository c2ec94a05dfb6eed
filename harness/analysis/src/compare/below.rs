//! What is below the reasons of a phase, as sides are compared by it: details by their words,
//! and places by their function, whose addresses differ from build to build.

use std::collections::{BTreeMap, BTreeSet};

use crate::figures::{Detail, Details, Kind};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{RunRecord, Source};
use exitlab_model::symbols::Region;

/// One thing below a reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// The reason. What is below no single one is not compared.
    pub reason: u32,
    /// Its kind.
    pub kind: Kind,
    /// Which one: `write port 0x3f8`; of a place its function, or its address where it has no
    /// name. Addresses of programs are one item.
    pub spelling: String,
}

/// How often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// What it is called, if it has a name.
    pub name: Option<String>,
    /// One number for each repeat.
    pub counts: Vec<u64>,
}

impl Tally {
    /// What it is of: `write port 0x3f8 (COM1)`.
    pub fn words(&self, item: &Item) -> String {
        match &self.name {
            Some(name) => format!("{} ({name})", item.spelling),
            None => item.spelling.clone(),
        }
    }
}

/// Everything below the reasons of a phase that was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Below(pub BTreeMap<Item, Tally>);

/// What a cell tells of what is below its reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The histograms that were counted; of another, nothing is known.
    pub sources: BTreeSet<Source>,
    /// Whether places in the guest's kernel have names.
    pub named: bool,
}

impl Told {
    /// What a run tells, with what is below its reasons in each phase.
    pub(super) fn of(record: &RunRecord, reasons: &ReasonTable) -> (Told, Vec<Below>) {
        let Some(details) = Details::of(record, reasons) else {
            return (Told::default(), Vec::new());
        };
        let mut readings = record.samples.iter().filter_map(|s| s.trace.as_ref());
        let first = readings.next().map_or(&[][..], |reading| &reading.details);
        let mut sources: BTreeSet<Source> = first.iter().map(|h| h.source).collect();
        for reading in record.samples.iter().filter_map(|s| s.trace.as_ref()) {
            let counted = |source: &Source| {
                let mut histograms = reading.details.iter();
                histograms.any(|h| h.source == *source && h.lacks.is_none())
            };
            sources.retain(counted);
        }
        let named = record.symbols.as_ref();
        let named = named.is_some_and(|told| !told.symbols.is_empty());
        let mut phases = vec![Below::default(); record.samples.len()];
        for row in &details.rows {
            for (at, below) in phases.iter_mut().enumerate() {
                let before = at.checked_sub(1).map_or(0, |before| row.counts[before]);
                below.add(&row.detail, row.counts[at].saturating_sub(before));
            }
        }
        (Told { sources, named }, phases)
    }

    /// Whether details of a kind are told.
    pub fn has(&self, kind: Kind) -> bool {
        let mut sources = kind.sources().iter();
        sources.any(|source| self.sources.contains(source))
    }

    /// Whether two sides tell the same of a kind, so that what one lacks was not there.
    pub(super) fn agree(&self, other: &Told, kind: Kind) -> bool {
        let mut sources = kind.sources().iter();
        let same = |s: &Source| self.sources.contains(s) == other.sources.contains(s);
        self.has(kind) && sources.all(same) && (kind != Kind::Place || self.named == other.named)
    }

    /// What repeats tell together.
    pub(super) fn common(&self, other: &Told) -> Told {
        Told {
            sources: self.sources.intersection(&other.sources).copied().collect(),
            named: self.named && other.named,
        }
    }
}

impl Below {
    fn add(&mut self, detail: &Detail, count: u64) {
        let (Some(reason), 1..) = (detail.reason, count) else {
            return;
        };
        let (spelling, name) = match detail.kind {
            Kind::Place => place(detail),
            Kind::PageFault => (detail.spelling(), None),
            _ => (detail.spelling(), detail.name.clone()),
        };
        let item = Item {
            reason,
            kind: detail.kind,
            spelling,
        };
        let tally = self.0.entry(item).or_insert_with(|| Tally {
            name,
            counts: vec![0],
        });
        tally.counts[0] = tally.counts[0].saturating_add(count);
    }

    /// The items of one reason.
    pub fn of(&self, reason: u32) -> impl Iterator<Item = (&Item, &Tally)> {
        let begin = Item {
            reason,
            kind: Kind::Port,
            spelling: String::new(),
        };
        let items = self.0.range(begin..);
        items.take_while(move |(item, _)| item.reason == reason)
    }

    /// Takes in further repeats; `repeats` are how many both sides have.
    pub(super) fn absorb(&mut self, mut other: Below, repeats: [usize; 2]) {
        for (item, own) in &mut self.0 {
            let more = other.0.remove(item).map(|tally| tally.counts);
            own.counts
                .extend(more.unwrap_or_else(|| vec![0; repeats[1]]));
        }
        for (item, mut tally) in other.0 {
            tally.counts.splice(0..0, vec![0; repeats[0]]);
            self.0.insert(item, tally);
        }
    }

    /// Some of the repeats.
    pub(super) fn select(&self, pick: &impl Fn(&[u64]) -> Vec<u64>) -> Below {
        let tally = |tally: &Tally| Tally {
            name: tally.name.clone(),
            counts: pick(&tally.counts),
        };
        let items = self.0.iter();
        Below(
            items
                .map(|(item, own)| (item.clone(), tally(own)))
                .collect(),
        )
    }
}

/// What stands for all addresses of programs, which a guest's kernel chooses anew.
const PROGRAMS: &str = "user space";

/// The function of a place, with its module; else its address, and what can be there.
fn place(detail: &Detail) -> (String, Option<String>) {
    match &detail.name {
        Some(name) if name.contains('+') => {
            let (function, rest) = name.split_once('+').unwrap_or((name, ""));
            let module = rest.split_once(' ').map(|(_, module)| format!(" {module}"));
            (format!("{function}{}", module.unwrap_or_default()), None)
        }
        _ if Region::of(detail.key) == Region::User => (PROGRAMS.to_owned(), None),
        name => (detail.spelling(), name.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture::{detailed, placed};
    use exitlab_model::record::Histogram;

    fn counts(below: &Below, reason: u32) -> Vec<(String, u64)> {
        let items = below.of(reason);
        items
            .map(|(item, tally)| (item.spelling.clone(), tally.counts[0]))
            .collect()
    }

    #[test]
    fn details_are_those_of_the_interval() {
        let (told, phases) = Told::of(&detailed(), ReasonTable::vmx());
        assert!(told.has(Kind::Port) && told.has(Kind::Leaf));
        assert!(!told.has(Kind::Ipi), "the kernel lacks it");
        assert!(!told.has(Kind::Place));
        let expected = [("read port 0x3fd", 900), ("read string port 0x511", 100)];
        let boot = counts(&phases[0], 30);
        for (spelling, count) in expected {
            assert!(boot.contains(&(spelling.to_owned(), count)), "{boot:?}");
        }
        let new = counts(&phases[1], 30);
        assert_eq!(new, [("write port 0x3f8".to_owned(), 30_416 - 30_047)]);
        let tally = phases[0].of(30).next().unwrap().1;
        assert_eq!(tally.name.as_deref(), Some("COM1"));
    }

    #[test]
    fn places_are_told_by_their_function() {
        let (told, phases) = Told::of(&placed(), ReasonTable::vmx());
        assert!(told.named && told.has(Kind::Place) && !told.has(Kind::Port));
        let mut boot = counts(&phases[0], 30);
        boot.sort();
        assert_eq!(boot[0], ("0xfe05b".to_owned(), 900));
        assert_eq!(boot[1].0, "io_serial_out [8250]");
        let user = counts(&phases[0], 10);
        assert_eq!(user[0].0, "user space", "{user:?}");
    }

    #[test]
    fn repeats_line_up() {
        let record = detailed();
        let (_, phases) = Told::of(&record, ReasonTable::vmx());
        let mut both = phases[0].clone();
        both.absorb(Below::default(), [1, 1]);
        let mut other = Below::default();
        other.absorb(phases[0].clone(), [2, 1]);
        other.absorb(both.clone(), [3, 2]);
        assert!(other.0.values().all(|tally| tally.counts.len() == 5));
        let tally = other.of(30).next().unwrap().1;
        assert_eq!(tally.counts[..2], [0, 0]);
        assert_eq!(tally.counts[2], tally.counts[3]);
        assert_eq!(tally.counts[4], 0);
    }

    #[test]
    fn what_one_repeat_lacks_is_not_told() {
        let mut record = detailed();
        let (told, _) = Told::of(&record, ReasonTable::vmx());
        let last = record.samples.last_mut().unwrap();
        let details = &mut last.trace.as_mut().unwrap().details;
        details.retain(|h| h.source != Source::Cpuid);
        details.push(Histogram::lacking(Source::Cpuid, "no".to_owned()));
        let (less, _) = Told::of(&record, ReasonTable::vmx());
        assert!(!less.has(Kind::Leaf) && less.has(Kind::Port));
        assert_eq!(told.common(&less).sources, less.sources);
        assert!(!told.agree(&less, Kind::Leaf) && told.agree(&less, Kind::Port));
    }
}
