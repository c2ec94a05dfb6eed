//! Runs as a whole, in a format that other programs read.

use serde_json::{Value, json};

use exitlab_model::reasons::Reason;
use exitlab_model::record::{ReasonStatus, RunRecord, Sample};

use super::markdown::table_md;
use super::openmetrics::openmetrics;
use super::tidy::{channels, hex, isa_word, tidy_csv};
use crate::figures::RunFigures;
use exitlab_model::reasons::Isa;

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// How runs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A line for each count: sample, channel and reason.
    Csv,
    /// The same as one object, which needs no other file to be understood.
    Json,
    /// The table for people of each run.
    Markdown,
    /// OpenMetrics text.
    OpenMetrics,
}

/// Runs in a format: the cells of a matrix, or one run.
///
/// # Errors
///
/// If what a record holds cannot be told as JSON.
pub fn export(records: &[RunRecord], format: ExportFormat) -> Result<String, serde_json::Error> {
    Ok(match format {
        ExportFormat::Csv => tidy_csv(records),
        ExportFormat::Json => {
            let runs = records.iter().map(run).collect::<Result<Vec<_>, _>>()?;
            format!("{:#}\n", json!({"schema": SCHEMA, "runs": runs}))
        }
        ExportFormat::Markdown => {
            let tables = records.iter().map(|record| {
                let figures = RunFigures::of_record(record, record.reasons());
                table_md(&figures)
            });
            tables.collect::<Vec<_>>().join("\n")
        }
        ExportFormat::OpenMetrics => openmetrics(records),
    })
}

fn run(record: &RunRecord) -> Result<Value, serde_json::Error> {
    let samples: Vec<Value> = record.samples.iter().map(|s| sample(record, s)).collect();
    Ok(json!({
        "experiment": record.experiment,
        "platform": record.platform,
        "isa": isa_word(record.isa.unwrap_or(Isa::Vmx)),
        "started": record.started,
        "finished": record.finished,
        "outcome": serde_json::to_value(&record.outcome)?,
        "attempts": record.attempts,
        "cell": serde_json::to_value(&record.cell)?,
        "provenance": serde_json::to_value(&record.provenance)?,
        "samples": samples,
    }))
}

fn sample(record: &RunRecord, sample: &Sample) -> Value {
    let readings = channels(sample).map(|(channel, values)| {
        let counts: Vec<Value> = record
            .reasons()
            .defined()
            .map(|reason| {
                let slot = record.reasons().slot(reason.number).unwrap_or(usize::MAX);
                count(record, reason, slot, values.of_slot(slot))
            })
            .collect();
        json!({"channel": channel, "counts": counts})
    });
    json!({
        "sample": sample.number,
        "label": sample.label,
        "phase": sample.phase,
        "host_s": sample.clocks.host_s,
        "guest_s": sample.clocks.guest_s,
        "readings": readings.collect::<Vec<_>>(),
    })
}

fn count(
    record: &RunRecord,
    reason: &Reason,
    slot: usize,
    (count, cycles): (u64, Option<u64>),
) -> Value {
    let status = record.statuses.get(slot).map(|status| match status {
        ReasonStatus::Undefined => "undefined",
        ReasonStatus::NotEnabled => "not-enabled",
        ReasonStatus::Enabled => "enabled",
    });
    json!({
        "reason": reason.number,
        "hex": hex(reason.number),
        "mnemonic": reason.mnemonic,
        "name": reason.name,
        "status": status,
        "count": count,
        "cycles": cycles,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    #[test]
    fn every_format_has_every_run() {
        let records = [fixture::record(), fixture::record_of(Isa::Svm, true)];
        let text = |format| export(&records, format).unwrap();
        assert_eq!(text(ExportFormat::Csv).lines().count(), 1 + 9 * (80 + 175));
        assert_eq!(text(ExportFormat::Markdown).matches("\n# ").count(), 1);
        assert!(text(ExportFormat::OpenMetrics).contains("isa=\"svm\""));
        let json: Value = serde_json::from_str(&text(ExportFormat::Json)).unwrap();
        let last = json["runs"][1]["samples"][2]["readings"][1]["counts"]
            .as_array()
            .unwrap();
        let hlt = last
            .iter()
            .find(|count| count["mnemonic"] == "HLT")
            .unwrap();
        let expected = json!({
            "reason": 120, "hex": "0x78", "mnemonic": "HLT", "name": "HLT",
            "status": "enabled", "count": 176, "cycles": 176 * 11_000_000_u64,
        });
        assert_eq!(*hlt, expected);
    }
}
