//! Whole experiments on emulated hosts: real kernel, real KVM, real QEMU, real SSH.
//!
//! What a processor has no part in runs on `tcg-svm`, in a third of the time of `bochs-vmx`.

mod cycles;
mod failures;
mod kernels;
mod parameters;
mod together;
mod workloads;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use exitlab_model::reasons::{Isa, ReasonTable};
use serde_json::Value;

use crate::rig::running::{Running, emulator_below, kill};
use crate::rig::{built, twin};
use crate::support::{Outcome, Place, exitlab, processes_below};

/// The host that takes the least time and a guest with few exits, for tests that are about
/// neither.
const QUICK: [&str; 2] = ["platform=tcg-svm", "guest.machine=microvm"];

/// Runs the default experiment with `--set` overrides.
fn experiment(place: &Place, out: &str, sets: &[&str]) -> Outcome {
    experiment_of(place, &[], out, sets)
}

/// The same, and goes on while it runs.
fn start(place: &Place, out: &Path, sets: &[&str]) -> Running {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let words: Vec<&str> = sets.chain(["--out", out.to_str().unwrap()]).collect();
    Running::start(place, &words)
}

/// Runs the experiment of a file, if one is named, with `--set` overrides.
fn experiment_of(place: &Place, file: &[&str], out: &str, sets: &[&str]) -> Outcome {
    experiment_by(exitlab(), place, file, out, sets)
}

/// The same by any exitlab.
fn experiment_by(
    mut command: Command,
    place: &Place,
    file: &[&str],
    out: &str,
    sets: &[&str],
) -> Outcome {
    let out = place.path(out);
    command
        .arg("run")
        .args(file)
        .args(["--progress", "plain", "--out"])
        .arg(out);
    for set in sets {
        command.args(["--set", set]);
    }
    let outcome = command.output().unwrap().into();
    place.assert_deserted();
    outcome
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

fn record(dir: &Path) -> Value {
    serde_json::from_str(&read(dir, "run.json")).unwrap()
}

/// `run.json` without what may differ between equal runs.
fn comparable(dir: &Path) -> Value {
    let mut record = record(dir);
    for field in ["started", "finished"] {
        assert!(record.as_object_mut().unwrap().remove(field).is_some());
    }
    // The conductor is on no host.
    let provenance = record["provenance"].as_object_mut().unwrap();
    assert!(provenance.remove("exitlab_digest").is_some());
    record
}

/// Rows of counts.csv: reason to name, status and counts.
fn counts(dir: &Path) -> BTreeMap<u32, (String, String, Vec<u64>)> {
    let text = read(dir, "counts.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let numbers = row
                .iter()
                .skip(3)
                .take(3)
                .map(|n| n.parse().unwrap())
                .collect();
            (
                reason_number(&row[0]),
                (row[1].to_owned(), row[2].to_owned(), numbers),
            )
        })
        .collect()
}

