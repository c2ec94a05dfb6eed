//! The list of results: for people, for spreadsheets, and for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use exitlab_analysis::export::grouped;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign;

use super::words::{moment, rfc3339, size};
use super::{Found, Kept};

/// Version of the list for programs.
const SCHEMA: u32 = 1;

/// A line for each, the oldest first; then what lies there and is no results.
pub fn table(all: &[Kept]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "results",
        "began (UTC)",
        "sort",
        "experiment",
        "platform",
        "outcome",
        "exits",
        "size",
    ]);
    let (mut number, mut bytes, mut others) = (0_usize, 0_u64, String::new());
    for kept in all {
        let path = kept.path().display().to_string();
        let Found::Results(about) = &kept.found else {
            others += &format!("{}: {}\n", foreign::line(&path), foreign::line(&why(kept)));
            continue;
        };
        number += 1;
        bytes = bytes.saturating_add(kept.measure.bytes);
        table.add_row([
            foreign::cell(&path),
            moment(kept.when()),
            about.sort.word().to_owned(),
            foreign::cell(&about.experiment),
            foreign::cell(&about.platform),
            outcome(kept),
            about.exits.map_or_else(String::new, grouped),
            size(kept.measure.bytes),
        ]);
    }
    for column in [6, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let sum = format!("{number} results, {}", size(bytes));
    let gap = if others.is_empty() { "" } else { "\n" };
    match number {
        0 => format!("No results.\n{gap}{others}"),
        _ => format!("{}\n\n{sum}\n{gap}{others}", table.trim_fmt()),
    }
}

/// What came of it; what somebody works on is told as that.
pub(super) fn outcome(kept: &Kept) -> String {
    let Found::Results(about) = &kept.found else {
        return why(kept);
    };
    let ends = match (kept.in_use, about.outcome.as_str()) {
        (true, "unfinished" | "") => return "in progress".to_owned(),
        (false, "unfinished") => return "unfinished: its exitlab was killed".to_owned(),
        (false, "") => return "left behind: its exitlab was killed".to_owned(),
        (true, _) => ", in progress",
        (false, _) => "",
    };
    format!("{}{ends}", about.outcome)
}

/// Why something is no results.
fn why(kept: &Kept) -> String {
    match &kept.found {
        Found::Damaged(why) => format!("damaged: {why}"),
        Found::Foreign | Found::Results(_) => "no results of exitlab's".to_owned(),
    }
}

/// A line of the list, for programs.
#[derive(Serialize)]
struct Line<'a> {
    path: String,
    /// Of [`super::Sort`]; `damaged` or `foreign`.
    sort: &'static str,
    experiment: Option<&'a str>,
    platform: Option<&'a str>,
    started: Option<&'a str>,
    changed: String,
    outcome: String,
    in_use: bool,
    exits: Option<u128>,
    bytes: u64,
}

#[derive(Serialize)]
struct Listing<'a> {
    schema: u32,
    results: Vec<Line<'a>>,
}

fn line(kept: &Kept) -> Line<'_> {
    let about = match &kept.found {
        Found::Results(about) => Some(about),
        Found::Damaged(_) | Found::Foreign => None,
    };
    let known = |text: &'_ str| !text.is_empty();
    Line {
        path: kept.path().display().to_string(),
        sort: match &kept.found {
            Found::Results(about) => about.sort.word(),
            Found::Damaged(_) => "damaged",
            Found::Foreign => "foreign",
        },
        experiment: about.map(|a| a.experiment.as_str()).filter(|t| known(t)),
        platform: about.map(|a| a.platform.as_str()).filter(|t| known(t)),
        started: about.and_then(|about| about.started.as_deref()),
        changed: rfc3339(kept.measure.changed),
        outcome: outcome(kept),
        in_use: kept.in_use,
        exits: about.and_then(|about| about.exits),
        bytes: kept.measure.bytes,
    }
}

/// One JSON object, and a newline.
pub fn json(all: &[Kept]) -> Result<String> {
    let listing = Listing {
        schema: SCHEMA,
        results: all.iter().map(line).collect(),
    };
    let text =
        serde_json::to_string_pretty(&listing).map_err(Error::json("write", "standard output"))?;
    Ok(format!("{text}\n"))
}

/// A header, and a line for each.
pub fn csv(all: &[Kept]) -> Result<String> {
    let failed = |error: csv::Error| Error::io("write", "standard output")(error.into());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = [
        "path",
        "sort",
        "experiment",
        "platform",
        "started",
        "changed",
        "outcome",
        "in_use",
        "exits",
        "bytes",
    ];
    writer.write_record(header).map_err(failed)?;
    for kept in all {
        let line = line(kept);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let fields = [
            line.path,
            line.sort.to_owned(),
            text(line.experiment),
            text(line.platform),
            text(line.started),
            line.changed,
            line.outcome,
            line.in_use.to_string(),
            line.exits
                .map_or_else(String::new, |exits| exits.to_string()),
            line.bytes.to_string(),
        ];
        let fields = fields.map(|field| foreign::csv(&field));
        writer.write_record(&fields).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| Error::io("write", "standard output")(e.into_error()))?;
    Ok(foreign::bytes(&bytes))
}
