//! A comparison for programs.

use serde_json::{Value, json};

use crate::compare::{
    CellComparison, Comparison, Difference, Finding, Move, Moved, UNKNOWN_REASON, Verdict,
};
use crate::export::csv::csv_text;
use crate::export::reason_title;
use exitlab_model::reasons::{Isa, ReasonTable};

/// The word of a verdict for programs.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Differs => "differs",
        Verdict::NotRepeatable => "not-repeatable",
        Verdict::Undecided { .. } => "undecided",
        Verdict::BelowFloor => "below-floor",
        Verdict::Same => "same",
        Verdict::TooFew => "too-few-exits",
    }
}

const HEADER: [&str; 17] = [
    "platform",
    "experiment",
    "cell",
    "phase",
    "reason",
    "name",
    "base",
    "head",
    "change",
    "relative",
    "low",
    "high",
    "p",
    "p_holm",
    "base_cycles_per_exit",
    "head_cycles_per_exit",
    "verdict",
];

/// One line for each reason of each phase.
pub(super) fn csv(comparison: &Comparison) -> String {
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    for cell in &comparison.cells {
        lines.extend(cell.findings.iter().map(|finding| csv_line(cell, finding)));
    }
    csv_text(&lines)
}

fn csv_line(cell: &CellComparison, finding: &Finding) -> Vec<String> {
    let values = cell.key.values.iter().map(|(k, v)| format!("{k}={v}"));
    let name = match finding.reason {
        UNKNOWN_REASON => reason_title(finding.reason, cell.isa),
        reason => ReasonTable::of(cell.isa).name(reason).to_owned(),
    };
    let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    vec![
        cell.key.platform.clone(),
        cell.key.experiment.clone(),
        values.collect::<Vec<_>>().join(" "),
        finding.phase.clone(),
        finding.reason.to_string(),
        name,
        finding.base.mean().to_string(),
        finding.head.mean().to_string(),
        finding.change().to_string(),
        text(finding.relative()),
        text(finding.interval.map(|interval| interval.low)),
        text(finding.interval.map(|interval| interval.high)),
        text(finding.tested.map(|tested| tested.p)),
        text(finding.tested.map(|tested| tested.adjusted)),
        text(finding.base.cycles_per_exit()),
        text(finding.head.cycles_per_exit()),
        word(finding.verdict).to_owned(),
    ]
}

/// Everything, with the numbers of each repeat.
pub(super) fn json(comparison: &Comparison) -> String {
    let settings = &comparison.settings;
    let document = json!({
        "schema": 1,
        "base": comparison.names[0],
        "head": comparison.names[1],
        "level": settings.level,
        "floor": settings.floor,
        "least_exits": settings.least_exits,
        "tests": comparison.tests,
        "notes": comparison.notes,
        "cells": comparison.cells.iter().map(json_cell).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn json_cell(cell: &CellComparison) -> Value {
    let difference = |d: &Difference| json!({"name": d.name, "base": d.base, "head": d.head});
    json!({
        "platform": cell.key.platform,
        "experiment": cell.key.experiment,
        "values": cell.key.values,
        "isa": cell.isa,
        "channel": cell.channel,
        "base_repeats": cell.repeats[0],
        "head_repeats": cell.repeats[1],
        "provenance": cell.differences.iter().map(difference).collect::<Vec<_>>(),
        "notes": cell.notes,
        "findings": cell.findings.iter().map(|f| json_finding(f, cell.isa)).collect::<Vec<_>>(),
    })
}

fn json_finding(finding: &Finding, isa: Isa) -> Value {
    let needs = match finding.verdict {
        Verdict::Undecided { needs, .. } => Some(needs),
        _ => None,
    };
    json!({
        "phase": finding.phase,
        "reason": finding.reason,
        "name": ReasonTable::of(isa).name(finding.reason),
        "base": finding.base.exits,
        "head": finding.head.exits,
        "change": finding.change(),
        "relative": finding.relative(),
        "interval": finding.interval.map(|interval| [interval.low, interval.high]),
        "p": finding.tested.map(|tested| tested.p),
        "p_holm": finding.tested.map(|tested| tested.adjusted),
        "base_cycles_per_exit": finding.base.cycles_per_exit(),
        "head_cycles_per_exit": finding.head.cycles_per_exit(),
        "verdict": word(finding.verdict),
        "needs_repeats": needs,
        "below": finding.moved.iter().map(json_moved).collect::<Vec<_>>(),
    })
}

/// What moved below a reason: of each kind the farthest by name, and how many others.
fn json_moved(moved: &Moved) -> Value {
    let item = |one: &Move| {
        json!({
            "detail": one.spelling,
            "name": one.name,
            "base": one.base,
            "head": one.head,
            "change": one.change(),
        })
    };
    json!({
        "kind": moved.kind.name(),
        "items": moved.items.iter().map(item).collect::<Vec<_>>(),
        "others": moved.others,
        "others_change": moved.rest,
        "untold_change": moved.untold,
    })
}
