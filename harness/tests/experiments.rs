//! Whole experiments on emulated hosts: real kernel, real KVM, real QEMU, real SSH.
//!
//! They use the cache of the user who runs them, where `scripts/test` has put both
//! kernels, and take about 20 seconds each on Bochs, less on QEMU.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use exitlab::reasons::{Isa, ReasonTable};
use serde_json::Value;
use support::{Outcome, Place, Running, emulator_below, exitlab, kill};

/// A guest with few exits, for tests that are about something else.
const QUICK: [&str; 2] = ["--set", "guest.machine=microvm"];

/// Runs the default experiment with `--set` overrides.
fn experiment(place: &Place, out: &str, sets: &[&str]) -> Outcome {
    experiment_of(place, &[], out, sets)
}

/// Runs the experiment of a file, if one is named, with `--set` overrides.
fn experiment_of(place: &Place, file: &[&str], out: &str, sets: &[&str]) -> Outcome {
    let out = place.path(out);
    let mut command = exitlab();
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
    // once took its random numbers from there.
    for out in ["first", "second"] {
        let outcome = experiment(&place, out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(
            outcome.stdout.contains(processor.nested_paging),
            "{}",
            outcome.stdout
        );
    }
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
    assert!(!table.contains('✗'), "a check failed:\n{table}");
}

/// The two channels agree on cycles, and cycles are only where exits are.
fn assert_cycles(dir: &Path) {
    for sample in record(dir)["samples"].as_array().unwrap() {
        let [before, inside, after] = ["stats_before", "cpuid", "stats_after"].map(|reading| {
            (
                list(&sample[reading]["counts"]),
                list(&sample[reading]["cycles"]),
            )
        });
        for reason in 0..inside.1.len() {
            let range = before.1[reason]..=after.1[reason];
            assert!(
                range.contains(&inside.1[reason]),
                "cycles of reason {reason}"
            );
        }
        for (counts, cycles) in [&before, &inside, &after] {
            for (reason, cycles) in cycles.iter().enumerate() {
                assert!(
                    counts[reason] > 0 || *cycles == 0,
                    "cycles of reason {reason}"
                );
            }
        }
        let [first, last] = ["before", "after"].map(|when| {
            let cycles = &sample["cpuid"]["totals"][when]["cycles"];
            cycles.as_u64().unwrap()
        });
        let sum: u64 = inside.1.iter().sum();
        assert!((first..=last).contains(&sum), "{first} <= {sum} <= {last}");
    }
}

/// An idle guest spends its time in HLT, and the cycles say so.
fn cycles_tell_where_an_idle_guest_spends_its_time(processor: &Processor) {
    let place = Place::new();
    let platform = format!("platform={}", processor.platform);
    let sets = [&*platform, "guest.machine=microvm", "sampling.cycles=true"];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let title = "Time from VM exit to the next VM entry";
    assert!(outcome.stdout.contains(title), "{}", outcome.stdout);
    let out = place.path("out");
    assert_counts(&out, processor);
    assert_channels(&out, processor);
    assert_cycles(&out);

    let record = record(&out);
    assert_eq!(record["discovery"]["cycles"], true);
    let samples = record["samples"].as_array().unwrap();
    let hlt = processor.slot(processor.hlt);
    let halted = |at: usize| samples[at]["cpuid"]["cycles"][hlt].as_u64().unwrap();
    let tsc = |at: usize| samples[at]["clocks"]["host_tsc"].as_u64().unwrap();
    let (halted, passed) = (halted(2) - halted(1), tsc(2) - tsc(1));
    assert!(
        halted * 10 >= passed * 8,
        "HLT took {halted} of {passed} cycles"
    );
    assert!(halted <= passed, "HLT took {halted} of {passed} cycles");
}

#[test]
fn cycles_on_bochs_vmx_tell_where_an_idle_guest_spends_its_time() {
    cycles_tell_where_an_idle_guest_spends_its_time(&INTEL);
}

#[test]
fn cycles_on_tcg_svm_tell_where_an_idle_guest_spends_its_time() {
    cycles_tell_where_an_idle_guest_spends_its_time(&AMD);
}

/// Exits of one reason in each phase, by the phase's name.
fn exits_by_phase(dir: &Path, processor: &Processor, reason: u32) -> BTreeMap<String, u64> {
    let record = record(dir);
    let samples = record["samples"].as_array().unwrap();
    let (mut before, mut phases) = (0, BTreeMap::new());
    for sample in samples {
        let count = list(&sample["cpuid"]["counts"])[processor.slot(reason)];
        let phase = sample["phase"].as_str().unwrap().to_owned();
        assert_eq!(phases.insert(phase, count - before), None);
        before = count;
    }
    phases
}

const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/workloads.toml");

#[test]
fn each_workload_has_a_column_and_the_exits_that_it_must() {
    let place = Place::new();
    let outcome = experiment_of(&place, &[WORKLOADS], "out", &["platform=tcg-svm"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let out = place.path("out");
    let record = record(&out);
    let planned = record["plan"]["phases"].as_array().unwrap();
    let names: Vec<&str> = planned
        .iter()
        .map(|p| p["name"].as_str().unwrap())
        .collect();
    let samples = record["samples"].as_array().unwrap();
    let labels: Vec<&str> = samples
        .iter()
        .map(|s| s["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, [&["boot", "+2s"], &names[..]].concat());
    let table = read(&out, "table.md");
    for text in [&outcome.stdout, &table] {
        let titles = text
            .lines()
            .find(|line| line.contains("exit reason"))
            .unwrap();
        let mut at = 0;
        for name in &names {
            at += titles[at..]
                .find(name)
                .unwrap_or_else(|| panic!("no {name} in {titles}"));
        }
    }
    assert!(!table.contains('✗'), "a check failed:\n{table}");

    let paging = exits_by_phase(&out, &AMD, 0x400);
    assert!(
        paging["memory-files"] > 10_000,
        "64 MiB are 16384 pages: {paging:?}"
    );
    assert!(paging["memory-files"] > 10 * paging["again"], "{paging:?}");
    assert!(
        paging["network"] > 2 * paging["ssh"],
        "a device is kicked: {paging:?}"
    );
    let cpuid = exits_by_phase(&out, &AMD, AMD.cpuid);
    // A phase that runs nothing but `true` starts one process, the storm a hundred more.
    let process = cpuid["ssh"] - cpuid["idle"];
    assert_eq!(
        cpuid["fork-storm"] - cpuid["ssh"],
        100 * process,
        "{cpuid:?}"
    );
    let spun = cpuid["cpuid"] - cpuid["idle"];
    assert!((16_256..17_000).contains(&spun), "{cpuid:?}");
    let hlt = exits_by_phase(&out, &AMD, AMD.hlt);
    assert!(hlt["sleeps"] >= 20 && hlt["sleeps"] > hlt["cpu"], "{hlt:?}");
}

#[test]
fn a_workload_that_fails_is_named_with_its_words() {
    let place = Place::new();
    let run = "phase=[{name = \"disk\", run = \"echo written; echo no room >&2; exit 7\"}]";
    let sets = ["platform=tcg-svm", "guest.machine=microvm", run];
    let outcome = experiment(&place, "out", &sets);
    let words = [
        "workload",
        "phase disk",
        "exit status 7",
        "written",
        "no room",
        "cure:",
    ];
    outcome.assert_failed(5, &words);
    assert_eq!(
        record(&place.path("out"))["samples"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_workload_that_does_not_end_meets_its_deadline() {
    let place = Place::new();
    let run = "phase=[{name = \"slow\", run = \"sleep 99\", repeat = 2}]";
    let machine = "guest.machine=microvm";
    let sets = ["platform=tcg-svm", machine, run, "deadlines.phase=\"3s\""];
    let outcome = experiment(&place, "out", &sets);
    let words = [
        "phase slow (1 of 2): no end of 'sleep 99' within 3 s",
        "deadlines.phase",
    ];
    outcome.assert_failed(5, &words);
}

#[test]
fn without_ept_the_guest_exits_for_page_faults_and_control_registers() {
    let place = Place::new();
    let counted = |ept: &str| {
        let parameter = format!("kvm_intel.ept={ept}");
        let outcome = experiment(&place, ept, &["guest.machine=microvm", &parameter]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let dir = place.path(ept);
        let found = record(&dir)["kvm_parameters"].clone();
        let shown = if ept == "0" { "N" } else { "Y" };
        let expected = serde_json::json!([
            {"parameter": "kvm_intel.ept", "asked": ept, "found": shown}
        ]);
        assert_eq!(found, expected);
        assert!(
            read(&dir, "table.md").contains(&format!("kvm_intel.ept={ept} (host shows {shown})"))
        );
        let table = read(&dir, "table.md");
        assert!(!table.contains('✗'), "a check failed:\n{table}");
        // Without EPT there is no unrestricted guest mode, and KVM emulates real mode.
        assert_eq!(
            table.contains("KVM emulated the guest"),
            ept == "0",
            "{table}"
        );
        counts(&dir)
    };
    let (with, without) = (counted("1"), counted("0"));
    let last = |counts: &BTreeMap<u32, (String, String, Vec<u64>)>, reason| counts[&reason].2[2];
    assert!(last(&with, 48) > 1000, "EPT violations");
    assert_eq!(last(&without, 48), 0, "EPT violations without EPT");
    // Exceptions (page faults), INVLPG, control-register accesses.
    for (reason, times) in [(0, 1000), (14, 10), (28, 5)] {
        let (with, without) = (last(&with, reason), last(&without, reason));
        assert!(
            without > with * times + 100,
            "reason {reason}: {with} and {without}"
        );
    }
}

#[test]
fn parameters_that_kvm_does_not_have_are_named() {
    let place = Place::new();
    let sets = [
        "platform=tcg-svm",
        "kvm_amd.ntp=0",
        "kvm.halt_poll_ns=soon",
        "kvm_intel.ept=0",
    ];
    let outcome = experiment(&place, "out", &sets);
    let missing = "this host's KVM has no parameter kvm_amd.ntp (there are ";
    let other = "the parameter kvm.halt_poll_ns was asked to be soon, but this host has 200000";
    outcome.assert_failed(5, &[missing, "npt", other, "[kvm_amd]", "cure:"]);
}

/// The way of `nested`, from argv to tables, with an emulated processor in place of the
/// real one: nothing repeats, and everything is right.
#[test]
fn nested_with_tcg_in_place_of_kvm_is_right() {
    let place = Place::new();
    let sets = [
        "platform=nested",
        "host.accelerator=tcg",
        "guest.machine=microvm",
        // Its clock is real: on a busy machine everything takes longer there, too.
        "deadlines.guest_ssh=\"30m\"",
        "deadlines.exchange=\"10m\"",
    ];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let out = place.path("out");
    assert_eq!(record(&out)["platform"], "nested, emulated by TCG");
    assert_counts(&out, &AMD);
    assert_channels(&out, &AMD);
}

#[test]
fn every_leaf_map_is_read_right() {
    let place = Place::new();
    for map in [2, 3] {
        let out = format!("map-{map}");
        let cmdline = format!("host.cmdline=kvm.exit_census_leaf_map={map}");
        let sets = ["guest.machine=microvm", "sampling.cycles=true", &*cmdline];
        let outcome = experiment(&place, &out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let out = place.path(&out);
        assert_eq!(record(&out)["discovery"]["leaf_map"], map);
        assert_counts(&out, &INTEL);
        assert_channels(&out, &INTEL);
        assert_cycles(&out);
    }
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

/// The kernel's own tracepoint counts what the census counts: every exit of every reason,
/// from the very first one on.
fn assert_trace(dir: &Path, samples: usize) {
    let record = record(dir);
    let taken = record["samples"].as_array().unwrap();
    assert_eq!(taken.len(), samples);
    for sample in taken {
        let (trace, stats) = (&sample["trace"], &sample["trace"]["stats"]);
        let numbers = |reading: &Value| -> Vec<u64> {
            let counts = reading["counts"].as_array().unwrap().iter();
            counts.map(|count| count.as_u64().unwrap()).collect()
        };
        let (events, counts) = (numbers(trace), numbers(stats));
        assert_eq!(events, counts, "sample {}", sample["number"]);
        assert_eq!(trace["other"], stats["other"]);
        let sum = events.iter().sum::<u64>() + trace["other"].as_u64().unwrap();
        assert_eq!(sum, stats["exits"], "KVM's own count");
        assert!(sum > 1000, "a guest that boots exits often: {sum}");
    }
    let table = read(dir, "table.md");
    assert!(
        table.contains("✓ The kernel's tracepoint counted the same"),
        "{table}"
    );
    assert!(!table.contains('✗'), "a check failed:\n{table}");
}

const TRACE: &str = "sampling.channels=[\"cpuid\", \"stats\", \"trace\"]";

fn the_tracepoint_counts_the_same(processor: &Processor) {
    let place = Place::new();
    let platform = format!("platform={}", processor.platform);
    let outcome = experiment(&place, "out", &[TRACE, &platform, "guest.vcpus=2"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_trace(&place.path("out"), 3);
}

#[test]
fn the_tracepoint_counts_the_same_on_bochs_vmx() {
    the_tracepoint_counts_the_same(&INTEL);
}

#[test]
fn the_tracepoint_counts_the_same_on_tcg_svm() {
    the_tracepoint_counts_the_same(&AMD);
}

/// A kernel that is in the cache, as an image of the user's own.
fn ready_image(sets: &[&str]) -> String {
    let mut command = exitlab();
    command.args(["build", "kernel"]);
    for set in sets {
        command.args(["--set", set]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success());
    let path = String::from_utf8(output.stdout).unwrap();
    format!("kernel.source=image:{}", path.trim())
}

#[test]
fn a_ready_image_is_booted_as_it_is() {
    let place = Place::new();
    let image = ready_image(&[]);
    let outcome = experiment(&place, "out", &[&image, "guest.machine=microvm"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let provenance = &record(&place.path("out"))["provenance"];
    let path = image.strip_prefix("kernel.source=image:").unwrap();
    let digest = blake3::hash(&std::fs::read(path).unwrap());
    assert_eq!(provenance["kernel_digest"], digest.to_hex().as_str());
    assert_eq!(provenance["kernel_inputs"][0][0], "image");
    let table = read(&place.path("out"), "table.md");
    assert!(!table.contains('✗'), "a check failed:\n{table}");
}

#[test]
fn a_host_that_cannot_trace_is_recognised() {
    let place = Place::new();
    let image = ready_image(&[]);
    let outcome = experiment(&place, "out", &[&image, TRACE, "guest.machine=microvm"]);
    outcome.assert_failed(5, &["kvm_exit", "CONFIG_FTRACE", "trace.config", "cure:"]);
}

#[test]
fn without_channels_commands_run_on_a_kernel_without_the_census() {
    let place = Place::new();
    let sets = [
        "kernel.census=false",
        "guest.machine=microvm",
        "sampling.channels=[]",
        "inspect=[\"exit-sampler spin cpuid 100\", \"exit-sampler spin hypercall 100\"]",
    ];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let record = record(&place.path("out"));
    assert_eq!(record["samples"].as_array().unwrap().len(), 0);
    for (at, instruction) in ["cpuid", "hypercall"].iter().enumerate() {
        let inspection = &record["inspections"][at];
        let stdout = inspection["stdout"].as_str().unwrap();
        let start = format!("spin {instruction} per_block 16 blocks 100 min ");
        assert!(stdout.starts_with(&start), "{inspection}");
        assert_eq!(inspection.get("before"), None);
    }
}

#[test]
fn a_kernel_without_the_census_is_recognised() {
    let place = Place::new();
    let sets = ["kernel.census=false", "guest.machine=microvm"];
    let outcome = experiment(&place, "out", &sets);
    outcome.assert_failed(5, &["carries no exit census", "kernel.census", "cure:"]);
    assert!(
        !place.path("out/counts.csv").exists(),
        "no table of nonsense"
    );
    assert_eq!(record(&place.path("out"))["outcome"]["state"], "failed");
}

#[test]
fn a_guest_that_panics_at_boot_is_recognised() {
    let place = Place::new();
    let sets = [
        "guest.cmdline=quiet rdinit=/nonexistent",
        "guest.machine=microvm",
    ];
    let outcome = experiment(&place, "out", &sets);
    outcome.assert_failed(
        5,
        &["guest boots", "the guest panicked", "Kernel panic", "cure:"],
    );
}

#[test]
fn a_guest_whose_ssh_server_never_starts_meets_the_deadline() {
    let place = Place::new();
    let sets = [
        "guest.cmdline=quiet sshd=no",
        "deadlines.guest_ssh=\"6s\"",
        "guest.machine=microvm",
    ];
    let outcome = experiment(&place, "out", &sets);
    let console = "told to start no SSH server";
    outcome.assert_failed(
        5,
        &[
            "no SSH login within 6 s",
            console,
            "deadlines.guest_ssh",
            "cure:",
        ],
    );
}

#[test]
fn a_host_that_panics_is_recognised() {
    let place = Place::new();
    let outcome = experiment(&place, "out", &["host.cmdline=init=/nonexistent"]);
    outcome.assert_failed(
        5,
        &[
            "host boots",
            "the host's kernel panicked",
            "Kernel panic",
            "cure:",
        ],
    );
}

#[test]
fn a_host_that_dies_mid_run_is_recognised_and_samples_are_kept() {
    let place = Place::new();
    let out = place.path("out");
    let mut args = vec!["--out", out.to_str().unwrap()];
    args.extend(QUICK);
    // A long pause after the first sample leaves time to kill the host.
    args.extend(["--set", "sampling.schedule=[\"boot\", \"+10000s\"]"]);
    args.extend(["--set", "deadlines.silence=\"2m\""]);
    let mut running = Running::start(&place, &args);
    running.wait_for("\"event\":\"sample\"");
    kill(emulator_below(&out), "-KILL");
    assert_eq!(running.code(), Some(5));
    let stderr = running.stderr();
    assert!(stderr.contains("Bochs ended"), "{stderr}");
    place.assert_deserted();
    assert_eq!(record(&out)["samples"].as_array().unwrap().len(), 1);
    assert!(counts(&out)[&10].2[0] > 0, "the table of what was sampled");
}

/// Interrupts a run when its progress shows `moment`; then the next run must work.
fn interrupted_at(moment: &str, more: &[&str]) {
    let place = Place::new();
    let out = place.path("out");
    let mut args = vec!["--out", out.to_str().unwrap()];
    args.extend(QUICK);
    args.extend(more);
    let mut running = Running::start(&place, &args);
    running.wait_for(moment);
    running.signal("-INT");
    assert_eq!(running.code(), Some(130), "{}", running.stderr());
    place.assert_deserted();
    if out.exists() {
        assert_eq!(record(&out)["outcome"]["state"], "interrupted");
    }
}

#[test]
fn a_killed_exitlab_takes_its_emulator_along() {
    let place = Place::new();
    let out = place.path("out");
    let mut args = vec!["--out", out.to_str().unwrap()];
    args.extend(QUICK);
    let mut running = Running::start(&place, &args);
    running.wait_for("host boots");
    let emulator = emulator_below(&out);
    running.signal("-KILL");
    assert_eq!(running.code(), None, "ended by a signal");
    let gone = || !Path::new(&format!("/proc/{emulator}/cwd/bochsrc")).exists();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !gone() {
        assert!(
            std::time::Instant::now() < deadline,
            "Bochs outlives exitlab"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn an_interrupt_while_the_host_boots_ends_it() {
    interrupted_at("host boots", &[]);
}

#[test]
fn an_interrupt_while_the_guest_boots_ends_it() {
    interrupted_at("guest boots", &[]);
}

#[test]
fn an_interrupt_while_sampling_ends_it() {
    interrupted_at(
        "\"event\":\"sample\"",
        &["--set", "sampling.schedule=[\"boot\", \"+9999s\"]"],
    );
}

#[test]
fn an_interrupt_while_the_kernel_is_built_ends_the_compiler() {
    let cache = tempfile::tempdir().unwrap();
    interrupted_at("\"compile\"", &["--cache", cache.path().to_str().unwrap()]);
    let left = support::processes_below(cache.path());
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_running() {
    let place = Place::new();
    // A file system of our own in a mount namespace of our own: full, and gone afterwards.
    let full = place.path("full");
    std::fs::create_dir(&full).unwrap();
    let script = "mount -t tmpfs -o size=580k tmpfs \"$1\" && shift && exec \"$@\"";
    let exitlab = env!("CARGO_BIN_EXE_exitlab");
    let outcome: Outcome = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(&full)
        .args([exitlab, "run", "--progress", "plain", "--out"])
        .arg(full.join("out"))
        .args(QUICK)
        .output()
        .unwrap()
        .into();
    outcome.assert_failed(5, &["No space left on device", "--out", "cure:"]);
    place.assert_deserted();
}
