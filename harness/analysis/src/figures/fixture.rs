//! A small synthetic run for tests: counts of a real Bochs run, three samples; on SVM the
//! same counts under the codes that come closest.

use super::{Column, CountTable, Row};
use exitlab_model::reasons::{Isa, ReasonTable, UNDEFINED_NAME};
use exitlab_model::record::*;

/// VMX reason, SVM code, cycles for each exit, and the three counts.
const COUNTS: [(u32, u32, u64, [u64; 3]); 11] = [
    (1, 0x60, 3_000, [634, 735, 830]),
    (7, 0x64, 2_500, [349, 375, 407]),
    (10, 0x72, 2_000, [888, 1024, 1160]),
    (12, 0x78, 11_000_000, [19, 106, 176]),
    (28, 0x65, 4_000, [57, 57, 57]),
    (30, 0x7b, 9_000, [30047, 30416, 30789]),
    (32, 0x7c, 5_000, [1109, 1351, 1581]),
    (48, 0x400, 12_000, [8655, 8672, 8682]),
    (49, 0x401, 20_000, [852, 874, 893]),
    (52, 0x61, 2_200, [963, 1051, 1143]),
    (54, 0x89, 800, [2, 2, 2]),
];

/// Reasons that are not enabled.
const NOT_ENABLED: [u32; 7] = [5, 6, 14, 17, 46, 47, 57];

/// Cycles in a second.
const HZ: f64 = 2e8;

/// A complete run on VMX, without cycles, whose checks all hold.
pub(crate) fn record() -> RunRecord {
    record_of(Isa::Vmx, false)
}

/// The same with the tracepoint, and details of ports, registers and CPUID leaves.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn detailed() -> RunRecord {
    let mut record = record();
    for sample in &mut record.samples {
        let stats = sample.stats_before.clone().unwrap();
        let count = |reason: usize| stats.counts[reason];
        // Exit qualifications of I/O: to and from COM1, a string from fw_cfg; of CR0, and of
        // EPT violations; external interrupts by their vector.
        let qualified = vec![
            [28, 0x100, count(28)],
            [30, 0x3f8_0000, count(30) - 1000],
            [30, 0x3fd_0008, 900],
            [30, 0x511_0038, 100],
            [48, 0x181, 7000],
            [48, 0x182, count(48) - 7000],
        ];
        let leaves = vec![[0, 0, 1], [7, 1, 20], [0x4fff_fff2, 9, count(10) - 20]];
        let details = vec![
            Histogram::of(Source::Qualification, qualified, 0),
            Histogram::of(Source::Cpuid, leaves, 0),
            Histogram::of(Source::Interruption, vec![[1, 0x8000_00ec, count(1)]], 0),
            Histogram::of(Source::Virq, vec![[0xec, 0, 300]], 0),
            Histogram::lacking(Source::Ipi, "KVM has no tracepoint kvm_apic_ipi".to_owned()),
        ];
        sample.trace = Some(TraceReading {
            counts: stats.counts.clone(),
            stats: Some(stats),
            details,
            ..TraceReading::default()
        });
    }
    record.plan = plan(serde_json::json!({
        "guest": {"vcpus": 1, "machine": "q35"},
        "sampling": {
            "schedule": ["boot", {"after": 5.0}, {"after": 5.0}],
            "channels": ["cpuid", "stats", "trace"],
            "cycles": false,
            "detail": true,
        },
    }));
    record
}

/// The same run with cycles, and with times: each a thousand nanoseconds shorter than the
/// census's, but that the last HLT before each sample has none.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn timed() -> RunRecord {
    let mut record = record_of(Isa::Vmx, true);
    for (at, sample) in record.samples.iter_mut().enumerate() {
        let mut stats = sample.stats_before.clone().unwrap();
        let mut buckets = Vec::new();
        for (reason, _, each, _) in COUNTS {
            let slot = reason as usize;
            let open = if reason == 12 { at as u64 + 1 } else { 0 };
            let count = stats.counts[slot] - open;
            let ns = each * 5;
            stats.cycles.as_mut().unwrap()[slot] = count * (each + 200);
            // A tenth of them takes four times as long.
            let (few, width) = (count / 10, (ns / 8).next_power_of_two());
            for (count, ns) in [(count - few, ns), (few, ns * 4)] {
                let least = ns / width * width;
                let bucket = [reason.into(), least, least + width - 1, count, count * ns];
                if count > 0 {
                    buckets.push(Bucket::from(bucket));
                }
            }
            stats.cycles.as_mut().unwrap()[slot] += few * each * 3;
        }
        sample.trace = Some(TraceReading {
            counts: stats.counts.clone(),
            stats: Some(stats),
            durations: Some(Durations::of(buckets, 0)),
            ..TraceReading::default()
        });
    }
    record
}

