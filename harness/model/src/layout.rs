//! Names of the files in a results directory: the one list of them.

/// A run: its record.
pub const RUN: &str = "run.json";

/// A matrix: its cells, what became of each, and which part of them was run here.
pub const MATRIX: &str = "matrix.json";

/// Below the directory of a matrix: a results directory for each cell.
pub const CELLS: &str = "cells";

/// Below the directory of a bisection: a matrix for each commit that was tried.
pub const STEPS: &str = "steps";

/// Every event of a run, a JSON line each.
pub const EVENTS: &str = "events.jsonl";

/// Raw samples, a row for each reason of each sample.
pub const SAMPLES: &str = "samples.csv";

/// Counts by reason, a column for each sample.
pub const COUNTS: &str = "counts.csv";

/// The table for people.
pub const TABLE: &str = "table.md";

/// The console of the host's kernel.
pub const HOST_CONSOLE: &str = "host-console.log";

/// The console of the guest.
pub const GUEST_CONSOLE: &str = "guest-console.log";

/// What QEMU on the host printed.
pub const QEMU_LOG: &str = "qemu.log";

/// What the emulator printed that the host ran on.
pub const EMULATOR_LOG: &str = "emulator.log";

/// What `exitlab conformance` found.
pub const CONFORMANCE: &str = "conformance.json";
