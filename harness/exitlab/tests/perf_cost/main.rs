//! What `perf kvm stat record` costs a host for each exit, in instructions, beside what exitlab's
//! own tracing costs it there: on a machine that QEMU emulates, with Debian's kernel as it is.
//! `scripts/benchmark-exit-cost perf` runs it; docs/benchmarks.md has what came out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a program of the tests that reports to the terminal, and uses a part of their rig"
)]

#[path = "../support/debian.rs"]
mod debian;
#[path = "../end_to_end/rig/machine.rs"]
mod machine;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use exitlab_base::archive::{Tree, archive};
use serde_json::Value;

use machine::RealMachine;
use support::{Outcome, Place};

/// Blocks of 16 instructions that exit, of which the shortest counts.
const BLOCKS: u32 = 2000;

/// How the exits are watched, as words for `exitlab run`, and what runs it.
const VARIANTS: [(&str, &str, &str); 7] = [
    ("KVM as Debian built it", "", "sampling.channels=[]"),
    ("perf kvm stat record", PERF, "sampling.channels=[]"),
    ("channel trace", "", "sampling.detail=false"),
    ("channel trace with detail", "", "sampling.detail=true"),
    ("channel trace with places", "", "sampling.places=true"),
    ("channel trace with time", "", "sampling.time=true"),
    ("channel trace with log", "", "sampling.log=true"),
];

const PERF: &str = "perf kvm stat record -a -o /tmp/perf.data";

fn main() {
    let place = Place::new();
    let machine = boot(&place);
    machine.told("cd / && cpio -idu < /exp/perf.cpio 2>/dev/null && perf --version");
    let mut base = Vec::new();
    let mut rows: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for (name, recorder, set) in VARIANTS {
        let least = least(&machine, recorder, set);
        if base.is_empty() {
            base.clone_from(&least);
        }
        for ((row, least), base) in rows.iter_mut().zip(&least).zip(&base) {
            row.push(format!("| {name} | {least:.2} | {:.0} |", least - base));
        }
    }
    for (rows, instruction) in rows.iter().zip(["cpuid", "hypercall"]) {
        println!("\nInstructions for one exit by {instruction}, guest and host together:\n");
        println!("| variant | shortest block | adds |\n|---|--:|--:|");
        rows.iter().for_each(|row| println!("{row}"));
    }
}

/// Instructions for one exit of each kind, in the shortest block. The machine's processor takes a
/// nanosecond for one (`-icount shift=0`), and its TSC counts nanoseconds.
fn least(machine: &RealMachine, recorder: &str, set: &str) -> Vec<f64> {
    for _ in 0..3 {
        let outcome: Outcome = machine
            .ssh(&format!(
                "rm -rf /tmp/o; cd /exp && {recorder} exitlab run cost.toml --platform local \
                 --out /tmp/o --set '{set}'"
            ))
            .into();
        // QEMU can stop a guest for good (docs/determinism.md): it is told, and made again.
        if outcome.code == Some(5) && outcome.stderr.contains("fell silent") {
            continue;
        }
        assert_eq!(outcome.code, Some(0), "{set}: {}", outcome.stderr);
        let record: Value = serde_json::from_str(&machine.told("cat /tmp/o/run.json")).unwrap();
        let inspections = record["inspections"].as_array().unwrap().iter();
        return inspections
            .map(|one| {
                // spin NAME per_block N blocks N min N median N
                let words = one["stdout"].as_str().unwrap();
                let words: Vec<&str> = words.split_whitespace().collect();
                let number = |at: usize| words[at].parse::<f64>().unwrap();
                number(7) / number(3)
            })
            .collect();
    }
    panic!("three guests were stopped");
}

fn boot(place: &Place) -> RealMachine {
    let experiment = machine::experiment("exit-cost", r#"["boot"]"#);
    let experiment = experiment.replace("[sampling]\n", "[sampling]\nchannels = [\"trace\"]\n");
    let spin = |what: &str| format!("\"exit-sampler spin {what} {BLOCKS}\"");
    let inspect = format!("inspect = [{}, {}]\n", spin("cpuid"), spin("hypercall"));
    let mut tree = Tree::default();
    tree.program(Path::new("/usr/bin/perf")).unwrap();
    let files = [
        ("cost.toml", (inspect + &experiment).into_bytes()),
        ("bzImage", std::fs::read(debian::built(&[])).unwrap()),
        ("perf.cpio", archive(&tree).unwrap()),
    ];
    RealMachine::boot(&place.path("machine"), &debian::kernel(), &files)
}
