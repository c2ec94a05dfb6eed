//! Samples in tidy form: a line for each count, with everything that says what it is a count
//! of, so that files of different runs can be put one below the other.

use exitlab_model::reasons::{Isa, Reason, ReasonTable};
use exitlab_model::record::{CpuidReading, RunRecord, Sample, StatsReading, TraceReading};

use super::csv::csv_text;

/// The columns.
const HEADER: [&str; 17] = [
    "experiment",
    "platform",
    "isa",
    "cell",
    "repeat",
    "phase",
    "sample",
    "label",
    "host_s",
    "guest_s",
    "channel",
    "reason",
    "hex",
    "mnemonic",
    "name",
    "count",
    "cycles",
];

/// The samples of runs, one after the other, below one header: a line for each sample, channel
/// and defined reason. `stats` is the reading before the guest was asked. What is not known,
/// and cycles that were not counted, are empty.
pub fn tidy_csv<'a>(records: impl IntoIterator<Item = &'a RunRecord>) -> String {
    let mut lines = vec![HEADER.map(str::to_owned).to_vec()];
    for record in records {
        add(record, &mut lines);
    }
    csv_text(&lines)
}

fn add(record: &RunRecord, lines: &mut Vec<Vec<String>>) {
    let reasons = record.reasons();
    let run = [
        record.experiment.clone(),
        record.platform.clone(),
        isa_word(record.isa.unwrap_or(Isa::Vmx)).to_owned(),
        cell_values(record),
        repeat(record).to_string(),
    ];
    for sample in &record.samples {
        for (channel, reading) in channels(sample) {
            let moment = [run.to_vec(), of_sample(sample, channel)].concat();
            let line = |reason: &Reason| {
                let count = of_reason(&reading, reason, reasons);
                [moment.clone(), count].concat()
            };
            lines.extend(reasons.defined().map(line));
        }
    }
}

/// The word of `isa` in `run.json`.
pub(super) fn isa_word(isa: Isa) -> &'static str {
    match isa {
        Isa::Vmx => "vmx",
        Isa::Svm => "svm",
    }
}

/// What a cell of a matrix has of each axis: `guest.vcpus=2;kvm_intel.ept=false`; empty for a
/// run by itself.
pub(super) fn cell_values(record: &RunRecord) -> String {
    let values = record.cell.iter().flat_map(|cell| &cell.values);
    let values: Vec<String> = values
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    values.join(";")
}

/// Which of the repeats a run is; a run by itself is the first.
pub(super) fn repeat(record: &RunRecord) -> u32 {
    record.cell.as_ref().map_or(1, |cell| cell.repeat)
}

fn of_sample(sample: &Sample, channel: &str) -> Vec<String> {
    let guest = sample.clocks.guest_s;
    vec![
        sample.phase.clone(),
        sample.number.to_string(),
        sample.label.clone(),
        format!("{:.6}", sample.clocks.host_s),
        guest.map_or(String::new(), |s| format!("{s:.6}")),
        channel.to_owned(),
    ]
}

fn of_reason(reading: &Values<'_>, reason: &Reason, reasons: &ReasonTable) -> Vec<String> {
    let slot = reasons.slot(reason.number).unwrap_or(usize::MAX);
    let (count, cycles) = reading.of_slot(slot);
    vec![
        reason.number.to_string(),
        hex(reason.number),
        reason.mnemonic.clone(),
        reason.name.clone(),
        count.to_string(),
        cycles.map_or(String::new(), |cycles| cycles.to_string()),
    ]
}

/// `0x400`
pub(super) fn hex(reason: u32) -> String {
    format!("{reason:#x}")
}

/// The counters of one channel.
pub(super) struct Values<'a> {
    counts: &'a [u64],
    cycles: Option<&'a [u64]>,
}

impl Values<'_> {
    /// Count and cycles of a slot.
    pub(super) fn of_slot(&self, slot: usize) -> (u64, Option<u64>) {
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
pub(super) fn channels(sample: &Sample) -> impl Iterator<Item = (&'static str, Values<'_>)> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::record::CellName;

    #[test]
    fn samples_of_a_run() {
        let text = tidy_csv([&fixture::record()]);
        assert_eq!(text.lines().count(), 1 + 3 * 3 * 80);
        let cpuid = text
            .lines()
            .filter(|line| line.contains(",10,0xa,CPUID,") || line.starts_with("experiment"));
        insta::assert_snapshot!(cpuid.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn files_of_different_runs_can_be_put_one_below_the_other() {
        let vmx = fixture::record();
        let mut svm = fixture::record_of(Isa::Svm, true);
        let values = [("guest.vcpus", "2"), ("guest.memory", "a,b")];
        svm.cell = Some(CellName {
            values: values
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            repeat: 3,
        });
        svm.experiment = "=HYPERLINK()".to_owned();
        let both = tidy_csv([&vmx, &svm]);
        let mut reader = csv::Reader::from_reader(both.as_bytes());
        assert_eq!(reader.headers().unwrap(), HEADER.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3 * 3 * 80 + 3 * 3 * 175);
        let last = rows
            .iter()
            .rfind(|row| (&row[10], &row[13]) == ("cpuid", "HLT"))
            .unwrap();
        let cell = "guest.memory=a,b;guest.vcpus=2";
        let expected = ["'=HYPERLINK()", "bochs-vmx", "svm", cell, "3", "idle", "3"];
        assert_eq!(last.iter().take(7).collect::<Vec<_>>(), expected);
        assert_eq!((&last[11], &last[12], &last[15]), ("120", "0x78", "176"));
        let alone: String = tidy_csv([&svm]).split_inclusive('\n').skip(1).collect();
        assert_eq!(both, tidy_csv([&vmx]) + &alone);
    }
}
