//! Counts by reason and by moment: the table that everything else is derived from.

use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{ReasonStatus, RunRecord, Sample};

/// Exit counts: one row for each reason, one column for each sample.
#[derive(Debug, Clone, PartialEq)]
pub struct CountTable {
    /// Whose exit reasons these are.
    pub isa: Isa,
    /// The samples, in the order in which they were taken.
    pub columns: Vec<Column>,
    /// The reasons, by ascending number.
    pub rows: Vec<Row>,
}

/// One sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    /// The schedule's entry, `boot` or `+5s`, or the name of the phase. Empty if the source
    /// does not say.
    pub label: String,
    /// What happened since the column before: `boot`, `idle`, or the name of a phase. Empty
    /// if the source does not say.
    pub phase: String,
    /// Guest uptime, seconds.
    pub guest_s: Option<f64>,
    /// Host clock of the sample, seconds, if known.
    pub host_s: Option<f64>,
    /// The host's time-stamp counter at that moment, cycles, if known.
    pub host_tsc: Option<u64>,
}

/// One exit reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// Name for people.
    pub name: String,
    /// What KVM says of it, if it was asked.
    pub status: Option<ReasonStatus>,
    /// One count for each column.
    pub counts: Vec<u64>,
    /// Cycles from VM exit to VM entry, one for each column; empty if they were not
    /// counted.
    pub cycles: Vec<u64>,
}

impl CountTable {
    /// The table of a run.
    pub fn from_record(record: &RunRecord, reasons: &ReasonTable) -> CountTable {
        CountTable::from_samples(&record.samples, &record.statuses, reasons)
    }

    /// One row for every slot that `reasons` reaches, undefined numbers of VMX included.
    /// `statuses` is indexed by slot and may be empty.
    pub fn from_samples(
        samples: &[Sample],
        statuses: &[ReasonStatus],
        reasons: &ReasonTable,
    ) -> CountTable {
        let columns = samples.iter().map(|sample| Column {
            label: sample.label.clone(),
            phase: sample.phase.clone(),
            guest_s: sample.clocks.guest_s,
            host_s: Some(sample.clocks.host_s),
            host_tsc: Some(sample.clocks.host_tsc),
        });
        // Cycles of some samples only would not line up with their columns.
        let all_cycles: Option<Vec<&[u64]>> = samples.iter().map(Sample::cycles).collect();
        let all_cycles = all_cycles.unwrap_or_default();
        let rows = reasons.slots().into_iter().map(|(slot, reason)| {
            let of_slot = |cycles: &&[u64]| cycles.get(slot).copied().unwrap_or(0);
            let count = |sample: &Sample| sample.counts().get(slot).copied().unwrap_or(0);
            let status = match reasons.get(reason) {
                Some(_) => statuses.get(slot).copied(),
                None => Some(ReasonStatus::Undefined),
            };
            let name = reasons.name(reason).to_owned();
            Row {
                reason,
                name,
                status,
                counts: samples.iter().map(count).collect(),
                cycles: all_cycles.iter().map(of_slot).collect(),
            }
        });
        CountTable {
            isa: reasons.isa(),
            columns: columns.collect(),
            rows: rows.collect(),
        }
    }

    /// True if cycles were counted.
    pub fn has_cycles(&self) -> bool {
        self.rows.iter().any(|row| !row.cycles.is_empty())
    }

    /// True if a workload ran between two samples.
    pub fn has_workloads(&self) -> bool {
        let plain = ["", "boot", "idle"];
        self.columns
            .iter()
            .any(|column| !plain.contains(&column.phase.as_str()))
    }

    /// Sum over all reasons, one for each column.
    pub fn totals(&self) -> Vec<u128> {
        let total = |column| {
            self.rows
                .iter()
                .map(|row| u128::from(row.count(column)))
                .sum()
        };
        (0..self.columns.len()).map(total).collect()
    }

