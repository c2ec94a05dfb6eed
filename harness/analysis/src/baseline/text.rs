//! The text of a baseline: sorted, so that equal counts give equal text, and a difference
//! in a review is a difference in counts.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::below;
use super::document::SCHEMA;
use super::line::{numbers, reason_key};
use crate::compare::{CellCounts, PhaseCounts, Series};
use exitlab_base::foreign::toml;
use exitlab_model::reasons::Isa;

const HEAD: &str = "\
# VM exits by cell, phase and reason: a baseline of exitlab. Written by `exitlab baseline`;
# docs/regression.md explains it. A reason that is not listed had no exits.
";

/// The whole file.
pub fn text(cells: &[CellCounts]) -> String {
    let mut cells: Vec<&CellCounts> = cells.iter().collect();
    cells.sort_by(|one, other| one.key.cmp(&other.key));
    let common = common_facts(&cells);
    let mut text = format!("{HEAD}schema = {SCHEMA}\n");
    if !common.is_empty() {
        text += "\n# What all cells have in common.\n[provenance]\n";
        facts(
            &mut text,
            common.iter().map(|(name, value)| (*name, *value)),
        );
    }
    for cell in cells {
        write_cell(&mut text, cell, &common);
    }
    text
}

fn common_facts<'a>(cells: &[&'a CellCounts]) -> BTreeMap<&'a str, &'a str> {
    let Some((first, others)) = cells.split_first() else {
        return BTreeMap::new();
    };
    let everywhere = |(name, value): &(&String, &String)| {
        others
            .iter()
            .all(|cell| cell.facts.0.get(*name) == Some(value))
    };
    let shared = first.facts.0.iter().filter(everywhere);
    shared
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn facts<'a>(text: &mut String, facts: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in facts {
        let _ = writeln!(text, "{} = {}", toml(name), toml(value));
    }
}

fn write_cell(text: &mut String, cell: &CellCounts, common: &BTreeMap<&str, &str>) {
    let isa = cell.isa.name().to_lowercase();
    let values: Vec<String> = cell
        .key
        .values
        .iter()
        .map(|(key, value)| format!("{} = {}", toml(key), toml(value)))
        .collect();
    let phases: Vec<String> = cell.phases.iter().map(|phase| toml(&phase.name)).collect();
    let _ = write!(
        text,
        "\n[[cell]]\nplatform = {}\nexperiment = {}\nisa = \"{isa}\"\nchannel = \"{}\"\n\
         repeats = {}\nvalues = {{{}}}\nphases = [{}]\n",
        toml(&cell.key.platform),
        toml(&cell.key.experiment),
        cell.channel,
        cell.repeats,
        values.join(", "),
        phases.join(", "),
    );
    below::write_told(text, cell);
    let own: Vec<(&str, &str)> = cell
        .facts
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !common.contains_key(name))
        .collect();
    if !own.is_empty() {
        *text += "\n[cell.provenance]\n";
        facts(text, own.into_iter());
    }
    for phase in &cell.phases {
        write_phase(text, phase, cell.isa);
    }
    for phase in &cell.phases {
        below::write_phase(text, phase, cell);
    }
}

fn write_phase(text: &mut String, phase: &PhaseCounts, isa: Isa) {
    let _ = writeln!(text, "\n[cell.exits.{}]", toml(&phase.name));
    for (&reason, series) in &phase.reasons {
        let _ = writeln!(
            text,
            "{} = {}",
            toml(&reason_key(reason, isa)),
            line(series)
        );
    }
}

fn line(series: &Series) -> String {
    match series.cycles.is_empty() {
        true => numbers(&series.exits),
        false => format!(
            "{{ exits = {}, cycles = {} }}",
            numbers(&series.exits),
            numbers(&series.cycles)
        ),
    }
}
