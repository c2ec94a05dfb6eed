//! Tables for programs.

use crate::figures::{CountTable, Row};
use exitlab_base::foreign;
use exitlab_model::reasons::{Reason, ReasonTable};
use exitlab_model::record::{
    CpuidReading, ReasonStatus, RunRecord, Sample, StatsReading, TraceReading,
};

/// A run is one cell until plans have a matrix.
const CELL: &str = "1";

const SAMPLES_HEADER: [&str; 10] = [
    "cell", "sample", "phase", "channel", "guest_s", "host_s", "reason", "name", "count", "cycles",
];

/// `samples.csv`: one line for each sample, channel and reason that `reasons` defines.
/// `stats` is the reading before the guest was asked. Cycles stay empty if they were not
/// counted.
pub fn samples_csv(record: &RunRecord, reasons: &ReasonTable) -> String {
    let mut lines = vec![SAMPLES_HEADER.map(str::to_owned).to_vec()];
    for sample in &record.samples {
        for (channel, reading) in channels(sample) {
            let line = |reason: &Reason| {
                let slot = reasons.slot(reason.number).unwrap_or(usize::MAX);
                sample_line(sample, channel, reading.of_slot(slot), reason)
            };
            lines.extend(reasons.defined().map(line));
        }
    }
    csv_text(&lines)
}

/// The counters of one channel.
struct Values<'a> {
    counts: &'a [u64],
    cycles: Option<&'a [u64]>,
}

impl Values<'_> {
    /// Count and cycles of a slot.
    fn of_slot(&self, slot: usize) -> (u64, Option<u64>) {
        let value = |values: &[u64]| values.get(slot).copied().unwrap_or(0);
        (value(self.counts), self.cycles.map(value))
    }
}

impl<'a> From<&'a StatsReading> for Values<'a> {
    fn from(reading: &'a StatsReading) -> Values<'a> {
        Values {
            counts: &reading.counts,
            cycles: reading.cycles.as_deref(),
        }
    }
}

impl<'a> From<&'a TraceReading> for Values<'a> {
    fn from(reading: &'a TraceReading) -> Values<'a> {
        Values {
            counts: &reading.counts,
            cycles: None,
        }
    }
}

impl<'a> From<&'a CpuidReading> for Values<'a> {
    fn from(reading: &'a CpuidReading) -> Values<'a> {
        Values {
            counts: &reading.counts,
            cycles: reading.cycles.as_deref(),
        }
    }
}

/// The readings that a sample has, in the order in which they were taken.
fn channels(sample: &Sample) -> impl Iterator<Item = (&'static str, Values<'_>)> {
    let readings = [
        ("trace", sample.trace.as_ref().map(Values::from)),
        ("stats", sample.stats_before.as_ref().map(Values::from)),
        ("cpuid", sample.cpuid.as_ref().map(Values::from)),
        ("stats-after", sample.stats_after.as_ref().map(Values::from)),
    ];
    readings
        .into_iter()
        .filter_map(|(channel, reading)| Some((channel, reading?)))
}

fn sample_line(
    sample: &Sample,
    channel: &str,
    (count, cycles): (u64, Option<u64>),
    reason: &Reason,
) -> Vec<String> {
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
        cycles.map_or(String::new(), |cycles| cycles.to_string()),
    ]
}

/// `counts.csv`: one line for each row, one count for each column, and the cycles after
/// them if they were counted.
pub fn counts_csv(table: &CountTable) -> String {
    let fixed = ["reason", "name", "status"].map(str::to_owned);
    let counts = (1..=table.columns.len()).map(|n| format!("count_{n}"));
    let cycles = if table.has_cycles() {
        table.columns.len()
    } else {
        0
    };
    let cycles = (1..=cycles).map(|n| format!("cycles_{n}"));
    let header = fixed.into_iter().chain(counts).chain(cycles).collect();
    let lines: Vec<_> = std::iter::once(header)
        .chain(table.rows.iter().map(count_line))
        .collect();
    csv_text(&lines)
}

fn status_word(status: ReasonStatus) -> &'static str {
    match status {
        ReasonStatus::Undefined => "undefined",
        ReasonStatus::NotEnabled => "not-enabled",
        ReasonStatus::Enabled => "enabled",
    }
}

fn count_line(row: &Row) -> Vec<String> {
    let status = row.status.map_or("", status_word);
    let fixed = [row.reason.to_string(), row.name.clone(), status.to_owned()];
    fixed
        .into_iter()
        .chain(row.counts.iter().chain(&row.cycles).map(u64::to_string))
        .collect()
}

/// Lines of fields as CSV, none of which is a formula; they are quoted where they must be.
pub(super) fn csv_text(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for line in lines {
        let fields: Vec<String> = line
            .iter()
            .map(|field| quoted(&foreign::csv(field)))
            .collect();
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
    use crate::figures::{Column, fixture};
    use exitlab_model::reasons::Isa;
    use exitlab_model::record::ReasonStatus;

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
    fn counts_with_cycles() {
        let record = fixture::record_of(Isa::Svm, true);
        let text = counts_csv(&CountTable::from_record(&record, ReasonTable::svm()));
        let lines = text.lines().filter(|line| {
            ["reason", "114,", "1024,", "4294967295,"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
        let samples = samples_csv(&record, ReasonTable::svm());
        assert_eq!(samples.lines().count(), 1 + 3 * 3 * 175);
        assert!(samples.contains(",cpuid,2.650000,10.900000,120,HLT,19,209000000\n"));
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

    /// Columns of counts, and as many of cycles or none.
    fn sizes() -> impl Strategy<Value = (usize, usize)> {
        (1usize..5, any::<bool>()).prop_map(|(n, cycles)| (n, if cycles { n } else { 0 }))
    }

    fn rows((columns, cycles): (usize, usize)) -> impl Strategy<Value = Vec<Row>> {
        let status = prop::option::of(prop::sample::select(vec![
            ReasonStatus::Undefined,
            ReasonStatus::NotEnabled,
            ReasonStatus::Enabled,
        ]));
        let fields = (
            ".{0,20}",
            status,
            prop::collection::vec(any::<u64>(), columns),
            prop::collection::vec(any::<u64>(), cycles),
        );
        prop::collection::btree_map(any::<u32>(), fields, 1..20).prop_map(|rows| {
            let row = |(reason, (name, status, counts, cycles))| Row {
                reason,
                name,
                status,
                counts,
                cycles,
            };
            rows.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn counts_come_back(rows in sizes().prop_flat_map(rows)) {
            let columns = vec![Column::default(); rows[0].counts.len()];
            let table = CountTable { isa: Isa::Vmx, columns, rows };
            let mut shown = table.clone();
            for row in &mut shown.rows {
                row.name = foreign::csv(&row.name);
            }
            prop_assert_eq!(fixture::table(&counts_csv(&table)), shown);
        }
    }
}
