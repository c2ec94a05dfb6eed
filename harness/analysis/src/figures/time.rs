//! Where the time went: cycles from VM exit to VM entry, by reason and phase.

use std::cmp::Reverse;

use super::{CountTable, Row};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::RunRecord;

/// What lets a vCPU sleep until something happens: their cycles hold the time blocked.
const BLOCKING: [&str; 4] = ["HLT", "IDLE_HLT", "MWAIT_INSTRUCTION", "MWAIT"];

/// Shortest time over which a frequency is taken, seconds: clocks are read in whole
/// microseconds, so one second gives six digits.
const LEAST_S: f64 = 1.0;

/// Time by reason, and by phase: up to the first sample, then each interval.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeTable {
    /// Cycles in a second, if known.
    pub hz: Option<f64>,
    /// The phases, in order.
    pub phases: Vec<PhaseTime>,
    /// Reasons that happened, those that took the most time first.
    pub rows: Vec<TimeRow>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseTime {
    /// Cycles between VM exit and VM entry, all reasons together.
    pub handling: i128,
    /// Cycles that passed, on all vCPUs; `None` up to the first sample, and where the
    /// clock is not known.
    pub passed: Option<u128>,
}

/// The time of one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRow {
    /// Basic exit reason (VMX) or exit code (SVM).
    pub reason: u32,
    /// Its name.
    pub name: String,
    /// Whether its cycles hold time in which the vCPU was blocked.
    pub blocks: bool,
    /// Cycles in each phase. Negative where cycles decreased, which the checks report.
    pub cycles: Vec<i128>,
    /// Cycles in all phases.
    pub total: u64,
    /// Exits in all phases.
    pub exits: u64,
}

impl TimeTable {
    /// The time of a run, if cycles were counted.
    pub fn of_record(table: &CountTable, record: &RunRecord) -> Option<TimeTable> {
        TimeTable::of(table, tsc_hz(record), record.vcpus())
    }

    /// The time of a table, if it has cycles; `hz` cycles are a second.
    pub fn of(table: &CountTable, hz: Option<f64>, vcpus: Option<u64>) -> Option<TimeTable> {
        if !table.has_cycles() || table.columns.is_empty() {
            return None;
        }
        let reasons = ReasonTable::of(table.isa);
        let happened = table.rows.iter().filter(|row| !row.never_happened());
        let mut rows: Vec<TimeRow> = happened.map(|row| TimeRow::of(row, reasons)).collect();
        rows.sort_by_key(|row| (Reverse(row.total), row.reason));
        let phase = |at: usize| PhaseTime {
            handling: rows
                .iter()
                .map(|row| row.cycles.get(at).unwrap_or(&0))
                .sum(),
            passed: passed(table, at, vcpus),
        };
        Some(TimeTable {
            hz,
            phases: (0..table.columns.len()).map(phase).collect(),
            rows,
        })
    }
}

/// Cycles that passed in a phase, on all vCPUs.
fn passed(table: &CountTable, phase: usize, vcpus: Option<u64>) -> Option<u128> {
    let tsc = |column: usize| table.columns.get(column)?.host_tsc;
    let cycles = tsc(phase)?.checked_sub(tsc(phase.checked_sub(1)?)?)?;
    Some(u128::from(cycles) * u128::from(vcpus?)).filter(|&cycles| cycles > 0)
}

impl TimeRow {
    fn of(row: &Row, reasons: &ReasonTable) -> TimeRow {
        let first = row.cycles.first().map(|&cycles| i128::from(cycles));
        let later = row.cycles.windows(2);
        let later = later.map(|pair| i128::from(pair[1]) - i128::from(pair[0]));
        let mnemonic = reasons
            .get(row.reason)
            .map_or("", |reason| &reason.mnemonic);
        TimeRow {
            reason: row.reason,
            name: row.name.clone(),
            blocks: BLOCKING.contains(&mnemonic),
            cycles: first.into_iter().chain(later).collect(),
            total: row.cycles.last().copied().unwrap_or(0),
            exits: row.last(),
        }
    }

    /// Cycles for each exit, over the whole run.
    pub fn per_exit(&self) -> Option<f64> {
        (self.exits > 0).then(|| self.total as f64 / self.exits as f64)
    }
}

/// Cycles in a second of the host's clock, from both of its clocks at the agent's start
/// and at the last sample.
pub fn tsc_hz(record: &RunRecord) -> Option<f64> {
    let (start, end) = (record.agent_started?, record.samples.last()?.clocks);
    let seconds = end.host_s - start.host_s;
    let cycles = end.host_tsc.checked_sub(start.host_tsc)?;
    (seconds >= LEAST_S && cycles > 0).then(|| cycles as f64 / seconds)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::Isa;

    fn time(record: &RunRecord) -> Option<TimeTable> {
        let table = CountTable::from_record(record, record.reasons());
        TimeTable::of_record(&table, record)
    }

    #[test]
    fn phases_add_up() {
        for isa in [Isa::Vmx, Isa::Svm] {
            let time = time(&fixture::record_of(isa, true)).unwrap();
            assert!(time.rows[0].blocks && time.rows[0].name == "HLT");
            assert!(
                time.rows
                    .windows(2)
                    .all(|pair| pair[0].total >= pair[1].total)
            );
            for row in &time.rows {
                assert_eq!(row.cycles.iter().sum::<i128>(), i128::from(row.total));
            }
            assert_eq!(time.phases[0].passed, None);
            assert_eq!(time.phases[1].passed, Some(1_000_000_000));
            assert!((time.hz.unwrap() - 2e8).abs() < 1.0, "{:?}", time.hz);
        }
    }

    #[test]
    fn without_cycles_there_is_no_time() {
        assert_eq!(time(&fixture::record()), None);
        let mut record = fixture::record_of(Isa::Vmx, true);
        record.samples.clear();
        assert_eq!(time(&record), None);
    }

    #[test]
    fn a_frequency_needs_two_moments() {
        let mut record = fixture::record_of(Isa::Vmx, true);
        record.agent_started.as_mut().unwrap().host_s = 20.5;
        assert_eq!(tsc_hz(&record), None);
        record.agent_started = None;
        assert_eq!(tsc_hz(&record), None);
    }
}
