//! Two sides: what differs, with its verdict, and what the sides were made of. All of it is
//! what `exitlab compare` finds, in its words.

use exitlab_analysis::compare::{CellComparison, Comparison, Finding, Verdict};
use exitlab_analysis::export::{
    columns, counted, difference, left_out, moved_lines, moved_within, verdict,
};

use crate::bar;
use crate::html::{Element, element};
use crate::page::{Section, page};
use crate::scale::Scale;
use crate::table::{Cell, Table, Title};

/// Cells of two matrices that are shown; of the others it is said how many they are.
const MOST_CELLS: usize = 60;

/// How the sections of cells are called within the page; further ones have no link.
const IDS: [&str; 4] = ["cell-1", "cell-2", "cell-3", "cell-4"];

/// A comparison as a page.
pub fn sides(comparison: &Comparison) -> String {
    let [base, head] = &comparison.names;
    let cells = comparison.cells.iter().take(MOST_CELLS).enumerate();
    let mut sections: Vec<Section> = Vec::new();
    for (at, cell) in cells {
        let title = format!("{}, channel {}", cell.key, cell.channel);
        let content = whole(cell, comparison);
        match (IDS.get(at), sections.last_mut()) {
            (None, Some(last)) => {
                last.content.push(element("h2").words(title));
                last.content.extend(content);
            }
            (id, _) => sections.push(Section {
                id: id.unwrap_or(&IDS[0]),
                title,
                content,
            }),
        }
    }
    let more = comparison.cells.len().saturating_sub(MOST_CELLS);
    if let (1.., Some(last)) = (more, sections.last_mut()) {
        let more = counted(more, "more cell");
        let words = format!("… and {more}: `exitlab compare` has them.");
        last.content.push(element("p").words(words));
    }
    let title = format!("{base} against {head}: VM exits");
    page(&title, header(comparison), sections)
}

fn header(comparison: &Comparison) -> Element {
    let [base, head] = &comparison.names;
    let side = |name: &str, side: &str| {
        let term = element("dt").words(name);
        let pair = element("div").holds(term);
        pair.holds(element("dd").words(side))
    };
    let both = element("dl").class("sides");
    element("header")
        .holds(
            element("p")
                .class("mark")
                .words("exitlab · VM exits compared"),
        )
        .holds(element("h1").words("Base against head"))
        .holds(outcome(comparison))
        .holds(both.holds(side("base", base)).holds(side("head", head)))
        .all(list("Not compared", &comparison.notes))
}

/// What came of it, in a word that is seen from far, and in a sentence.
fn outcome(comparison: &Comparison) -> Element {
    let differs = comparison.count(|verdict| verdict == Verdict::Differs);
    let is_open = |verdict| matches!(verdict, Verdict::Undecided { .. } | Verdict::NotRepeatable);
    let (class, word) = match (differs, comparison.count(is_open)) {
        (0, 0) => ("good", "no difference"),
        (0, _) => ("open", "no verdict"),
        _ => ("bad", "differs"),
    };
    let found = verdict(comparison);
    let found = format!(" {}", found.trim_start_matches("Verdict: "));
    let badge = element("span").class(&format!("badge {class}")).words(word);
    let outcome = element("p").class("outcome").holds(badge);
    outcome.holds(element("span").words(found))
}

fn whole(cell: &CellComparison, comparison: &Comparison) -> Vec<Element> {
    let [base, head] = cell.repeats;
    let repeats = format!("{} against {head}.", counted(base, "repeat"));
    let mut content = vec![element("p").words(repeats)];
    let differences: Vec<String> = cell.differences.iter().map(difference).collect();
    content.push(match list("Provenance differs in", &differences) {
        Some(list) => list,
        None => element("p").words("Provenance is the same."),
    });
    content.extend(list("Note", &cell.notes));
    let differ = |finding: &&Finding| !matches!(finding.verdict, Verdict::Same | Verdict::TooFew);
    let (shown, rest): (Vec<&Finding>, Vec<&Finding>) = cell.findings.iter().partition(differ);
    if !shown.is_empty() {
        content.push(findings(cell, &shown, "Exits that differ"));
    }
    content.extend(list(
        "Moved below counts that are equal",
        &moved_within(cell),
    ));
    if let Some(words) = left_out(cell, comparison) {
        let words = words
            .trim_start_matches("Not shown: ")
            .trim_end_matches('.')
            .to_owned();
        let table = findings(cell, &rest, "Exits that do not differ");
        let summary = element("summary").words(words);
        content.push(element("details").holds(summary).holds(table));
    }
    content
}

/// The words of `exitlab compare`, and two bars for what was counted.
fn findings(cell: &CellComparison, shown: &[&Finding], caption: &str) -> Element {
    let columns = columns(cell, shown);
    let means = shown.iter().flat_map(|f| [f.base.mean(), f.head.mean()]);
    let scale = Scale::reaching(means.fold(0.0, f64::max).ceil() as u128);
    let titles = columns.iter().map(|column| match column.title {
        "base" | "head" => Title::bars(column.title),
        title if column.text => Title::words(title),
        title => Title::numbers(title),
    });
    let row = |finding: &&Finding| -> Vec<Cell> {
        let cells = columns.iter().map(|column| {
            let words = (column.cell)(finding, cell.isa);
            let drawn = |kind, mean: f64| {
                let drawn = bar::counted(scale, kind, mean.round() as u128, &words);
                Cell::drawn(drawn, mean)
            };
            match column.title {
                "base" => drawn("first", finding.base.mean()),
                "head" => drawn("later", finding.head.mean()),
                "#" => Cell::number(words, f64::from(finding.reason)),
                "exit reason" => reason(words, finding),
                "change" => Cell::number(words, finding.change()),
                "relative" => Cell::number(words, finding.relative().unwrap_or(f64::MAX)),
                _ => Cell::words(words),
            }
        });
        cells.collect()
    };
    let (from, to) = scale.ends();
    Table {
        caption: format!(
            "{caption}. Bars are on a logarithmic scale from {from} to {to}, base and head alike."
        ),
        titles: titles.collect(),
        rows: shown.iter().map(row).collect(),
        total: None,
        subject: 2,
        sorted: Some(columns.len()),
    }
    .drawn("findings")
}

/// A reason, and what moved below it.
fn reason(words: String, finding: &Finding) -> Cell {
    if finding.moved.is_empty() {
        return Cell::words(words);
    }
    let lines = moved_lines(&finding.moved).into_iter();
    let lines = lines.map(|line| element("li").words(line));
    let name = element("span").words(words);
    let why = element("ul").class("why").all(lines);
    Cell::picture(element("div").holds(name).holds(why))
}

fn list(title: &str, items: &[String]) -> Option<Element> {
    (!items.is_empty()).then(|| {
        let items = items.iter().map(|item| element("li").words(item));
        element("div")
            .class("list")
            .holds(element("h3").words(format!("{title}:")))
            .holds(element("ul").class("notes").all(items))
    })
}
