//! What was run, how it ended, and the few numbers that most people come for.

use exitlab_analysis::export::{decimal, grouped};
use exitlab_analysis::figures::{Class, RunFigures};
use exitlab_model::record::{Outcome, RunRecord};

use crate::html::{Element, element};
use crate::span::Span;

/// The header of the page.
pub fn header(record: &RunRecord, figures: &RunFigures, spans: &[Span]) -> Element {
    let outcome = record.outcome.to_string();
    let facts = figures.subject.facts.iter();
    let facts: Vec<&str> = facts
        .map(String::as_str)
        .filter(|fact| *fact != outcome)
        .collect();
    let cell = record.cell.as_ref().map(|cell| {
        let values = cell
            .values
            .iter()
            .map(|(key, value)| format!("{key} = {value}"));
        let repeat = format!("repeat {}", cell.repeat);
        let all: Vec<String> = values.chain([repeat]).collect();
        element("p").class("facts").words(all.join(" · "))
    });
    element("header")
        .holds(
            element("p")
                .class("mark")
                .words("exitlab · VM exits by reason"),
        )
        .holds(element("h1").words(&record.experiment))
        .holds(badge(&record.outcome))
        .holds(element("p").class("facts").words(facts.join(" · ")))
        .all(guest(record))
        .all(cell)
        .holds(key_figures(figures, spans))
}

/// What ran on the host, as far as the plan says it.
fn guest(record: &RunRecord) -> Option<Element> {
    let guest = record.plan.whole().get("guest")?;
    let said = |key: &str| Some(guest.get(key)?.as_str()?.to_owned()).filter(|s| !s.is_empty());
    let vcpus = record
        .vcpus()
        .map(|n| format!("{n} vCPU{}", if n == 1 { "" } else { "s" }));
    let words = [
        said("machine").map(|machine| format!("guest on {machine}")),
        vcpus,
        said("image").map(|image| format!("image {image}")),
        said("cpu").map(|cpu| format!("CPU {cpu}")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| element("p").class("facts").words(words.join(" · ")))
}

/// How a run ended, in a word that is seen from far, and in all its words.
pub fn badge(outcome: &Outcome) -> Element {
    let (class, word) = match outcome {
        Outcome::Complete => ("good", "complete"),
        Outcome::ChecksFailed { .. } => ("bad", "checks failed"),
        Outcome::BrokenStream { .. } => ("bad", "broken stream"),
        Outcome::Failed { .. } => ("bad", "failed"),
        Outcome::Interrupted => ("open", "interrupted"),
        Outcome::Unfinished => ("open", "unfinished"),
    };
    let badge = element("span").class(&format!("badge {class}")).words(word);
    let whole = outcome.to_string();
    let more = (whole != word).then(|| element("span").words(format!(" {whole}")));
    element("p").class("outcome").holds(badge).all(more)
}

fn key_figures(figures: &RunFigures, spans: &[Span]) -> Element {
    let table = &figures.table;
    let mut list = element("dl").class("figures");
    let mut add = |term: String, number: String, unit: &str| {
        let number = element("dd")
            .words(number)
            .holds(element("small").words(format!(" {unit}")));
        let pair = element("div")
            .holds(element("dt").words(term))
            .holds(number);
        list = std::mem::replace(&mut list, element("dl")).holds(pair);
    };
    if let Some(first) = spans.first() {
        let exits: i128 = table.rows.iter().map(|row| first.exits(row)).sum();
        let term = match first.title.as_str() {
            "boot" => "until boot".to_owned(),
            other => other.to_owned(),
        };
        add(term, grouped(exits.unsigned_abs()), "exits");
    }
    for span in spans.iter().filter(|span| span.is_quiet()).take(1) {
        let rates: Option<f64> = table.rows.iter().map(|row| span.rate(row)).sum();
        if let Some(rate) = rates {
            add(format!("while {}", span.title), decimal(rate), "exits/s");
        }
    }
    if let Some(total) = table.totals().last().filter(|_| spans.len() > 1) {
        add("in all".to_owned(), grouped(*total), "exits");
    }
    if !spans.is_empty() {
        let happened = table
            .rows
            .iter()
            .filter(|row| !row.never_happened())
            .count();
        add("happened".to_owned(), happened.to_string(), "reasons");
    }
    let broken = figures
        .checks
        .as_ref()
        .map(|checks| checks.broken(Class::Promise).len());
    match broken {
        _ if spans.is_empty() => {}
        Some(0) => add("checks".to_owned(), "✓".to_owned(), "every promise held"),
        Some(n) => add("checks".to_owned(), format!("✗ {n}"), "broken"),
        None => {}
    }
    list
}
