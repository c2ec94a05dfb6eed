//! Every reason that happened, phase beside phase; then those that did not.

use exitlab_analysis::export::{counted, decimal, grouped, percent, signed};
use exitlab_analysis::figures::{CountTable, Row, RunFigures};
use exitlab_model::record::ReasonStatus;

use crate::bar;
use crate::html::{Element, element};
use crate::page::Section;
use crate::scale::Scale;
use crate::span::Span;
use crate::table::{Cell, Table, Title};

/// Runs with more samples than this have no table of all their counts: `counts.csv` has them.
const MOST_SAMPLES: usize = 12;

/// The section, if a sample was taken.
pub fn section(figures: &RunFigures, spans: &[Span]) -> Option<Section> {
    let table = &figures.table;
    if table.columns.is_empty() {
        return None;
    }
    let mut content = vec![tools(2, "reasons"), reasons(table, spans)];
    content.extend(never(table));
    content.extend(at_each_sample(table));
    Some(Section {
        id: "reasons",
        title: "Exits by reason".to_owned(),
        content,
    })
}

/// What only the script can do shows only where it runs: a filter of rows, by the words in their
/// first columns.
pub fn tools(columns: usize, noun: &str) -> Element {
    let filter = element("input")
        .with("type", "search")
        .with("autocomplete", "off")
        .with("placeholder", "name or number");
    let label = element("label").words("Filter ").holds(filter);
    let found = element("output").with("aria-live", "polite");
    element("p")
        .class("tools")
        .with("data-columns", columns.to_string())
        .with("data-noun", noun)
        .flag("hidden")
        .holds(label)
        .holds(found)
}

fn reasons(table: &CountTable, spans: &[Span]) -> Element {
    let happened: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| !row.never_happened())
        .collect();
    let most = happened
        .iter()
        .flat_map(|row| spans.iter().map(|span| span.exits(row)));
    let scale = Scale::reaching(most.max().unwrap_or(0).max(0) as u128);
    let columns = columns(table, spans, scale);
    let line = |row: Option<&Row>| columns.iter().map(|column| (column.cell)(row)).collect();
    let mut rows: Vec<&Row> = happened;
    rows.sort_by(|one, other| {
        other
            .last()
            .cmp(&one.last())
            .then(one.reason.cmp(&other.reason))
    });
    let (from, to) = scale.ends();
    let caption = format!(
        "Exits by reason and phase. Bars are on a logarithmic scale from {from} to {to}, the \
         same in all columns: each line is ten times the one before."
    );
    Table {
        caption,
        titles: columns.iter().map(|column| column.title.clone()).collect(),
        rows: rows.into_iter().map(|row| line(Some(row))).collect(),
        total: Some(line(None)),
        subject: 1,
        sorted: Some(columns.len() - 1),
    }
    .drawn("reasons")
}

/// A column: its title, and its cell in the row of a reason, or in that of all.
struct Column<'a> {
    title: Title,
    cell: OfRow<'a>,
}

/// A cell of the row of a reason, or of that of all.
type OfRow<'a> = Box<dyn Fn(Option<&Row>) -> Cell + 'a>;

fn columns<'a>(table: &'a CountTable, spans: &'a [Span], scale: Scale) -> Vec<Column<'a>> {
    let mut columns: Vec<Column<'a>> = Vec::new();
    let mut add = |title: Title, cell: OfRow<'a>| {
        columns.push(Column { title, cell });
    };
    let number = |row: &Row| Cell::number(table.isa.label(row.reason), f64::from(row.reason));
    add(
        Title::numbers("#"),
        Box::new(move |row| row.map_or(Cell::words(""), number)),
    );
    add(
        Title::words("exit reason"),
        Box::new(|row| Cell::words(row.map_or("total", |row| &row.name))),
    );
    if table.rows.iter().any(|row| row.status.is_some()) {
        add(
            Title::aside("status"),
            Box::new(|row| Cell::words(row.map_or("", |row| status(row.status)))),
        );
    }
    for (at, span) in spans.iter().enumerate() {
        let exits = sum(table, move |row| span.exits(row));
        add(
            Title::bars(span.heading()),
            Box::new(move |row| amount(scale, at, exits(row), row.is_some())),
        );
        if at == 0 {
            let exits = sum(table, move |row| span.exits(row));
            add(
                Title::numbers(format!("of {}", span.title)),
                Box::new(move |row| share(exits(row), exits(None))),
            );
        }
        if span.seconds.is_some() {
            let rate = move |row: Option<&Row>| match row {
                Some(row) => span.rate(row),
                None => table.rows.iter().map(|row| span.rate(row)).sum(),
            };
            add(
                Title::numbers("per second"),
                Box::new(move |row| match rate(row) {
                    Some(rate) => Cell::number(decimal(rate), rate),
                    None => Cell::words("unknown"),
                }),
            );
        }
    }
    let all = sum(table, |row| i128::from(row.last()));
    add(
        Title::numbers("in all"),
        Box::new(move |row| Cell::number(plain(all(row)), all(row) as f64)),
    );
    columns
}

