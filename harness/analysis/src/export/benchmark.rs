//! How good verdicts on noise were, in Markdown: false alarms, then what was found.

use super::markdown::aligned;
use super::numbers::{decimal, grouped};
use super::reason_title;
use crate::compare::{Benchmark, CellCounts, Percent, Settings};
use exitlab_base::foreign::markdown;

/// Both tables, with a line that says what was compared.
pub fn benchmark(
    cell: &CellCounts,
    results: &[Benchmark],
    plant: Percent,
    settings: &Settings,
) -> String {
    let head = format!(
        "{} repeats of {}, channel {}; level {} %, floor {} %, at least {} exits.",
        cell.repeats,
        markdown(&cell.key.to_string()),
        cell.channel,
        decimal(settings.level * 100.0),
        decimal(settings.floor * 100.0),
        settings.least_exits
    );
    let titles = [
        "repeats each",
        "comparisons",
        "tests in each",
        "with a false alarm",
        "undecided",
    ];
    let rows: Vec<Vec<String>> = results.iter().map(alarms).collect();
    let first = aligned(&titles.map(str::to_owned), &[false; 5], &rows);
    let mut titles = vec![
        "phase".to_owned(),
        "exit reason".to_owned(),
        "mean".to_owned(),
    ];
    titles.push("deviation".to_owned());
    titles.extend(
        results
            .iter()
            .map(|result| format!("found with {}", result.repeats)),
    );
    let text: Vec<bool> = (0..titles.len()).map(|at| at < 2).collect();
    let places = results
        .first()
        .map(|result| result.found.keys())
        .into_iter()
        .flatten();
    let rows: Vec<Vec<String>> = places.map(|place| found(cell, results, place)).collect();
    let second = match rows.is_empty() {
        true => "No reason has exits enough to plant an increase.".to_owned(),
        false => format!(
            "Planted: {plant} more, one place at a time.\n\n{}",
            aligned(&titles, &text, &rows)
        ),
    };
    format!("{head}\n\n{first}\n\n{second}\n")
}

fn alarms(result: &Benchmark) -> Vec<String> {
    let share = 100.0 * result.false_alarms as f64 / result.comparisons.max(1) as f64;
    vec![
        result.repeats.to_string(),
        result.comparisons.to_string(),
        decimal(result.tests as f64 / result.comparisons.max(1) as f64),
        format!("{} ({} %)", result.false_alarms, decimal(share)),
        result.undecided.to_string(),
    ]
}

fn found(cell: &CellCounts, results: &[Benchmark], place: &(String, u32)) -> Vec<String> {
    let (phase, reason) = place;
    let counts = cell
        .phase(phase)
        .map(|phase| phase.exits(*reason, cell.repeats));
    let counts = counts.unwrap_or_default();
    let mean = counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64;
    let squares: f64 = counts.iter().map(|&n| (n as f64 - mean).powi(2)).sum();
    let deviation = (squares / (counts.len().max(2) - 1) as f64).sqrt() / mean;
    let mut row = vec![
        phase.clone(),
        reason_title(*reason, cell.isa),
        grouped(mean.round() as u128),
        format!("{} %", decimal(deviation * 100.0)),
    ];
    row.extend(results.iter().map(|result| {
        let found = result.found.get(place).copied().unwrap_or(0);
        format!("{found} of {}", result.comparisons)
    }));
    row
}