/// Intel numbers its exit reasons in decimal, AMD its exit codes in hexadecimal.
fn reason_number(text: &str) -> u32 {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

/// What Debian's `cpuid` printed: eax, ebx, ecx, edx.
fn registers(stdout: &str) -> [u64; 4] {
    ["eax=", "ebx=", "ecx=", "edx="].map(|name| {
        let (_, rest) = stdout
            .split_once(name)
            .unwrap_or_else(|| panic!("no {name} in {stdout}"));
        let digits = rest.trim_start_matches("0x");
        let end = digits
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        u64::from_str_radix(&digits[..end], 16).unwrap()
    })
}

/// What a platform's processor calls the same things.
struct Processor {
    platform: &'static str,
    isa: Isa,
    /// The reason of an exit by CPUID.
    cpuid: u32,
    /// The reason of an exit by HLT.
    hlt: u32,
    /// Reasons that every boot has exits of: CPUID, I/O, nested paging, and another.
    busy: [u32; 4],
    /// Numbers that stand for no reason.
    undefined: [u32; 3],
    /// What the table calls an exit of nested paging.
    nested_paging: &'static str,
}

const INTEL: Processor = Processor {
    platform: "bochs-vmx",
    isa: Isa::Vmx,
    cpuid: 10,
    hlt: 12,
    busy: [10, 30, 48, 28],
    undefined: [35, 38, 42],
    nested_paging: "EPT violation",
};

const AMD: Processor = Processor {
    platform: "tcg-svm",
    isa: Isa::Svm,
    cpuid: 0x72,
    hlt: 0x78,
    busy: [0x72, 0x7b, 0x400, 0x7c],
    undefined: [0xa7, 0x3ff, 0x404],
    nested_paging: "Nested page fault",
};

impl Processor {
    /// Where the census has a reason's counter.
    fn slot(&self, reason: u32) -> usize {
        ReasonTable::of(self.isa).slot(reason).unwrap()
    }

    /// The numbers that have a row: on Intel also undefined ones between the others.
    fn rows(&self) -> Vec<u32> {
        let table = ReasonTable::of(self.isa);
        match self.isa {
            Isa::Vmx => (0..=85).collect(),
            Isa::Svm => table.defined().map(|reason| reason.number).collect(),
        }
    }

    /// The reasons that `cpuid` is asked for.
    fn asked(&self) -> Vec<u32> {
        [&self.undefined[..], &self.busy].concat()
    }
}

#[test]
fn two_runs_on_bochs_vmx_are_equal_and_right() {
    two_runs_are_equal_and_right(&INTEL);
}

#[test]
fn two_runs_on_tcg_svm_are_equal_and_right() {
    two_runs_are_equal_and_right(&AMD);
}

/// Two runs of the default experiment.
fn two_runs_are_equal_and_right(processor: &Processor) {
    let place = Place::new();
    let commands: Vec<String> = processor
        .asked()
        .iter()
        .map(|reason| format!("\"cpuid -1 -r -l 0x4ffffffe -s {reason}\""))
        .collect();
    let inspect = format!("inspect=[{}]", commands.join(", "));
    let platform = format!("platform={}", processor.platform);
    let sets = [
        platform.as_str(),
        inspect.as_str(),
        "guest.files=[\"/usr/bin/cpuid\"]",
    ];

    // One after the other, so that they start at different times of day: the emulator
    // once took its random numbers from there. The second by another conductor, which somebody
    // else has built elsewhere.
    for (out, program) in [("first", exitlab()), ("second", twin::exitlab())] {
        let outcome = experiment_by(program, &place, &[], out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(
            outcome.stdout.contains(processor.nested_paging),
            "{}",
            outcome.stdout
        );
    }
    assert_same_images(&sets);
    let (first, second) = (place.path("first"), place.path("second"));
    for name in ["samples.csv", "counts.csv", "events.jsonl"] {
        assert!(read(&first, name) == read(&second, name), "{name} differs");
    }
    assert_eq!(comparable(&first), comparable(&second));

    assert_eq!(record(&first)["platform"], processor.platform);
    assert_counts(&first, processor);
    assert_channels(&first, processor);
    assert_inspections(&first, processor);
}

/// The images of host and guest are the same bytes, by whomever they are made.
fn assert_same_images(sets: &[&str]) {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    for part in ["host-image", "guest-image"] {
        let words = [&[part], &sets[..]].concat();
        let (ours, theirs) = (built(&words), twin::built_by_twin(&words));
        assert_ne!(ours, theirs, "they have a cache each");
        let same = std::fs::read(&ours).unwrap() == std::fs::read(&theirs).unwrap();
        assert!(same, "{} differs from {}", ours.display(), theirs.display());
    }
}

/// Every reason has a row, what must have happened has, and nothing decreases.
fn assert_counts(dir: &Path, processor: &Processor) {
    let counts = counts(dir);
    let numbers: Vec<u32> = counts.keys().copied().collect();
    assert_eq!(numbers, processor.rows());
    for reason in processor.busy {
        assert!(
            counts[&reason].2[0] > 0,
            "reason {reason} has no exits at boot"
        );
    }
    for row in processor.undefined.iter().filter_map(|r| counts.get(r)) {
        assert_eq!(row.1, "undefined");
    }
    for (reason, (_, status, counts)) in &counts {
        assert_eq!(counts.len(), 3);
        assert!(counts.is_sorted(), "reason {reason} decreases: {counts:?}");
        assert!(status == "enabled" || counts.iter().all(|count| *count == 0));
    }
}

fn list(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap())
        .collect()
}

/// The two channels agree, reading costs what it reads, and KVM counts the same.
fn assert_channels(dir: &Path, processor: &Processor) {
    let record = record(dir);
    let samples = record["samples"].as_array().unwrap();
    let cpuid = processor.slot(processor.cpuid);
    assert_eq!(samples.len(), 3);
    for sample in samples {
        let before = list(&sample["stats_before"]["counts"]);
        let inside = list(&sample["cpuid"]["counts"]);
        let after = list(&sample["stats_after"]["counts"]);
        for (slot, inside) in inside.iter().enumerate() {
            let range = before[slot]..=after[slot];
            assert!(
                range.contains(inside),
                "slot {slot}: {inside} not in {range:?}"
            );
        }
        let leaves = sample["cpuid"]["leaves"].as_u64().unwrap();
        assert_eq!(
            after[cpuid] - before[cpuid],
            leaves,
            "every CPUID exit is a leaf that was read"
        );
        for reading in ["stats_before", "stats_after"] {
            let reading = &sample[reading];
            let sum: u64 = list(&reading["counts"]).iter().sum();
            assert_eq!(
                sum + reading["other"].as_u64().unwrap(),
                reading["exits"],
                "KVM's own"
            );
            assert_eq!(reading["other"], 0);
        }
    }
    let table = read(dir, "table.md");
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
}

/// An independent program in the guest reads what we read.
fn assert_inspections(dir: &Path, processor: &Processor) {
    let record = record(dir);
    let inspections = record["inspections"].as_array().unwrap();
    let asked = processor.asked();
    assert_eq!(inspections.len(), asked.len());
    for (reason, inspection) in asked.iter().zip(inspections) {
        assert_eq!(inspection["exit"], 0, "{inspection}");
        let [eax, ebx, ecx, edx] = registers(inspection["stdout"].as_str().unwrap());
        if processor.undefined.contains(reason) {
            assert_eq!(
                [eax, ebx, ecx, edx],
                [0, 0, 0, 0xffff_ffff],
                "reason {reason}"
            );
            continue;
        }
        let count = |when: &str| {
            inspection[when]["counts"][processor.slot(*reason)]
                .as_u64()
                .unwrap()
        };
        let range = count("before")..=count("after");
        assert!(
            range.contains(&eax),
            "reason {reason}: {eax} not in {range:?}"
        );
        assert_eq!([ebx, ecx, edx], [0, 0, 0], "reason {reason}");
    }
}