/// The same with the tracepoint, and places of I/O and CPUID exits in a module, the firmware and
/// a program.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn placed() -> RunRecord {
    let mut record = record();
    for sample in &mut record.samples {
        let stats = sample.stats_before.clone().unwrap();
        let counts = stats.counts.clone();
        let places = vec![
            [30, 0xffff_ffff_c100_0010, counts[30] - 1_900],
            [30, 0xffff_ffff_c100_0020, 1_000],
            [30, 0xf_e05b, 900],
            [10, 0x7f00_0000_1000, 1],
            [10, 0x7f00_0000_2000, counts[10] - 1],
        ];
        sample.trace = Some(TraceReading {
            stats: Some(stats),
            counts,
            details: vec![Histogram::of(Source::Place, places, 0)],
            ..TraceReading::default()
        });
    }
    let serial = exitlab_model::symbols::Symbol {
        start: 0xffff_ffff_c100_0000,
        name: "io_serial_out".to_owned(),
        module: Some("8250".to_owned()),
    };
    record.symbols = Some(exitlab_model::symbols::Told {
        symbols: vec![serial],
        ..exitlab_model::symbols::Told::default()
    });
    record
}

/// A plan, as a record holds it.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn plan(whole: serde_json::Value) -> RecordedPlan {
    RecordedPlan::try_from(whole).unwrap()
}

/// A complete run whose checks all hold.
pub(crate) fn record_of(isa: Isa, cycles: bool) -> RunRecord {
    let reasons = ReasonTable::of(isa);
    RunRecord {
        schema: SCHEMA,
        experiment: "boot-vs-idle".to_owned(),
        started: "2026-11-23T03:28:00Z".to_owned(),
        finished: Some("2026-11-23T03:28:17Z".to_owned()),
        outcome: Outcome::Complete,
        platform: "bochs-vmx".to_owned(),
        isa: Some(isa),
        emulates: false,
        attempts: 1,
        agent_started: Some(HostMoment {
            host_s: 0.9,
            host_tsc: tsc(0.9),
        }),
        discovery: Some(Discovery {
            isa,
            version: 2,
            leaf_map: 1,
            cycles,
            reasons: reasons.defined().len() as u32,
        }),
        kvm_parameters: Vec::new(),
        cell: None,
        plan: plan(serde_json::json!({
            "guest": {"vcpus": 1},
            "sampling": {
                "schedule": ["boot", {"after": 5.0}, {"after": 5.0}],
                "channels": ["cpuid", "stats"],
                "cycles": cycles,
            },
        })),
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
        statuses: reasons
            .slots()
            .into_iter()
            .map(|(_, number)| status(reasons, number))
            .collect(),
        samples: (0..3).map(|at| sample(at, reasons, cycles)).collect(),
        left_behind: Vec::new(),
        inspections: Vec::new(),
        address_map: None,
        symbols: None,
        log: None,
    }
}

fn status(reasons: &ReasonTable, number: u32) -> ReasonStatus {
    match reasons.get(number) {
        None => ReasonStatus::Undefined,
        Some(_) if reasons.isa() == Isa::Vmx && NOT_ENABLED.contains(&number) => {
            ReasonStatus::NotEnabled
        }
        Some(_) => ReasonStatus::Enabled,
    }
}

fn tsc(seconds: f64) -> u64 {
    (seconds * HZ).round() as u64
}

/// The slot of the reason that is `vmx` on VMX.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
fn slot(reasons: &ReasonTable, vmx: u32) -> usize {
    let (_, svm, ..) = COUNTS.iter().find(|row| row.0 == vmx).unwrap();
    let number = if reasons.isa() == Isa::Vmx { vmx } else { *svm };
    reasons.slot(number).unwrap()
}

