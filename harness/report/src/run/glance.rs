//! Where the exits are: the share of each reason in each phase, as one bar a phase.

use exitlab_analysis::export::{decimal, grouped, percent};
use exitlab_analysis::figures::{Row, RunFigures};

use super::notes;
use crate::bar::{picture, short};
use crate::html::{Element, element};
use crate::page::Section;
use crate::span::Span;
use crate::table::{Cell, Table, Title};

/// How many reasons have a colour of their own; the others share the last one.
const COLOURS: usize = 7;

/// Phases beyond this many have their shares in the bars alone, and their numbers in the table
/// of reasons.
const MOST_COLUMNS: usize = 3;

/// The section, if anything was counted.
pub fn section(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let rows = coloured(&figures.table.rows, spans);
    if rows.is_empty() {
        return None;
    }
    let glance = Glance {
        figures,
        spans,
        rows,
    };
    let bars = spans.iter().map(|span| glance.bar(span));
    Some(Section {
        id: "glance",
        title: "At a glance".to_owned(),
        content: vec![
            element("div").class("shares").all(bars),
            element("div")
                .class("beside")
                .holds(glance.legend())
                .all(notes::observations(figures)),
        ],
    })
}

struct Glance<'a> {
    figures: &'a RunFigures,
    spans: &'a [Span],
    /// Those with a colour of their own.
    rows: Vec<&'a Row>,
}

/// The reasons that have the largest share of any phase.
fn coloured<'a>(rows: &'a [Row], spans: &[Span]) -> Vec<&'a Row> {
    let largest = |row: &Row| {
        let shares = spans
            .iter()
            .map(|span| share(span.exits(row), all(rows, span)));
        shares.fold(0.0, f64::max)
    };
    let mut found: Vec<(f64, &Row)> = rows.iter().map(|row| (largest(row), row)).collect();
    found.retain(|(share, _)| *share > 0.0);
    found.sort_by(|one, other| {
        other
            .0
            .total_cmp(&one.0)
            .then(one.1.reason.cmp(&other.1.reason))
    });
    found
        .into_iter()
        .take(COLOURS)
        .map(|(_, row)| row)
        .collect()
}

fn all(rows: &[Row], span: &Span) -> i128 {
    rows.iter().map(|row| span.exits(row)).sum()
}

fn share(part: i128, whole: i128) -> f64 {
    match whole {
        1.. => (part.max(0) as f64 / whole as f64).min(1.0),
        _ => 0.0,
    }
}

impl Glance<'_> {
    fn all(&self, span: &Span) -> i128 {
        all(&self.figures.table.rows, span)
    }

    /// What the coloured reasons leave.
    fn others(&self, span: &Span) -> i128 {
        let own: i128 = self.rows.iter().map(|row| span.exits(row)).sum();
        self.all(span) - own
    }

    fn bar(&self, span: &Span) -> Element {
        let whole = self.all(span);
        let parts = self.rows.iter().map(|row| span.exits(row));
        let parts = parts.chain([self.others(span)]).enumerate();
        let mut from = 0.0;
        let mut bar = picture("share", "0 0 100 10");
        for (colour, part) in parts {
            let width = share(part, whole) * 100.0;
            if width >= 0.05 {
                let rect = element("rect").class(&format!("k{colour}"));
                let rect = rect.with("x", short2(from)).with("width", short2(width));
                bar = bar.holds(rect.with("height", "10"));
            }
            from += width;
        }
        let rate = self
            .rate(span)
            .map_or(String::new(), |rate| format!(", {} /s", decimal(rate)));
        let number = format!("{} exits{rate}", grouped(whole.unsigned_abs()));
        let words = element("p")
            .holds(element("b").words(span.heading()))
            .holds(element("span").words(number));
        element("div").holds(words).holds(bar)
    }

    /// Exits of all reasons in a second.
    fn rate(&self, span: &Span) -> Option<f64> {
        let rows = self.figures.table.rows.iter();
        rows.map(|row| span.rate(row)).sum()
    }

    /// What each colour is, with its shares in numbers.
    fn legend(&self) -> Element {
        let shown: &[Span] = match self.spans.len() <= MOST_COLUMNS {
            true => self.spans,
            false => &[],
        };
        let mut titles = vec![Title::words("exit reason")];
        for span in shown {
            titles.push(Title::numbers(format!("of {}", span.title)));
            if span.seconds.is_some() {
                titles.push(Title::numbers(format!("{} /s", span.title)));
            }
        }
        let colours = self.rows.len();
        let own = self.rows.iter().enumerate().map(|(colour, row)| {
            let label = self.figures.reason_label(row.reason);
            self.line(colour, &label, shown, |span| {
                (span.exits(row), span.rate(row))
            })
        });
        let mut rows: Vec<Vec<Cell>> = own.collect();
        if self.spans.iter().any(|span| self.others(span) > 0) {
            let rate = |span: &Span| {
                let own: Option<f64> = self.rows.iter().map(|row| span.rate(row)).sum();
                Some(self.rate(span)? - own?)
            };
            let others = |span: &Span| (self.others(span), rate(span));
            rows.push(self.line(colours, "all others", shown, others));
        }
        let caption = "The colours, and each reason's part of all exits of a phase";
        Table {
            caption: caption.to_owned(),
            // A row that is but its name is about nothing.
            subject: if titles.len() > 1 { 0 } else { 1 },
            titles,
            rows,
            ..Table::default()
        }
        .drawn("legend")
    }

    fn line(
        &self,
        colour: usize,
        label: &str,
        shown: &[Span],
        of: impl Fn(&Span) -> (i128, Option<f64>),
    ) -> Vec<Cell> {
        let swatch = picture("swatch", "0 0 10 10").holds(
            element("rect")
                .class(&format!("k{colour}"))
                .with("width", "10")
                .with("height", "10"),
        );
        let label = element("span")
            .holds(swatch)
            .holds(element("span").words(label));
        let mut cells = vec![Cell::picture(label)];
        for span in shown {
            let (exits, rate) = of(span);
            let whole = self.all(span).max(0) as u128;
            let words = percent(exits.max(0) as u128, whole);
            cells.push(Cell::words(words));
            if span.seconds.is_some() {
                cells.push(Cell::words(rate.map_or(String::new(), near_zero)));
            }
        }
        cells
    }
}

/// A rate that is the difference of two sums: what rounding leaves of nothing is nothing.
fn near_zero(rate: f64) -> String {
    match rate.abs() < 1e-9 {
        true => "0".to_owned(),
        false => decimal(rate),
    }
}

/// Parts of one bar meet where they should.
fn short2(number: f64) -> String {
    match short(number * 10.0).parse::<f64>() {
        Ok(tenfold) => format!("{}", tenfold / 10.0),
        Err(_) => short(number),
    }
}
