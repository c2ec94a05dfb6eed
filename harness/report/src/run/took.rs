//! How long exits took, if their times were taken: a table of those in which the guest worked
//! and one of those by which it waited, each reason drawn from its shortest time to its longest.

use exitlab_analysis::export::{duration_explanations, duration_title, grouped, nanoseconds};
use exitlab_analysis::figures::{self, Bounds, DurationRow, RunFigures, Spread};

use super::reasons::folded;
use crate::bar::{picture, short};
use crate::html::{Element, element};
use crate::page::Section;
use crate::scale::Decades;
use crate::table::{Cell, Table, Title};

/// Runs with more phases than this have a table of all of them together, and `times.csv`.
const MOST_PHASES: usize = 8;

/// What of a distribution is told; the drawing has a mark for each.
const FIGURES: [(&str, &str); 5] = [
    ("min", "end"),
    ("p50", "middle"),
    ("p90", "mark"),
    ("p99", "mark"),
    ("max", "end"),
];

/// The narrowest mark, percent of the scale.
const NARROWEST: f64 = 0.8;

/// The section, if there is a time to show.
pub fn section(figures: &RunFigures) -> Option<Section> {
    let durations = figures.durations.as_ref()?;
    let notes = duration_explanations(durations);
    let notes = notes.iter().map(|note| element("li").words(note));
    let notes = element("ul").class("notes").all(notes);
    let mut content = Vec::new();
    if let Some(whole) = durations.whole() {
        let scale = scale(&durations.spans)?;
        content.extend(tables(figures, whole, scale));
        let phases = durations.spans.len() - 1;
        if phases <= MOST_PHASES {
            let parts = durations.spans.iter().filter(|span| *span != whole);
            content.extend(parts.map(|span| {
                let title = duration_title(figures, span);
                folded("phase", &title).all(tables(figures, span, scale))
            }));
        }
    }
    content.push(notes);
    Some(Section {
        id: "took",
        title: "How long exits took".to_owned(),
        content,
    })
}

/// One scale for all drawings; none where there is no time at all.
fn scale(spans: &[figures::Span]) -> Option<Decades> {
    let rows = || spans.iter().flat_map(|span| &span.rows);
    let least = rows().filter_map(|row| row.spread.least());
    let most = rows().filter_map(|row| row.spread.most());
    let least = least.map(|(least, _)| least).min()?;
    Some(Decades::holding(least, most.map(|(_, most)| most).max()?))
}

/// A table of the reasons in which the guest works, and one of those by which it waits.
fn tables(figures: &RunFigures, span: &figures::Span, scale: Decades) -> Vec<Element> {
    let kinds = [
        (false, "Working: what KVM and the VMM did for the guest"),
        (true, "Halting: the guest waited until something happened"),
    ];
    let drawn = kinds.into_iter().filter_map(|(waits, caption)| {
        let all = span.all(waits)?;
        let rows = span.rows.iter().filter(|row| row.waits == waits);
        let rows: Vec<Vec<Cell>> = rows.map(|row| line(figures, row, scale)).collect();
        let total = (rows.len() > 1).then(|| line(figures, &all, scale));
        let [from, to] = [scale.from(), scale.to()].map(power);
        let caption = format!(
            "{caption}. Drawn from the shortest time to the longest, with p50, p90 and p99, on a \
             logarithmic scale from {from} to {to}: each line is ten times the one before."
        );
        let mut titles = vec![
            Title::numbers("#"),
            Title::words("exit reason"),
            Title::numbers("times"),
            Title::bars(format!("{from} to {to}")),
        ];
        titles.extend(FIGURES.map(|(name, _)| Title::numbers(name)));
        titles.push(Title::numbers("mean"));
        titles.push(Title::numbers("in all"));
        let table = Table {
            caption,
            sorted: Some(titles.len() - 1),
            titles,
            rows,
            total,
            subject: 1,
        };
        Some(table.drawn("took"))
    });
    drawn.collect()
}

