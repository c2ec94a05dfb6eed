//! Tables for programs.

use crate::analysis::{CountTable, Row, STATUS_WORDS};
use crate::reasons::{Reason, ReasonTable};
use crate::record::{RunRecord, Sample};

/// A run is one cell until plans have a matrix.
const CELL: &str = "1";

const SAMPLES_HEADER: [&str; 10] = [
    "cell", "sample", "phase", "channel", "guest_s", "host_s", "reason", "name", "count", "cycles",
];

/// `samples.csv`: one line for each sample, channel and reason that `reasons` defines.
/// `stats` is the reading before the guest was asked. Cycles stay empty until they are
/// sampled.
pub fn samples_csv(record: &RunRecord, reasons: &ReasonTable) -> String {
    let mut lines = vec![SAMPLES_HEADER.map(str::to_owned).to_vec()];
    for sample in &record.samples {
        for (channel, counts) in channels(sample) {
            let line = |reason: &Reason| sample_line(sample, channel, counts, reason);
            lines.extend(reasons.defined().map(line));
        }
    }
    csv_text(&lines)
}

/// The readings that a sample has, in the order in which they were taken.
fn channels(sample: &Sample) -> impl Iterator<Item = (&'static str, &[u64])> {
    let readings = [
        (
            "trace",
            sample.trace.as_ref().map(|reading| &*reading.counts),
        ),
        (
            "stats",
            sample.stats_before.as_ref().map(|reading| &*reading.counts),
        ),
        (
            "cpuid",
            sample.cpuid.as_ref().map(|reading| &*reading.counts),
        ),
        (
            "stats-after",
            sample.stats_after.as_ref().map(|reading| &*reading.counts),
        ),
    ];
    readings
        .into_iter()
        .filter_map(|(channel, counts)| Some((channel, counts?)))
}

fn sample_line(sample: &Sample, channel: &str, counts: &[u64], reason: &Reason) -> Vec<String> {
    let count = counts.get(reason.number as usize).copied().unwrap_or(0);
    vec![
        CELL.to_owned(),
        sample.number.to_string(),
        sample.phase.clone(),
        channel.to_owned(),
        sample
            .clocks
            .guest_s
            .map_or(String::new(), |s| format!("{s:.6}")),
        format!("{:.6}", sample.clocks.host_s),
        reason.number.to_string(),
        reason.name.clone(),
        count.to_string(),
        String::new(),
    ]
}

/// `counts.csv`: one line for each row, one count for each column.
/// [`CountTable::from_csv`] reads it back.
pub fn counts_csv(table: &CountTable) -> String {
    let fixed = ["reason", "name", "status"].map(str::to_owned);
    let counts = (1..=table.columns.len()).map(|n| format!("count_{n}"));
    let header = fixed.into_iter().chain(counts).collect();
    let lines: Vec<_> = std::iter::once(header)
        .chain(table.rows.iter().map(count_line))
        .collect();
    csv_text(&lines)
}

fn count_line(row: &Row) -> Vec<String> {
    let spelled = STATUS_WORDS
        .iter()
        .find(|(status, _)| *status == row.status);
    let status = spelled.map_or("", |(_, word)| word);
    let fixed = [row.reason.to_string(), row.name.clone(), status.to_owned()];
    fixed
        .into_iter()
        .chain(row.counts.iter().map(u64::to_string))
        .collect()
}

/// Lines of fields as CSV; fields are quoted where they must be.
fn csv_text(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for line in lines {
        let fields: Vec<String> = line.iter().map(|field| quoted(field)).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::{Column, fixture};
    use crate::record::ReasonStatus;

    fn head(text: &str, lines: usize) -> String {
        text.lines().take(lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn counts_of_a_run() {
        let table = CountTable::from_record(&fixture::record(), ReasonTable::vmx());
        let text = counts_csv(&table);
        assert_eq!(text.lines().count(), 1 + 86);
        insta::assert_snapshot!(head(&text, 14));
        assert!(text.contains("\n35,(undefined),undefined,0,0,0\n"));
    }

    #[test]
    fn counts_of_the_reference() {
        insta::assert_snapshot!(head(&counts_csv(&fixture::reference()), 14));
    }

    #[test]
    fn samples_of_a_run() {
        let text = samples_csv(&fixture::record(), ReasonTable::vmx());
        assert_eq!(text.lines().count(), 1 + 3 * 3 * 80);
        let cpuid = text
            .lines()
            .filter(|line| line.contains(",10,CPUID,") || line.starts_with("cell"));
        insta::assert_snapshot!(cpuid.collect::<Vec<_>>().join("\n"));
    }

    fn rows(columns: usize) -> impl Strategy<Value = Vec<Row>> {
        let status = prop::option::of(prop::sample::select(vec![
            ReasonStatus::Undefined,
            ReasonStatus::NotEnabled,
            ReasonStatus::Enabled,
        ]));
        // An empty name is the parser's cue to look it up, so it cannot come back.
        let fields = (
            ".{1,20}",
            status,
            prop::collection::vec(any::<u64>(), columns),
        );
        prop::collection::btree_map(any::<u32>(), fields, 1..20).prop_map(|rows| {
            let row = |(reason, (name, status, counts))| Row {
                reason,
                name,
                status,
                counts,
            };
            rows.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn counts_come_back(rows in (1usize..5).prop_flat_map(rows)) {
            let columns = vec![Column::default(); rows[0].counts.len()];
            let table = CountTable { columns, rows };
            let back = CountTable::from_csv("x", &counts_csv(&table), ReasonTable::vmx());
            prop_assert_eq!(back.unwrap(), table);
        }
    }
}
