//! What stands out, what was checked, what commands said, and where everything came from.

use serde_json::Value;

use exitlab_analysis::export;
use exitlab_analysis::figures::RunFigures;
use exitlab_model::record::{Inspection, RunRecord};

use super::reasons::folded;
use crate::html::{Element, element};
use crate::page::Section;
use crate::table::{Cell, Table, Title};

/// The most lines of an output that are shown.
const MOST_LINES: usize = 400;

/// The most rows of a list of facts: a plan may hold a schedule of any length.
const MOST_FACTS: usize = 200;

/// What stands out, if anything was counted.
pub fn observations(figures: &RunFigures) -> Option<Element> {
    // Sums at hundreds of samples are no sentence.
    let said = |line: &&String| !line.starts_with("All reasons together:");
    let lines = export::observations(figures);
    let items = lines
        .iter()
        .filter(said)
        .map(|line| element("li").sentence(line));
    let items: Vec<Element> = items.collect();
    (!items.is_empty()).then(|| {
        let list = element("ul").class("notes").all(items);
        element("div")
            .holds(element("h3").words("Observations"))
            .holds(list)
    })
}

/// What came of the checks, and what sampling cost.
pub fn checks(figures: &RunFigures) -> Option<Section> {
    let lines = export::checks(figures, figures.checks.as_ref()?);
    let cost = export::sampling(figures);
    let cost = (!cost.is_empty()).then(|| {
        let items = cost.iter().map(|line| element("li").sentence(line));
        folded("cost", "What sampling cost").holds(element("ul").class("notes").all(items))
    });
    Some(Section {
        id: "checks",
        title: "Checks".to_owned(),
        content: [element("ul")
            .class("checks")
            .all(lines.iter().map(|line| check(line)))]
        .into_iter()
        .chain(cost)
        .collect(),
    })
}

/// A line of a check, its mark in words for who does not see it.
fn check(line: &str) -> Element {
    let (mark, words) = line.split_once(' ').unwrap_or(("", line));
    let (class, said) = match mark {
        "✓" => ("held", "Held: "),
        "✗" => ("broken", "Broken promise: "),
        "△" => ("seen", "Observed: "),
        "–" => ("open", "Open: "),
        _ => return element("li").words(line),
    };
    element("li")
        .class(class)
        .holds(element("span").with("aria-hidden", "true").words(mark))
        .holds(element("span").class("unseen").words(said))
        .holds(element("span").words(words))
}

/// What the commands of `inspect` said, if there were any.
pub fn inspections(record: &RunRecord) -> Option<Section> {
    let each = record.inspections.iter().map(inspection);
    (!record.inspections.is_empty()).then(|| Section {
        id: "inspections",
        title: "What was asked of the guest".to_owned(),
        content: each.collect(),
    })
}

fn inspection(of: &Inspection) -> Element {
    let title = format!("{}: {}", of.command, of.ended());
    let all: Vec<&str> = of.stdout.lines().chain(of.stderr.lines()).collect();
    let mut text = all[..all.len().min(MOST_LINES)].join("\n");
    if all.len() > MOST_LINES {
        text += &format!("\n… {} more lines are in run.json", all.len() - MOST_LINES);
    }
    let output = element("pre").with("tabindex", "0").lines(&text);
    folded("said", &title).holds(output)
}

/// What was run, and where everything came from.
pub fn origin(record: &RunRecord, figures: &RunFigures) -> Section {
    let mut plan = Vec::new();
    flat("", record.plan.whole(), &mut plan);
    let provenance = figures.subject.provenance.clone();
    let tables = [
        ("The experiment as it was resolved", plan),
        ("Where counts come from", provenance),
    ];
    let tables = tables.into_iter().filter(|(_, rows)| !rows.is_empty());
    Section {
        id: "provenance",
        title: "Provenance".to_owned(),
        content: tables.map(|(title, rows)| facts(title, rows)).collect(),
    }
}

fn facts(title: &str, rows: Vec<(String, String)>) -> Element {
    let more = rows.len().saturating_sub(MOST_FACTS);
    let shown = rows.into_iter().take(MOST_FACTS);
    let table = Table {
        caption: title.to_owned(),
        titles: vec![Title::words("what"), Title::words("which")],
        rows: shown
            .map(|(name, value)| vec![Cell::words(name), Cell::words(value)])
            .collect(),
        ..Table::default()
    };
    let more = (more > 0).then(|| element("p").words(format!("… and {more} more in run.json.")));
    folded("facts", title).holds(table.drawn("facts")).all(more)
}

/// A plan, a line for each of its keys.
fn flat(key: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let key = match key {
                    "" => name.clone(),
                    key => format!("{key}.{name}"),
                };
                flat(&key, value, rows);
            }
        }
        Value::String(text) => rows.push((key.to_owned(), text.clone())),
        Value::Array(items) if items.is_empty() => {}
        value => rows.push((key.to_owned(), value.to_string())),
    }
}