    /// Seconds of each interval between neighbouring columns, on the guest's clock or, if
    /// the guest was not asked, the host's; `None` where clocks are missing or stood still.
    pub fn seconds(&self) -> Vec<Option<f64>> {
        let interval = |pair: &[Column]| {
            let between =
                |clock: fn(&Column) -> Option<f64>| Some(clock(&pair[1])? - clock(&pair[0])?);
            let seconds = between(|column| column.guest_s).or(between(|column| column.host_s))?;
            (seconds > 0.0).then_some(seconds)
        };
        self.columns.windows(2).map(interval).collect()
    }
}

impl Row {
    /// The count of one column, 0 if it has none.
    pub fn count(&self, column: usize) -> u64 {
        self.counts.get(column).copied().unwrap_or(0)
    }

    /// Exits from power-on to the first sample.
    pub fn boot(&self) -> u64 {
        self.count(0)
    }

    /// The count of the last column.
    pub fn last(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Exits in each interval between neighbouring columns. Negative where a count
    /// decreased, which no census does but a file can hold.
    pub fn deltas(&self) -> Vec<i128> {
        let delta = |pair: &[u64]| i128::from(pair[1]) - i128::from(pair[0]);
        self.counts.windows(2).map(delta).collect()
    }

    /// Exits from the first sample to the last.
    pub fn growth(&self) -> i128 {
        i128::from(self.last()) - i128::from(self.boot())
    }

    /// True if it was zero in every sample.
    pub fn never_happened(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }
}

/// Exits per second, if the interval's length is known.
pub fn rate(exits: i128, seconds: Option<f64>) -> Option<f64> {
    Some(exits as f64 / seconds?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::figures::fixture;

    #[test]
    fn every_number_has_a_row() {
        let table = CountTable::from_record(&fixture::record(), ReasonTable::vmx());
        let numbers: Vec<u32> = table.rows.iter().map(|row| row.reason).collect();
        assert_eq!(numbers, (0..=85).collect::<Vec<_>>());
        assert_eq!(table.rows[35].status, Some(ReasonStatus::Undefined));
        assert_eq!(table.rows[35].name, "(undefined)");
        assert_eq!(table.rows[48].counts, [8655, 8672, 8682]);
    }

    #[test]
    fn an_older_sdm_does_not_know_newer_reasons() {
        let table = CountTable::from_record(&fixture::record(), &ReasonTable::vmx().up_to(2021));
        assert_eq!(table.rows.len(), 70);
        assert_eq!(table.rows[65].status, Some(ReasonStatus::Undefined));
    }

    #[test]
    fn rates_need_a_clock_that_moves() {
        let mut table = CountTable::from_record(&fixture::record(), ReasonTable::vmx());
        table.columns[2].guest_s = table.columns[1].guest_s;
        let seconds = table.seconds();
        assert!(
            seconds[0].is_some_and(|s| (s - 5.0).abs() < 0.1),
            "{seconds:?}"
        );
        assert_eq!(seconds[1], None);
        assert_eq!(rate(10, Some(5.0)), Some(2.0));
        assert_eq!(rate(10, None), None);
    }

    #[test]
    fn svm_has_a_row_for_each_code() {
        let record = fixture::record_of(Isa::Svm, true);
        let table = CountTable::from_record(&record, ReasonTable::svm());
        assert_eq!(table.rows.len(), 175);
        let npf = &table.rows[0xa7];
        assert_eq!((npf.reason, &*npf.name), (0x400, "Nested page fault"));
        assert_eq!(npf.counts, [8655, 8672, 8682]);
        assert_eq!(
            (npf.cycles.len(), table.rows[0].status),
            (3, Some(ReasonStatus::Enabled))
        );
        let mut mixed = record;
        mixed.samples[1].cpuid.as_mut().unwrap().cycles = None;
        assert!(!CountTable::from_record(&mixed, ReasonTable::svm()).has_cycles());
    }

    proptest! {
        #[test]
        fn deltas_sum_to_last_minus_first(counts in prop::collection::vec(any::<u64>(), 1..9)) {
            let (first, last) = (i128::from(counts[0]), i128::from(counts[counts.len() - 1]));
            let row = Row { reason: 0, name: String::new(), status: None, counts, cycles: Vec::new() };
            prop_assert_eq!(row.deltas().iter().sum::<i128>(), last - first);
            prop_assert_eq!(row.growth(), last - first);
        }
    }
}
