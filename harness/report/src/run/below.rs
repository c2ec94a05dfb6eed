//! What is below the reasons, and where in the guest it came from: a table of each, folded away,
//! that sorts and filters like that of the reasons.

use exitlab_analysis::export::{counted, grouped, signed};
use exitlab_analysis::figures::{DetailRow, Details, Kind, RunFigures};

use super::reasons::{folded, tools};
use crate::html::{Element, element};
use crate::page::Section;
use crate::span::Span;
use crate::table::{Cell, Table, Title};

/// Rows of a table; of what is rarer it is said how much it is.
const MOST: usize = 200;

/// The details of a run, if they were counted.
pub fn details(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let details = figures.details.as_ref()?;
    let mut notes = vec!["All of them are in details.csv.".to_owned()];
    for (what, why) in &details.lacking {
        notes.push(format!("Not counted on this host: {what}; {why}."));
    }
    let content = drawn((figures, details, spans), false, notes)?;
    Some(Section {
        id: "below",
        title: "Below the reasons".to_owned(),
        content,
    })
}

/// The places in the guest, if they were counted.
pub fn places(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let details = figures.details.as_ref()?;
    let mut notes =
        vec!["Instructions at which the guest was left. All of them are in places.csv.".to_owned()];
    let unnamed = details.unnamed.iter();
    notes.extend(unnamed.map(|why| format!("The guest's kernel has no names: {why}.")));
    let content = drawn((figures, details, spans), true, notes)?;
    Some(Section {
        id: "places",
        title: "Where in the guest".to_owned(),
        content,
    })
}

/// What a table is made of.
type Of<'a> = (&'a RunFigures, &'a Details, &'a [Span]);

fn drawn((figures, details, spans): Of, places: bool, notes: Vec<String>) -> Option<Vec<Element>> {
    let of_part = |row: &&DetailRow| (row.detail.kind == Kind::Place) == places;
    let mut rows: Vec<&DetailRow> = details.rows.iter().filter(of_part).collect();
    if rows.is_empty() {
        return None;
    }
    let last = |row: &DetailRow| row.counts.last().copied().unwrap_or(0);
    // Stable: equals stay in the order of their reasons and keys.
    rows.sort_by_key(|row| std::cmp::Reverse(last(row)));
    let rest = rows.split_off(rows.len().min(MOST));
    let (noun, what) = match places {
        true => ("place", "place in the guest"),
        false => ("detail", "what it was"),
    };
    let mut titles = vec![
        Title::numbers("#"),
        Title::words("exit reason"),
        Title::words(what),
    ];
    titles.extend(spans.iter().map(|span| Title::numbers(span.heading())));
    titles.push(Title::numbers("in all"));
    let table = Table {
        caption: format!("Exits by reason and {noun}, the most first"),
        sorted: Some(titles.len() - 1),
        titles,
        rows: rows.iter().map(|row| cells(row, figures, spans)).collect(),
        total: None,
        subject: 2,
    };
    let summary = match rest.len() {
        0 => counted(rows.len(), noun),
        _ => format!(
            "The {MOST} commonest of {}s",
            grouped((rows.len() + rest.len()) as u128) + " " + noun
        ),
    };
    let mut notes = notes;
    if !rest.is_empty() {
        let sum = rest.iter().map(|row| u128::from(last(row))).sum();
        let others = counted(rest.len(), &format!("rarer {noun}"));
        notes.insert(0, format!("{others} had {} in all.", grouped(sum)));
    }
    let notes = notes.iter().map(|note| element("li").words(note));
    let all = folded("below", &summary)
        .holds(tools(3, &format!("{noun}s")))
        .holds(table.drawn("plain"));
    Some(vec![all, element("ul").class("notes").all(notes)])
}

fn cells(row: &DetailRow, figures: &RunFigures, spans: &[Span]) -> Vec<Cell> {
    let detail = &row.detail;
    let (number, name) = match detail.reason {
        Some(reason) => {
            let number = figures.table.isa.label(reason);
            let label = figures.reason_label(reason);
            let name = label
                .strip_prefix(&number)
                .unwrap_or(&label)
                .trim()
                .to_owned();
            (Cell::number(number, f64::from(reason)), name)
        }
        None => (Cell::words(""), detail.kind.plural().to_owned()),
    };
    let mut cells = vec![number, Cell::words(name), Cell::words(detail.words())];
    cells.extend(spans.iter().map(|span| amount(span.grown(&row.counts))));
    let all = row.counts.last().copied().unwrap_or(0);
    cells.push(amount(i128::from(all)));
    cells
}

fn amount(number: i128) -> Cell {
    let words = match number {
        0.. => grouped(number as u128),
        _ => signed(number),
    };
    Cell::number(words, number as f64)
}
