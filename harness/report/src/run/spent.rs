//! Where the time went, if cycles were counted.

use exitlab_analysis::export::{decimal, grouped, percent, time_explanations, time_observations};
use exitlab_analysis::figures::{RunFigures, TimeRow, TimeTable};

use crate::bar;
use crate::html::element;
use crate::page::Section;
use crate::span::Span;
use crate::table::{Cell, Table, Title};

/// The section, if there is a time to show.
pub fn section(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let time = figures.time.as_ref()?;
    let unit = if time.hz.is_some() { "ms" } else { "cycles" };
    let mut titles = vec![Title::numbers("#"), Title::words("exit reason")];
    for span in spans {
        titles.push(Title::bars(format!("share of {}", span.title)));
        titles.push(Title::numbers(format!("{} {unit}", span.title)));
    }
    titles.push(Title::numbers("cycles/exit"));
    titles.extend(time.hz.map(|_| Title::numbers("µs/exit")));
    let all: Vec<i128> = spans.iter().map(|span| handling(time, span)).collect();
    let rows = time.rows.iter().map(|row| {
        let number = Cell::number(figures.table.isa.label(row.reason), f64::from(row.reason));
        let mut cells = vec![number, Cell::words(&row.name)];
        for (at, (span, all)) in spans.iter().zip(&all).enumerate() {
            cells.extend(spent(span.cycles(&row.cycles), *all, time, at));
        }
        cells.extend(each(row, time));
        cells
    });
    let caption = "Time from VM exit to the next VM entry, by reason and phase. Bars are each \
                   reason's part of the time of all reasons in a phase."
        .to_owned();
    let table = Table {
        caption,
        // Those that took the most time in all come first.
        sorted: Some(titles.len()),
        titles,
        rows: rows.collect(),
        total: None,
        subject: 1,
    };
    let notes = [time_explanations(time), time_observations(time, figures)].concat();
    let notes = notes.iter().map(|note| element("li").sentence(note));
    Some(Section {
        id: "time",
        title: "Time by reason".to_owned(),
        content: vec![table.drawn("time"), element("ul").class("notes").all(notes)],
    })
}

fn handling(time: &TimeTable, span: &Span) -> i128 {
    time.rows.iter().map(|row| span.cycles(&row.cycles)).sum()
}

/// Share and amount of a reason's time in a phase.
fn spent(cycles: i128, all: i128, time: &TimeTable, span: usize) -> [Cell; 2] {
    let (part, whole) = (cycles.max(0) as u128, all.max(0) as u128);
    let kind = if span == 0 { "first" } else { "later" };
    let share = if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    };
    let drawn = bar::part(kind, share, &percent(part, whole));
    let amount = match time.hz {
        Some(hz) => decimal(cycles as f64 / hz * 1e3),
        None => grouped(part),
    };
    [
        Cell::drawn(drawn, share),
        Cell::number(amount, cycles as f64),
    ]
}

fn each(row: &TimeRow, time: &TimeTable) -> Vec<Cell> {
    let per_exit = row.per_exit().unwrap_or(0.0).max(0.0);
    let cycles = Cell::number(grouped(per_exit.round() as u128), per_exit);
    let micros = time.hz.map(|hz| {
        let micros = per_exit / hz * 1e6;
        Cell::number(decimal(micros), micros)
    });
    [cycles].into_iter().chain(micros).collect()
}
