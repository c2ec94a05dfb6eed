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

/// What lies below the reasons, a row for each detail of each sample.
pub const DETAILS: &str = "details.csv";

/// Where in the guest exits came from, a row for each address of each reason and sample.
pub const PLACES: &str = "places.csv";

/// How long exits took, a row for each reason of each phase.
pub const TIMES: &str = "times.csv";

/// Every single exit, as a compressed array of NumPy's.
pub const LOG: &str = "log.npy.gz";

/// The table for people.
pub const TABLE: &str = "table.md";

/// The page for people: everything that the table says, and pictures of it.
pub const REPORT: &str = "report.html";

/// Two kernels, or the commits of a bisection: the page of what differs.
pub const COMPARISON: &str = "comparison.html";

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

/// A matrix: a line for each cell and sample.
pub const CELL_TABLE: &str = "cells.csv";

/// Where the time of a run went.
pub const TIMINGS: &str = "timings.json";

/// A bisection: every commit that was tried.
pub const TRIED: &str = "steps.json";

/// A bisection: what it found.
pub const FOUND: &str = "found.txt";

/// A bisection: what Git printed.
pub const GIT_LOG: &str = "git.log";

/// A bisection: Git's own log of it.
pub const BISECT_LOG: &str = "bisect.log";

/// Many kernels: which are graded.
pub const ROSTER: &str = "roster.json";

/// Below the directory of many kernels: a results directory for each.
pub const KERNELS: &str = "kernels";

/// In the results directory of one of many kernels: what came of it.
pub const ROW: &str = "row.json";

/// Below the directory of many kernels: a page for each.
pub const PAGES: &str = "pages";

/// Many kernels: the table for programs.
pub const GRADES_JSON: &str = "grades.json";

/// Many kernels: the table for spreadsheets.
pub const GRADES_CSV: &str = "grades.csv";

/// Many kernels: the table for people.
pub const GRADES_MD: &str = "grades.md";

/// Many kernels: a line for each finding.
pub const FINDINGS: &str = "findings.csv";

/// Every file that exitlab writes into a results directory. What is called otherwise is
/// somebody else's, and stays where results are removed.
pub const FILES: [&str; 29] = [
    RUN,
    MATRIX,
    EVENTS,
    SAMPLES,
    COUNTS,
    TABLE,
    REPORT,
    COMPARISON,
    DETAILS,
    PLACES,
    TIMES,
    LOG,
    HOST_CONSOLE,
    GUEST_CONSOLE,
    QEMU_LOG,
    EMULATOR_LOG,
    CONFORMANCE,
    CELL_TABLE,
    TIMINGS,
    TRIED,
    FOUND,
    GIT_LOG,
    BISECT_LOG,
    ROSTER,
    ROW,
    GRADES_JSON,
    GRADES_CSV,
    GRADES_MD,
    FINDINGS,
];
