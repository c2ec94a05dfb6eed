//! What lies below the reasons: `details.csv`, and the top of it for people.

mod words;

use super::csv::csv_text;
use super::grid;
use super::numbers::{grouped, signed};
use crate::figures::{Detail, DetailRow, DetailSum, Details, Kind, RunFigures};
use exitlab_model::record::RunRecord;
use words::why;

const HEADER: [&str; 9] = [
    "cell",
    "sample",
    "phase",
    "reason",
    "kind",
    "key",
    "direction",
    "name",
    "count",
];

const PLACES_HEADER: [&str; 7] = ["cell", "sample", "phase", "reason", "rip", "where", "count"];

/// Details are shown in two parts, of which a run may have either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What the guest did.
    Details,
    /// Where in it that was.
    Places,
}

impl Part {
    pub(super) const ALL: [Part; 2] = [Part::Details, Part::Places];

    /// What its table is called.
    pub(super) fn title(self) -> &'static str {
        match self {
            Part::Details => "Below the reasons",
            Part::Places => "Where in the guest",
        }
    }

    fn has(self, kind: Kind) -> bool {
        (kind == Kind::Place) == (self == Part::Places)
    }

    /// The details, if some are of this part.
    pub(super) fn of(self, details: &Details) -> Option<&Details> {
        let mut rows = details.rows.iter();
        rows.any(|row| self.has(row.detail.kind)).then_some(details)
    }
}

/// `places.csv`: one line for each sample, reason and address of the guest's code that caused
/// exits, with counts since power-on.
pub fn places_csv(details: &Details, record: &RunRecord) -> Option<String> {
    Part::Places.of(details)?;
    let mut lines = vec![PLACES_HEADER.map(str::to_owned).to_vec()];
    for (at, sample) in record.samples.iter().enumerate() {
        let rows = details.rows.iter();
        let rows = rows.filter(|row| Part::Places.has(row.detail.kind));
        lines.extend(rows.map(|DetailRow { detail, counts }| {
            vec![
                "1".to_owned(),
                sample.number.to_string(),
                sample.phase.clone(),
                detail
                    .reason
                    .map_or(String::new(), |reason| reason.to_string()),
                format!("{:#x}", detail.key),
                detail.words(),
                counts[at].to_string(),
            ]
        }));
    }
    Some(csv_text(&lines))
}

/// The kind of a line that holds the exits without a detail.
const REMAINDER: &str = "remainder";

/// `details.csv`: one line for each sample and detail, with counts since power-on, and one for
/// each sum that is not the reason's count. Keys are hexadecimal; a subkey follows a point.
pub fn details_csv(details: &Details, record: &RunRecord) -> Option<String> {
    Part::Details.of(details)?;
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    for (at, sample) in record.samples.iter().enumerate() {
        let line = |reason: Option<u32>, rest: [String; 5]| {
            let reason = reason.map_or(String::new(), |reason| reason.to_string());
            let number = sample.number.to_string();
            let begin = ["1".to_owned(), number, sample.phase.clone(), reason];
            begin.into_iter().chain(rest).collect::<Vec<String>>()
        };
        let rows = details.rows.iter();
        let rows = rows.filter(|row| Part::Details.has(row.detail.kind));
        lines.extend(rows.map(|row| {
            let Detail {
                reason,
                kind,
                direction,
                name,
                ..
            } = &row.detail;
            let name = name.clone().unwrap_or_default();
            let count = row.counts[at].to_string();
            let rest = [
                kind.name().into(),
                row.detail.digits(),
                (*direction).into(),
                name,
                count,
            ];
            line(*reason, rest)
        }));
        for sum in details.sums.iter().filter(|sum| !sum.is_part()) {
            let remainder = sum.remainder(at);
            if remainder != 0 {
                let of = sum.kind.name().to_owned();
                let why = why(sum, remainder).to_owned();
                let rest = [
                    REMAINDER.into(),
                    of,
                    String::new(),
                    why,
                    remainder.to_string(),
                ];
                lines.push(line(Some(sum.reason), rest));
            }
        }
    }
    Some(csv_text(&lines))
}

