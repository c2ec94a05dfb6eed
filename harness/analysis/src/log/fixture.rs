//! Logs for tests.

use std::path::Path;

use super::{Row, array};
use crate::figures::fixture;
use exitlab_base::files::write_whole_with;
use exitlab_model::layout::LOG;
use exitlab_model::log::{Cause, LogReading, LoggedExit, ToldBy};
use exitlab_model::record::{RunRecord, TraceReading};
use exitlab_model::symbols::{Symbol, Told};

/// An exit of vCPU 0 that takes two microseconds.
pub(crate) fn row(time_ns: u64, reason: u32, rip: u64) -> Row {
    Row {
        vcpu: 0,
        exit: LoggedExit {
            time_ns,
            duration_ns: Some(2000),
            cause: Cause {
                reason,
                rip,
                ..Cause::default()
            },
            value: 0,
        },
    }
}

/// A byte to COM1.
pub(crate) fn byte(time_ns: u64, value: u64) -> Row {
    let mut row = row(time_ns, 30, 0xffff_ffff_8100_0005);
    row.exit.cause.info = 0x3f8_0000;
    row.exit.cause.told = ToldBy::Pio;
    (row.exit.cause.key, row.exit.cause.sub) = (0x3f8, 1);
    row.exit.value = value;
    row
}

/// A leaf of CPUID.
pub(crate) fn leaf(time_ns: u64, leaf: u64, rip: u64) -> Row {
    let mut row = row(time_ns, 10, rip);
    row.exit.cause.told = ToldBy::Cpuid;
    row.exit.cause.key = leaf;
    row
}

/// One of each kind.
pub(crate) fn rows() -> Vec<Row> {
    let mut fault = row(2_000, 48, 0x7000);
    fault.exit.cause.info = 0x181;
    fault.exit.cause.told = ToldBy::PageFault;
    fault.exit.cause.key = 0x1000;
    let mut msr = row(3_000, 32, 0xffff_ffff_8100_0040);
    msr.exit.cause.told = ToldBy::Msr;
    (msr.exit.cause.key, msr.exit.cause.sub, msr.exit.value) = (0x6e0, 1, 0x1234);
    let mut interrupt = row(4_000, 1, 0xffff_ffff_8100_0044);
    interrupt.exit.cause.vector = 0x8000_00ec;
    let mut last = row(5_000_000_000, 12, 0xffff_ffff_8100_0050);
    last.exit.duration_ns = None;
    last.vcpu = 1;
    vec![
        leaf(1_000, 7, 0x9000),
        fault,
        msr,
        interrupt,
        byte(5_000, 0x41),
        byte(6_000, 0x1b),
        last,
    ]
}

/// Writes a log into a directory.
pub(crate) fn write(dir: &Path, rows: &[Row]) {
    let path = dir.join(LOG);
    let count = rows.len() as u64;
    write_whole_with(&path, |file| {
        array::write(file, count, rows.iter().copied())
    })
    .unwrap();
}

/// The record of a run on VMX whose three samples were after `ends` exits.
pub(crate) fn record(ends: [u64; 3]) -> RunRecord {
    let mut record = fixture::record();
    for (sample, end) in record.samples.iter_mut().zip(ends) {
        sample.trace = Some(TraceReading {
            counts: vec![0, end],
            log: Some(LogReading {
                counts: vec![0, end],
                ..LogReading::default()
            }),
            ..TraceReading::default()
        });
    }
    let symbol = |start, name: &str| Symbol {
        start,
        name: name.to_owned(),
        module: None,
    };
    record.symbols = Some(Told {
        symbols: vec![
            symbol(0xffff_ffff_8100_0000, "io_serial_out"),
            symbol(0xffff_ffff_8100_0040, "idle\u{1b}[2J"),
        ],
        ..Told::default()
    });
    record
}
