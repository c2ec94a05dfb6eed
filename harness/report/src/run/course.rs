//! How exits went on over time, where there are many samples: a line for all of them, and one
//! for each reason that happened after the first sample.

use exitlab_analysis::export::{counted, decimal};
use exitlab_analysis::figures::{CountTable, Row, RunFigures};

use crate::html::element;
use crate::lines::{Line, chart, spark};
use crate::page::Section;
use crate::span::Span;
use crate::table::{Cell, Table, Title};

/// Phases with fewer samples than this are told by the table of reasons.
const LEAST_SAMPLES: usize = 8;

/// The most points of a line: what a screen can show. More intervals become means of several.
const MOST_POINTS: usize = 400;

/// The section, if there are enough samples, and their clock is known.
pub fn section(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let table = &figures.table;
    let longest = spans.iter().map(|span| span.last - span.first + 1).max();
    if longest.unwrap_or(0) < LEAST_SAMPLES {
        return None;
    }
    let seconds: Vec<f64> = table.seconds().into_iter().collect::<Option<_>>()?;
    let all = line(
        table
            .totals()
            .windows(2)
            .map(|pair| pair[1] as f64 - pair[0] as f64),
        &seconds,
    );
    let mut rows: Vec<(&Row, Line)> = table
        .rows
        .iter()
        .filter(|row| row.growth() > 0)
        .map(|row| {
            (
                row,
                line(row.deltas().into_iter().map(|n| n as f64), &seconds),
            )
        })
        .collect();
    rows.sort_by_key(|(row, _)| (std::cmp::Reverse(row.growth()), row.reason));
    let length: f64 = seconds.iter().sum();
    let words = format!(
        "Exits per second between {}, {length:.1} s: {} at least, {} in the middle, {} at most.",
        counted(table.columns.len(), "sample"),
        decimal(all.least()),
        decimal(all.median()),
        decimal(all.most()),
    );
    Some(Section {
        id: "course",
        title: "Over time".to_owned(),
        content: vec![
            element("p").words(&words),
            chart(&all, "All exits per second over time", &words, length),
            by_reason(table, &rows),
        ],
    })
}

/// Exits per second in each interval, or in each of [`MOST_POINTS`] groups of them.
fn line(exits: impl Iterator<Item = f64>, seconds: &[f64]) -> Line {
    let intervals: Vec<(f64, f64)> = exits.zip(seconds.iter().copied()).collect();
    let group = intervals.len().div_ceil(MOST_POINTS).max(1);
    let (mut at, mut points) = (0.0, Vec::new());
    for group in intervals.chunks(group) {
        let exits: f64 = group.iter().map(|(exits, _)| exits).sum();
        let seconds: f64 = group.iter().map(|(_, seconds)| seconds).sum();
        points.push((at + seconds / 2.0, exits / seconds));
        at += seconds;
    }
    Line::new(points)
}

fn by_reason(table: &CountTable, rows: &[(&Row, Line)]) -> crate::html::Element {
    let titles = vec![
        Title::numbers("#"),
        Title::words("exit reason"),
        Title::words("per second, from 0 to its most"),
        Title::numbers("least"),
        Title::numbers("median"),
        Title::numbers("most"),
    ];
    let rows = rows.iter().map(|(row, line)| {
        let number = |value: f64| Cell::number(decimal(value), value);
        vec![
            Cell::number(table.isa.label(row.reason), f64::from(row.reason)),
            Cell::words(&row.name),
            Cell::picture(spark(line)),
            number(line.least()),
            number(line.median()),
            number(line.most()),
        ]
    });
    Table {
        caption: "Each reason's exits per second over the same time, each on a scale of its own"
            .to_owned(),
        titles,
        rows: rows.collect(),
        total: None,
        subject: 1,
        sorted: Some(4),
    }
    .drawn("course")
}