fn sample(at: usize, reasons: &ReasonTable, with_cycles: bool) -> Sample {
    let mut counts = vec![0; reasons.len_slots()];
    let mut cycles = vec![0; reasons.len_slots()];
    for (vmx, _, each, by_sample) in COUNTS {
        counts[slot(reasons, vmx)] = by_sample[at];
        cycles[slot(reasons, vmx)] = by_sample[at] * each;
    }
    let cpuid = slot(reasons, 10);
    let leaves = 2 + counts.len() as u64 * if with_cycles { 2 } else { 1 };
    // The counts above are those of a run that read 88 leaves for each sample.
    counts[cpuid] += (leaves - 88) * at as u64;
    // The reading counts itself: the total, and the counts up to that of CPUID exits.
    let counted = 1 + cpuid as u64 + 1;
    let mut before = counts.clone();
    before[cpuid] -= counted;
    let mut after = before.clone();
    after[cpuid] += leaves;
    after[slot(reasons, 12)] += 2;
    after[slot(reasons, 32)] += 3;
    let mut cycles_after = cycles.clone();
    cycles_after[cpuid] += 100_000;
    let total = |nth: u64, counts: &[u64], cycles: &[u64]| TotalReading {
        nth,
        count: counts.iter().sum::<u64>() + nth,
        cycles: with_cycles.then(|| cycles.iter().sum()),
    };
    let totals = Totals {
        bits: 32,
        before: total(1, &before, &cycles),
        after: total(leaves, &before, &cycles_after),
    };
    let at_s = [10.9, 15.9, 20.9][at];
    Sample {
        number: at as u32 + 1,
        label: ["boot", "+5s", "+5s"][at].to_owned(),
        phase: ["boot", "idle", "idle"][at].to_owned(),
        clocks: Clocks {
            guest_s: Some(at_s - 8.25),
            host_s: at_s,
            guest_tsc: Some(tsc(at_s)),
            host_tsc: tsc(at_s),
            host_end_tsc: Some(tsc(at_s + 0.01)),
        },
        trace: None,
        stats_before: Some(stats(before, with_cycles.then(|| cycles.clone()))),
        cpuid: Some(CpuidReading {
            counts,
            cycles: with_cycles.then_some(cycles),
            totals: Some(totals),
            leaves,
        }),
        stats_after: Some(stats(after, with_cycles.then_some(cycles_after))),
    }
}

fn stats(counts: Vec<u64>, cycles: Option<Vec<u64>>) -> StatsReading {
    let exits = counts.iter().sum();
    StatsReading {
        counts,
        cycles,
        other: 0,
        failed_entries: Some(0),
        exits,
    }
}

/// The counts that the original system reported.
pub(crate) fn reference() -> CountTable {
    let text = include_str!("../../../exitlab/tests/data/original-boot-vs-idle.csv");
    table(text)
}

/// What a CSV like `counts.csv` holds; `name` and `status` may be missing.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn table(text: &str) -> CountTable {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let titles = reader.headers().unwrap().clone();
    let rows = reader.records().map(|line| row(&titles, &line.unwrap()));
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_key(|row| row.reason);
    CountTable {
        isa: Isa::Vmx,
        columns: vec![Column::default(); rows[0].counts.len()],
        rows,
    }
}

#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
fn row(titles: &csv::StringRecord, line: &csv::StringRecord) -> Row {
    let fields = || titles.iter().zip(line);
    let one = |title| fields().find(|(t, _)| *t == title).map(|(_, field)| field);
    let all = |start| {
        let fields = fields().filter(|(title, _)| title.starts_with(start));
        fields.map(|(_, field)| field.parse().unwrap()).collect()
    };
    let reason = one("reason").unwrap().parse().unwrap();
    let name = one("name").unwrap_or_else(|| ReasonTable::vmx().name(reason));
    Row {
        reason,
        name: name.to_owned(),
        status: match one("status") {
            None => (name == UNDEFINED_NAME).then_some(ReasonStatus::Undefined),
            Some("undefined") => Some(ReasonStatus::Undefined),
            Some("not-enabled") => Some(ReasonStatus::NotEnabled),
            Some("enabled") => Some(ReasonStatus::Enabled),
            Some(_) => None,
        },
        counts: all("count_"),
        cycles: all("cycles_"),
    }
}
