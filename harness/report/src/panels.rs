//! Several runs side by side: the cells of a matrix, or runs that were named one by one. Small
//! multiples: every panel has the same reasons in the same order on the same scale.

use std::collections::BTreeMap;

use exitlab_analysis::export::{counted, decimal, grouped};
use exitlab_analysis::figures::{CountTable, Row};
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{Outcome, RunRecord};

use crate::bar;
use crate::html::{Element, element};
use crate::page::{Section, page};
use crate::run::badge;
use crate::scale::Scale;
use crate::span::{Span, spans};
use crate::table::{Cell, Table, Title};

/// Reasons of a panel: those that have the most exits of any panel.
const MOST_REASONS: usize = 10;

/// Panels that are drawn; of the others the table has a row each.
const MOST_PANELS: usize = 60;

/// What is shown of one run.
#[derive(Debug, Clone)]
pub struct Panel {
    name: String,
    isa: Isa,
    outcome: Outcome,
    /// Title, exits per second if known, and exits by reason of each phase.
    phases: Vec<Phase>,
}

#[derive(Debug, Clone)]
struct Phase {
    title: String,
    rate: Option<f64>,
    exits: BTreeMap<u32, i128>,
}

impl Phase {
    fn of(span: &Span, table: &CountTable) -> Phase {
        let exits = |row: &Row| (row.reason, span.exits(row));
        Phase {
            title: span.title.clone(),
            rate: table.rows.iter().map(|row| span.rate(row)).sum(),
            exits: table
                .rows
                .iter()
                .map(exits)
                .filter(|(_, exits)| *exits != 0)
                .collect(),
        }
    }

    fn all(&self) -> i128 {
        self.exits.values().sum()
    }

    fn exits(&self, reason: u32) -> i128 {
        self.exits.get(&reason).copied().unwrap_or(0)
    }
}

impl Panel {
    /// A run under a name; `None` stands for one that was never begun.
    pub fn of(name: &str, record: Option<&RunRecord>) -> Panel {
        let Some(record) = record else {
            return Panel {
                name: name.to_owned(),
                isa: Isa::Vmx,
                outcome: Outcome::Unfinished,
                phases: Vec::new(),
            };
        };
        let table = CountTable::from_record(record, record.reasons());
        Panel {
            name: name.to_owned(),
            isa: table.isa,
            outcome: record.outcome.clone(),
            phases: spans(&table)
                .iter()
                .map(|span| Phase::of(span, &table))
                .collect(),
        }
    }

    /// Exits of all phases.
    fn all(&self) -> i128 {
        self.phases.iter().map(Phase::all).sum()
    }
}

/// The page of all of them.
pub fn panels(title: &str, panels: &[Panel]) -> String {
    let complete = panels
        .iter()
        .filter(|panel| panel.outcome == Outcome::Complete)
        .count();
    let header = element("header")
        .holds(
            element("p")
                .class("mark")
                .words("exitlab · VM exits by reason"),
        )
        .holds(element("h1").words(title))
        .holds(element("p").class("facts").words(format!(
            "{}, {complete} complete",
            counted(panels.len(), "run")
        )));
    let mut sections = vec![Section {
        id: "overview",
        title: "Overview".to_owned(),
        content: vec![overview(panels)],
    }];
    let drawn = drawn(panels);
    if !drawn.is_empty() {
        sections.push(Section {
            id: "panels",
            title: "Run by run".to_owned(),
            content: drawn,
        });
    }
    page(&format!("{title}: VM exits by reason"), header, sections)
}

/// The phases that any of them has, in the order in which they come.
fn phases(panels: &[Panel]) -> Vec<&str> {
    let mut titles: Vec<&str> = Vec::new();
    for phase in panels.iter().flat_map(|panel| &panel.phases) {
        if !titles.contains(&phase.title.as_str()) {
            titles.push(&phase.title);
        }
    }
    titles
}

