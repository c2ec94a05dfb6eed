//! A small synthetic run for tests: counts of a real Bochs run, three samples.

use super::CountTable;
use crate::reasons::ReasonTable;
use crate::record::*;

/// Reason and its three counts.
const COUNTS: [(u32, [u64; 3]); 11] = [
    (1, [634, 735, 830]),
    (7, [349, 375, 407]),
    (10, [888, 1024, 1160]),
    (12, [19, 106, 176]),
    (28, [57, 57, 57]),
    (30, [30047, 30416, 30789]),
    (32, [1109, 1351, 1581]),
    (48, [8655, 8672, 8682]),
    (49, [852, 874, 893]),
    (52, [963, 1051, 1143]),
    (54, [2, 2, 2]),
];

/// Reasons that are not enabled.
const NOT_ENABLED: [u32; 7] = [5, 6, 14, 17, 46, 47, 57];

/// Leaves that a reading takes.
pub(crate) const LEAVES: u64 = 86;

/// A complete run whose checks all hold.
pub(crate) fn record() -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        experiment: "boot-vs-idle".to_owned(),
        started: "2026-11-23T03:28:00Z".to_owned(),
        finished: Some("2026-11-23T03:28:17Z".to_owned()),
        outcome: Outcome::Complete,
        platform: "bochs-vmx".to_owned(),
        plan: serde_json::Value::Null,
        provenance: Provenance {
            exitlab: "0.1.0".to_owned(),
            commit: "cb64ff5".to_owned(),
            host_kernel: "6.12.117-exitlab".to_owned(),
            kernel_key: "5c1f09a7e2".repeat(6),
            kernel_inputs: vec![("compiler".to_owned(), "gcc 12.2.0".to_owned())],
            emulator: "Bochs 2.7".to_owned(),
            qemu: "7.2.22".to_owned(),
            cpu: "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz".to_owned(),
            ..Provenance::default()
        },
        statuses: (0..=ReasonTable::vmx().last()).map(status).collect(),
        samples: (0..3).map(sample).collect(),
        inspections: Vec::new(),
    }
}

fn status(reason: u32) -> ReasonStatus {
    match ReasonTable::vmx().get(reason) {
        None => ReasonStatus::Undefined,
        Some(_) if NOT_ENABLED.contains(&reason) => ReasonStatus::NotEnabled,
        Some(_) => ReasonStatus::Enabled,
    }
}

fn sample(at: usize) -> Sample {
    let mut counts = vec![0; ReasonTable::vmx().len_slots()];
    for (reason, by_sample) in COUNTS {
        counts[reason as usize] = by_sample[at];
    }
    // The reading counts itself: leaf 10 is the eleventh that it reads.
    let mut before = counts.clone();
    before[10] -= 11;
    let mut after = before.clone();
    after[10] += LEAVES;
    after[12] += 2;
    after[32] += 3;
    let at_s = [10.9, 15.9, 20.9][at];
    Sample {
        number: at as u32 + 1,
        label: ["boot", "+5s", "+5s"][at].to_owned(),
        phase: ["boot", "idle", "idle"][at].to_owned(),
        clocks: Clocks {
            guest_s: Some(at_s - 8.25),
            host_s: at_s,
            guest_tsc: Some((at_s * 2e8) as u64),
            host_tsc: (at_s * 2e8) as u64,
        },
        trace: None,
        stats_before: Some(stats(before)),
        cpuid: Some(CpuidReading {
            counts,
            leaves: LEAVES,
        }),
        stats_after: Some(stats(after)),
    }
}

fn stats(counts: Vec<u64>) -> StatsReading {
    let exits = counts.iter().sum();
    StatsReading {
        counts,
        other: 0,
        exits,
    }
}

/// The counts that the original system reported.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn reference() -> CountTable {
    let text = include_str!("../../tests/data/original-boot-vs-idle.csv");
    CountTable::from_csv("original-boot-vs-idle.csv", text, ReasonTable::vmx()).unwrap()
}