/// A table of the commonest details of each reason and kind: its titles, which of its columns
/// are texts, and its rows.
pub(super) struct Top {
    pub(super) titles: Vec<String>,
    pub(super) text: Vec<bool>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The `most` commonest. All phases, or the first and the last where `compact`.
pub(super) fn top(
    figures: &RunFigures,
    details: &Details,
    part: Part,
    (most, compact): (usize, bool),
) -> Top {
    let phases = figures.table.columns.len();
    let shown: Vec<usize> = match compact && phases > 4 {
        true => vec![0, phases - 1],
        false => (0..phases).collect(),
    };
    let titles = shown
        .iter()
        .map(|at| grid::phase_title(&figures.table, *at));
    let titles = ["#", "exit reason, and what is below it"]
        .map(str::to_owned)
        .into_iter()
        .chain(titles);
    let mut rows = Vec::new();
    for (reason, kind) in groups(details, part) {
        let below = details.below(reason, kind);
        if below.is_empty() {
            continue;
        }
        rows.push(heading(figures, details, reason, kind, &shown));
        rows.extend(commonest(&below, most, &shown));
        let sum = details
            .sums
            .iter()
            .find(|s| (Some(s.reason), s.kind) == (reason, kind));
        rows.extend(sum.and_then(|sum| remainder(sum, &shown)));
    }
    let mut text = vec![false, true];
    text.resize(2 + shown.len(), false);
    Top {
        titles: titles.collect(),
        text,
        rows,
    }
}

/// Reasons by their number, each with its kinds, then what is below no reason.
fn groups(details: &Details, part: Part) -> Vec<(Option<u32>, Kind)> {
    let rows = details.rows.iter();
    let rows = rows.filter(|row| part.has(row.detail.kind));
    let mut groups: Vec<_> = rows
        .map(|row| (row.detail.reason, row.detail.kind))
        .collect();
    groups.sort_by_key(|(reason, kind)| (reason.is_none(), *reason, *kind));
    groups.dedup();
    groups
}

fn heading(
    figures: &RunFigures,
    details: &Details,
    reason: Option<u32>,
    kind: Kind,
    shown: &[usize],
) -> Vec<String> {
    let (number, name) = match reason {
        Some(reason) => {
            let name = figures.reason_label(reason);
            let number = figures.table.isa.label(reason);
            let name = name
                .strip_prefix(&number)
                .unwrap_or(&name)
                .trim()
                .to_owned();
            (number, format!("{name}: {}", kind.plural()))
        }
        None => (String::new(), kind.plural().to_owned()),
    };
    let counts = total(&details.below(reason, kind));
    row(number, name, &counts, shown)
}

fn total(rows: &[&DetailRow]) -> Vec<u64> {
    let phases = rows.iter().map(|row| row.counts.len()).max().unwrap_or(0);
    let of = |at: usize| {
        rows.iter()
            .map(|row| row.counts[at])
            .fold(0, u64::saturating_add)
    };
    (0..phases).map(of).collect()
}

fn row(number: String, name: String, counts: &[u64], shown: &[usize]) -> Vec<String> {
    let new = shown.iter().map(|at| in_phase(counts, *at));
    let new = new.map(|new| match new {
        fewer @ ..0 => signed(fewer),
        new => grouped(new as u128),
    });
    [number, name].into_iter().chain(new).collect()
}

/// What a phase brought, of counts since power-on.
fn in_phase(counts: &[u64], at: usize) -> i128 {
    let before = at.checked_sub(1).and_then(|before| counts.get(before));
    let count = |count: Option<&u64>| i128::from(count.copied().unwrap_or(0));
    count(counts.get(at)) - count(before)
}

fn commonest(below: &[&DetailRow], most: usize, shown: &[usize]) -> Vec<Vec<String>> {
    let mut below = below.to_vec();
    // Stable: equals stay in the order of their keys.
    below.sort_by_key(|row| std::cmp::Reverse(row.counts.last().copied()));
    let rest = below.split_off(below.len().min(most));
    let mut rows: Vec<Vec<String>> = below
        .iter()
        .map(|r| {
            row(
                String::new(),
                format!("· {}", r.detail.words()),
                &r.counts,
                shown,
            )
        })
        .collect();
    match rest[..] {
        [] => {}
        [one] => {
            let name = format!("· {}", one.detail.words());
            rows.push(row(String::new(), name, &one.counts, shown));
        }
        _ => {
            let name = format!("· {} others", grouped(rest.len() as u128));
            rows.push(row(String::new(), name, &total(&rest), shown));
        }
    }
    rows
}

/// What the details do not come to, and why.
fn remainder(sum: &DetailSum, shown: &[usize]) -> Option<Vec<String>> {
    let last = sum.counts.len().checked_sub(1)?;
    let remainders: Vec<i128> = (0..=last).map(|at| sum.remainder(at)).collect();
    if sum.is_part() || remainders.iter().all(|n| *n == 0) {
        return None;
    }
    let what = match remainders[last] < 0 {
        true => "more than exits",
        false => "exits without one",
    };
    let name = format!("· {what}: {}", why(sum, remainders[last]));
    let new = shown.iter().map(|at| {
        let before = at.checked_sub(1).map_or(0, |before| remainders[before]);
        signed(remainders[*at] - before)
    });
    Some([String::new(), name].into_iter().chain(new).collect())
}

/// What must be known of the table.
pub(super) fn explanations(details: &Details, part: Part) -> Vec<String> {
    if part == Part::Places {
        let mut lines = vec![
            "Instructions at which the guest was left: by the guest's own symbols, or by addresses \
             of its own address spaces. All of them are in places.csv."
                .to_owned(),
        ];
        let why = details.unnamed.iter();
        lines.extend(why.map(|why| format!("The guest's kernel has no names: {why}.")));
        return lines;
    }
    let mut lines = vec![
        "Counted by the tracepoints while the guest stood still, just before the other channels \
         were read. Phases show what was new in them; all details are in details.csv."
            .to_owned(),
    ];
    for (what, why) in &details.lacking {
        lines.push(format!("Not counted on this host: {what}; {why}."));
    }
    lines
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::export::{tables, terminal_table};
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;
    use exitlab_model::record::{Histogram, Source, TraceReading};
    use exitlab_model::symbols::{Symbol, Told};

    #[test]
    fn the_terminal_shows_the_top_and_the_check_what_is_left() {
        let figures = RunFigures::of_record(&fixture::detailed(), ReasonTable::vmx());
        let text = terminal_table(&figures);
        let (_, below) = text.split_once(Part::Details.title()).unwrap();
        insta::assert_snapshot!(below);
    }

    fn file(of: fn(&Details, &RunRecord) -> Option<String>, record: &RunRecord) -> Option<String> {
        of(&Details::of(record, ReasonTable::vmx())?, record)
    }

    #[test]
    fn the_file_has_every_detail_of_every_sample() {
        let csv = file(details_csv, &fixture::detailed()).unwrap();
        insta::assert_snapshot!(csv);
        let files: Vec<_> = tables(&fixture::record())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(files, ["samples.csv", "counts.csv", "table.md"]);
        let files = tables(&fixture::detailed());
        assert!(files.iter().any(|(name, _)| *name == "details.csv"));
        assert!(files.iter().all(|(name, _)| *name != "places.csv"));
    }

    #[test]
    fn places_have_a_file_and_a_table_of_their_own() {
        let mut record = fixture::record();
        for sample in &mut record.samples {
            let counts = sample.stats_before.as_ref().unwrap().counts.clone();
            let at = |reason: u64, rip, count| [reason, rip, count];
            let io = counts[30];
            let places = vec![
                at(30, 0xffff_ffff_8100_0000, io - 900),
                at(30, 0xf_e05b, 900),
                at(10, 0x40_1000, counts[10]),
            ];
            sample.trace = Some(TraceReading {
                counts,
                details: vec![Histogram::of(Source::Place, places, 0)],
                ..TraceReading::default()
            });
        }
        let serial = Symbol {
            start: 0xffff_ffff_80ff_fff0,
            name: "io_serial_out".to_owned(),
            module: None,
        };
        record.symbols = Some(Told {
            symbols: vec![serial],
            ..Told::default()
        });
        let text = terminal_table(&RunFigures::of_record(&record, ReasonTable::vmx()));
        assert!(!text.contains(Part::Details.title()), "{text}");
        let (_, below) = text.split_once(Part::Places.title()).unwrap();
        insta::assert_snapshot!(below.split("Highest").next().unwrap());
        let csv = file(places_csv, &record).unwrap();
        let line = "1,2,idle,30,0xfe05b,0xfe05b (firmware or real mode),900";
        assert!(csv.lines().any(|found| found == line), "{csv}");
        assert_eq!(file(details_csv, &record), None);
    }
}
