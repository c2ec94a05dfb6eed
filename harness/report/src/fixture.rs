//! Records for tests: a real one, and others that are made of it.

use exitlab_fixtures::runs::TCG_SVM;
use exitlab_model::record::{Bucket, Durations, Histogram, RunRecord, Source, TraceReading};
use exitlab_model::symbols::{Symbol, Told};

/// The default experiment on `tcg-svm`.
pub fn record() -> RunRecord {
    serde_json::from_str(TCG_SVM).unwrap()
}

/// The same with details, and places that have names.
pub fn detailed() -> RunRecord {
    let mut record = record();
    for sample in &mut record.samples {
        let stats = sample.stats_before.clone().unwrap();
        let (io, leaves) = (stats.counts[0x7b], stats.counts[0x72]);
        // EXITINFO1 of reads from and writes to COM1 (bits 31:16 the port, bit 0 the direction).
        let ports = vec![[0x7b, 0x3f8_0000, io - 600], [0x7b, 0x3fd_0001, 600]];
        let places = vec![
            [0x7b, 0xffff_ffff_8100_0010, io - 900],
            [0x7b, 0xf_e05b, 900],
            [0x72, 0x7f00_0000_1000, leaves],
        ];
        sample.trace = Some(TraceReading {
            counts: stats.counts.clone(),
            details: vec![
                Histogram::of(Source::Qualification, ports, 0),
                Histogram::of(Source::Place, places, 0),
                Histogram::lacking(Source::Msr, "there is no tracepoint kvm_msr".to_owned()),
            ],
            stats: Some(stats),
            ..TraceReading::default()
        });
    }
    record.symbols = Some(Told {
        symbols: vec![Symbol {
            start: 0xffff_ffff_8100_0000,
            name: "io_serial_out".to_owned(),
            module: Some("8250".to_owned()),
        }],
        ..Told::default()
    });
    record
}

/// The same with times: most exits took some 20 µs, a tenth of them eight times as long, and
/// halts milliseconds.
pub fn timed() -> RunRecord {
    let mut record = detailed();
    for sample in &mut record.samples {
        let trace = sample.trace.as_mut().unwrap();
        let mut buckets = Vec::new();
        for (reason, each) in [(0x72, 18_000), (0x78, 3_000_000), (0x7b, 26_000)] {
            let count = trace.counts[reason] - u64::from(reason == 0x78);
            let few = count / 10;
            for (count, ns) in [(count - few, each), (few, each * 8)] {
                let width: u64 = (ns / 16_u64).next_power_of_two();
                let least = ns / width * width;
                let bucket = [reason as u64, least, least + width - 1, count, count * ns];
                buckets.push(Bucket::from(bucket));
            }
        }
        trace.durations = Some(Durations::of(buckets, 0));
    }
    record
}

/// The same with so many samples, each a second after the one before.
pub fn many(samples: usize) -> RunRecord {
    let mut record = record();
    let first = record.samples[0].clone();
    let grown: Vec<u64> = {
        let counts = |at: usize| record.samples[at].counts().to_vec();
        let (one, two) = (counts(1), counts(2));
        two.iter().zip(&one).map(|(two, one)| two - one).collect()
    };
    record.samples = (0..samples)
        .map(|at| {
            let mut sample = first.clone();
            sample.number = at as u32 + 1;
            if at > 0 {
                sample.label = "+1s".to_owned();
                sample.phase = "idle".to_owned();
            }
            let seconds = at as f64;
            sample.clocks.host_s += seconds;
            sample.clocks.host_tsc += (seconds * 1e9) as u64;
            sample.clocks.guest_s = sample.clocks.guest_s.map(|start| start + seconds);
            for (count, more) in sample.cpuid.as_mut().unwrap().counts.iter_mut().zip(&grown) {
                // Not the same in each interval: a line shall be seen.
                *count += more * at as u64 + (at as u64 % 7) * (more / 9);
            }
            sample
        })
        .collect();
    record
}