/// An amount of one reason, or the sum over all.
fn sum<'a>(
    table: &'a CountTable,
    of: impl Fn(&Row) -> i128 + 'a,
) -> impl Fn(Option<&Row>) -> i128 + 'a {
    move |row| match row {
        Some(row) => of(row),
        None => table.rows.iter().map(&of).sum(),
    }
}

/// A number with a bar; the sum over all has none, for it is of another size.
fn amount(scale: Scale, span: usize, exits: i128, bars: bool) -> Cell {
    let words = plain(exits);
    if !bars {
        return Cell::number(words, exits as f64);
    }
    // The first phase is one thing, what follows another.
    let kind = if span == 0 { "first" } else { "later" };
    let drawn = bar::counted(scale, kind, exits.max(0) as u128, &words);
    Cell::drawn(drawn, exits as f64)
}

/// Counts do not decrease; a file can hold some that do.
fn plain(exits: i128) -> String {
    match exits {
        0.. => grouped(exits as u128),
        _ => signed(exits),
    }
}

fn share(exits: i128, all: i128) -> Cell {
    let (exits, all) = (exits.max(0) as u128, all.max(0) as u128);
    Cell::number(percent(exits, all), exits as f64)
}

fn status(status: Option<ReasonStatus>) -> &'static str {
    match status {
        None => "unknown",
        Some(ReasonStatus::Undefined) => "undefined",
        Some(ReasonStatus::NotEnabled) => "not enabled",
        Some(ReasonStatus::Enabled) => "enabled",
    }
}

/// Reasons without exits, folded away.
fn never(table: &CountTable) -> Option<Element> {
    let never: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| row.never_happened())
        .collect();
    let groups = [
        ("Enabled", Some(ReasonStatus::Enabled)),
        (
            "Not enabled: this VM cannot have them",
            Some(ReasonStatus::NotEnabled),
        ),
        ("Undefined numbers", Some(ReasonStatus::Undefined)),
        ("Not known whether enabled", None),
    ];
    let groups = groups.into_iter().filter_map(|(title, status)| {
        let rows = never.iter().filter(|row| row.status == status);
        let items: Vec<Element> = rows.map(|row| member(row, table)).collect();
        let title = format!("{title} ({})", items.len());
        (!items.is_empty()).then(|| {
            let group = element("div").class("group");
            let list = element("ul").all(items);
            group.holds(element("h3").words(title)).holds(list)
        })
    });
    let title = format!("{} without exits", counted(never.len(), "reason number"));
    (!never.is_empty()).then(|| folded("never", &title).all(groups))
}

fn member(row: &Row, table: &CountTable) -> Element {
    let number = element("span")
        .class("no")
        .words(table.isa.label(row.reason));
    let item = element("li").holds(number);
    match row.status {
        Some(ReasonStatus::Undefined) => item,
        _ => item.words(format!(" {}", row.name)),
    }
}

/// The counts as they were read.
fn at_each_sample(table: &CountTable) -> Option<Element> {
    if !(2..=MOST_SAMPLES).contains(&table.columns.len()) {
        return None;
    }
    let mut titles = vec![Title::numbers("#"), Title::words("exit reason")];
    titles.extend(table.columns.iter().enumerate().map(|(at, column)| {
        let label = if column.label.is_empty() {
            "count"
        } else {
            &column.label
        };
        Title::numbers(format!("{} {label}", at + 1))
    }));
    let rows = table
        .rows
        .iter()
        .filter(|row| !row.never_happened())
        .map(|row| {
            let counts = row
                .counts
                .iter()
                .map(|&count| Cell::words(grouped(count.into())));
            let number = Cell::words(table.isa.label(row.reason));
            [number, Cell::words(&row.name)]
                .into_iter()
                .chain(counts)
                .collect()
        });
    let totals = table
        .totals()
        .into_iter()
        .map(|total| Cell::words(grouped(total)));
    let drawn = Table {
        caption: "Exits from power-on to each sample".to_owned(),
        titles,
        rows: rows.collect(),
        total: Some(
            [Cell::words(""), Cell::words("total")]
                .into_iter()
                .chain(totals)
                .collect(),
        ),
        subject: 1,
        sorted: None,
    }
    .drawn("plain");
    let mut folded = folded("samples", "Counts at each sample").holds(drawn);
    let moments: Option<Vec<String>> = table
        .columns
        .iter()
        .map(|column| Some(format!("{} at {:.3} s", column.label, column.guest_s?)))
        .collect();
    if let Some(moments) = moments {
        let words = format!("Guest uptime: {}.", moments.join(" · "));
        folded = folded.holds(element("p").words(words));
    }
    Some(folded)
}

/// Something that shows when its title is chosen.
pub fn folded(class: &str, title: &str) -> Element {
    element("details")
        .class(class)
        .holds(element("summary").words(title))
}