fn line(figures: &RunFigures, row: &DurationRow, scale: Decades) -> Vec<Cell> {
    let (number, name) = match row.reason {
        Some(reason) => {
            let number = figures.table.isa.label(reason);
            let label = figures.reason_label(reason);
            let name = label.strip_prefix(&number).unwrap_or(&label).trim();
            (Cell::number(&number, f64::from(reason)), name.to_owned())
        }
        None => (Cell::words(""), "all".to_owned()),
    };
    let spread = &row.spread;
    let all = distribution(spread);
    let count = spread.count();
    let mut cells = vec![
        number,
        Cell::words(name),
        Cell::number(grouped(count.into()), count as f64),
        Cell::drawn(drawn(&all, scale), spread.mean().unwrap_or(0.0)),
    ];
    cells.extend(all.map(told));
    // What has no time has no mean, and is not 0.
    let sum = spread.sum() as f64;
    let told = |ns: Option<f64>| match ns {
        Some(ns) => Cell::number(nanoseconds(ns), ns),
        None => Cell::words(""),
    };
    cells.push(told(spread.mean()));
    cells.push(told((count > 0).then_some(sum)));
    cells
}

/// A power of ten: `1 µs`.
fn power(ns: u128) -> String {
    let words = nanoseconds(ns as f64);
    words.replace(".00", "").replace(".0", "")
}

/// Least, percentiles, most.
fn distribution(spread: &Spread) -> [Option<Bounds>; 5] {
    let [p50, p90, p99] = [50, 90, 99].map(|percent| spread.percentile(percent));
    [spread.least(), p50, p90, p99, spread.most()]
}

/// A line from the shortest to the longest, and a mark for each figure, as wide as what is not
/// known of it.
fn drawn(all: &[Option<Bounds>; 5], scale: Decades) -> Element {
    let lines: String = scale
        .grid()
        .map(|at| format!("M{} 0v24", short(at)))
        .collect();
    let mut picture =
        picture("spread", "0 0 100 24").holds(element("path").class("grid").way(&lines));
    let ends = (
        all.first().copied().flatten(),
        all.last().copied().flatten(),
    );
    if let (Some((least, _)), Some((_, most))) = ends {
        let way = format!("M{} 12H{}", short(scale.at(least)), short(scale.at(most)));
        picture = picture.holds(element("path").class("range").way(&way));
    }
    for (bounds, (_, kind)) in all.iter().zip(FIGURES) {
        let Some((least, most)) = bounds else {
            continue;
        };
        let (from, to) = (scale.at(*least), scale.at(*most));
        let width = (to - from).max(NARROWEST);
        let (y, height) = match kind {
            "middle" => ("3", "18"),
            _ => ("7", "10"),
        };
        let mark = element("rect")
            .class(kind)
            .with("y", y)
            .with("height", height);
        let x = f64::midpoint(from, to) - width / 2.0;
        picture = picture.holds(
            mark.with("x", short(x.max(0.0)))
                .with("width", short(width)),
        );
    }
    picture
}

/// The middle of the bounds, and how many percent of it both are away from it at most.
fn told(bounds: Option<Bounds>) -> Cell {
    let Some((least, most)) = bounds else {
        return Cell::words("");
    };
    let middle = u128::from(least).midpoint(most.into()) as f64;
    let words = match (least, most) {
        _ if least == most => nanoseconds(middle),
        (0, _) => format!("≤ {}", nanoseconds(most as f64)),
        _ => {
            let away = ((most as f64 - middle) / middle * 100.0).ceil();
            format!("{} ±{away} %", nanoseconds(middle))
        }
    };
    Cell::number(words, middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_is_drawn_with_what_is_not_known() {
        let bounds = [
            Some((100, 100)),
            Some((1_000, 2_000)),
            None,
            None,
            Some((9_000, 10_000)),
        ];
        let drawn = drawn(&bounds, Decades::holding(100, 10_000));
        insta::assert_snapshot!(drawn, @r#"<svg class="spread" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path class="grid" d="M0 0v24M50 0v24M100 0v24"/><path class="range" d="M0 12H100"/><rect class="end" y="7" height="10" x="0" width="0.8"/><rect class="middle" y="3" height="18" x="50" width="15.1"/><rect class="end" y="7" height="10" x="97.7" width="2.3"/></svg>"#);
    }
}