/// A row for each run: its sums.
fn overview(panels: &[Panel]) -> Element {
    let names = phases(panels);
    let most = panels
        .iter()
        .flat_map(|panel| panel.phases.iter().map(Phase::all))
        .max();
    let scale = Scale::reaching(most.unwrap_or(0).max(0) as u128);
    let mut titles = vec![Title::words("run"), Title::words("outcome")];
    for name in &names {
        titles.push(Title::bars(*name));
        if *name != "boot" {
            titles.push(Title::numbers(format!("{name} /s")));
        }
    }
    titles.push(Title::numbers("in all"));
    let row = |panel: &Panel| {
        let mut cells = vec![Cell::words(&panel.name), Cell::words(outcome(panel))];
        for name in &names {
            let phase = panel.phases.iter().find(|phase| phase.title == *name);
            cells.push(phase.map_or(Cell::words(""), |phase| amount(scale, name, phase.all())));
            if *name != "boot" {
                let rate = phase.and_then(|phase| phase.rate);
                cells.push(rate.map_or(Cell::words(""), |rate| Cell::number(decimal(rate), rate)));
            }
        }
        cells.push(Cell::number(
            grouped(panel.all().unsigned_abs()),
            panel.all() as f64,
        ));
        cells
    };
    let (from, to) = scale.ends();
    let caption = format!(
        "All exits of each run, by phase. Bars are on a logarithmic scale from {from} to {to}."
    );
    // As the matrix has them: sorted by no column until somebody asks.
    Table {
        caption,
        sorted: Some(titles.len()),
        titles,
        rows: panels.iter().map(row).collect(),
        ..Table::default()
    }
    .drawn("overview")
}

fn outcome(panel: &Panel) -> String {
    match (&panel.outcome, panel.phases.is_empty()) {
        (Outcome::Unfinished, true) => "not run".to_owned(),
        (outcome, _) => outcome.to_string(),
    }
}

fn amount(scale: Scale, phase: &str, exits: i128) -> Cell {
    let kind = if phase == "boot" { "first" } else { "later" };
    let count = exits.max(0) as u128;
    Cell::drawn(
        bar::counted(scale, kind, count, &grouped(count)),
        exits as f64,
    )
}

fn drawn(panels: &[Panel]) -> Vec<Element> {
    let whole: Vec<&Panel> = panels
        .iter()
        .filter(|panel| !panel.phases.is_empty())
        .collect();
    let Some(first) = whole.first() else {
        return Vec::new();
    };
    // Numbers of another instruction set are other reasons.
    let same: Vec<&Panel> = whole
        .iter()
        .copied()
        .filter(|panel| panel.isa == first.isa)
        .collect();
    let shown = &same[..same.len().min(MOST_PANELS)];
    let reasons = reasons(shown);
    let most = shown.iter().flat_map(|panel| &panel.phases);
    let most = most.flat_map(|phase| phase.exits.values().copied()).max();
    let scale = Scale::reaching(most.unwrap_or(0).max(0) as u128);
    let (from, to) = scale.ends();
    let words = format!(
        "The {} with the most exits in any run, the same in every panel. Bars are on a \
         logarithmic scale from {from} to {to}.",
        counted(reasons.len(), "reason")
    );
    let cells = shown.iter().map(|panel| draw(panel, &reasons, scale));
    let mut drawn = vec![
        element("p").words(words),
        element("div").class("panels").all(cells),
    ];
    let more = whole.len() - shown.len();
    if more > 0 {
        let words = format!(
            "… and {}, of which the overview tells.",
            counted(more, "run")
        );
        drawn.push(element("p").words(words));
    }
    drawn
}

fn reasons(panels: &[&Panel]) -> Vec<u32> {
    let mut most: BTreeMap<u32, i128> = BTreeMap::new();
    for phase in panels.iter().flat_map(|panel| &panel.phases) {
        for (reason, exits) in &phase.exits {
            let most = most.entry(*reason).or_default();
            *most = (*most).max(*exits);
        }
    }
    let mut all: Vec<(u32, i128)> = most.into_iter().collect();
    all.sort_by_key(|(reason, exits)| (std::cmp::Reverse(*exits), *reason));
    all.into_iter()
        .take(MOST_REASONS)
        .map(|(reason, _)| reason)
        .collect()
}

fn draw(panel: &Panel, reasons: &[u32], scale: Scale) -> Element {
    let mut titles = vec![Title::words("exit reason")];
    titles.extend(panel.phases.iter().map(|phase| Title::bars(&phase.title)));
    let rows = reasons.iter().map(|&reason| {
        let amounts = panel.phases.iter();
        let amounts = amounts.map(|phase| amount(scale, &phase.title, phase.exits(reason)));
        [Cell::words(ReasonTable::of(panel.isa).name(reason))]
            .into_iter()
            .chain(amounts)
            .collect()
    });
    let sums = panel
        .phases
        .iter()
        .map(|phase| Cell::words(grouped(phase.all().unsigned_abs())));
    let table = Table {
        caption: format!("{}: exits by reason and phase", panel.name),
        titles,
        rows: rows.collect(),
        total: Some(
            [Cell::words("all reasons")]
                .into_iter()
                .chain(sums)
                .collect(),
        ),
        ..Table::default()
    };
    let badge = (panel.outcome != Outcome::Complete).then(|| badge(&panel.outcome));
    element("article")
        .class("panel")
        .holds(element("h3").words(&panel.name))
        .all(badge)
        .holds(table.drawn("small"))
}
