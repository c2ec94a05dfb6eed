//! Whole experiments on emulated hosts: real kernel, real KVM, real QEMU, real SSH.
//!
//! They use the cache of the user who runs them, where `scripts/test` has put both
//! kernels, and take about 20 seconds each.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use support::{Outcome, Place, Running, emulator_below, exitlab, kill};

/// A guest with few exits, for tests that are about something else.
const QUICK: [&str; 2] = ["--set", "guest.machine=microvm"];

/// Runs an experiment with `--set` overrides.
fn experiment(place: &Place, out: &str, sets: &[&str]) -> Outcome {
    let out = place.path(out);
    let mut command = exitlab();
    command
        .args(["run", "--progress", "plain", "--out"])
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
                row[0].parse().unwrap(),
                (row[1].to_owned(), row[2].to_owned(), numbers),
            )
        })
        .collect()
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

/// The reasons that `cpuid` is asked for: undefined ones, and busy ones.
const ASKED: [u32; 7] = [35, 38, 42, 10, 28, 30, 48];

#[test]
fn two_runs_of_the_default_experiment_are_equal_and_right() {
    let place = Place::new();
    let commands: Vec<String> = ASKED
        .iter()
        .map(|reason| format!("\"cpuid -1 -r -l 0x4ffffffe -s {reason}\""))
        .collect();
    let inspect = format!("inspect=[{}]", commands.join(", "));
    let sets = [inspect.as_str(), "guest.files=[\"/usr/bin/cpuid\"]"];

    // One after the other, so that they start at different times of day: the emulator
    // once took its random numbers from there.
    for out in ["first", "second"] {
        let outcome = experiment(&place, out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(
            outcome.stdout.contains("EPT violation"),
            "{}",
            outcome.stdout
        );
    }
    let (first, second) = (place.path("first"), place.path("second"));
    for name in ["samples.csv", "counts.csv", "events.jsonl"] {
        assert!(read(&first, name) == read(&second, name), "{name} differs");
    }
    assert_eq!(comparable(&first), comparable(&second));

    assert_counts(&first);
    assert_channels(&first);
    assert_inspections(&first);
}

/// Every reason has a row, what must have happened has, and nothing decreases.
fn assert_counts(dir: &Path) {
    let counts = counts(dir);
    let numbers: Vec<u32> = counts.keys().copied().collect();
    assert_eq!(numbers, (0..=85).collect::<Vec<_>>());
    for reason in [10, 30, 48] {
        assert!(
            counts[&reason].2[0] > 0,
            "reason {reason} has no exits at boot"
        );
    }
    for reason in [35, 38, 42] {
        assert_eq!(counts[&reason].1, "undefined");
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
fn assert_channels(dir: &Path) {
    let record = record(dir);
    let samples = record["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 3);
    for sample in samples {
        let before = list(&sample["stats_before"]["counts"]);
        let inside = list(&sample["cpuid"]["counts"]);
        let after = list(&sample["stats_after"]["counts"]);
        for (reason, inside) in inside.iter().enumerate() {
            let range = before[reason]..=after[reason];
            assert!(
                range.contains(inside),
                "reason {reason}: {inside} not in {range:?}"
            );
        }
        let leaves = sample["cpuid"]["leaves"].as_u64().unwrap();
        assert_eq!(
            after[10] - before[10],
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
#[test]
fn cycles_tell_where_an_idle_guest_spends_its_time() {
    let place = Place::new();
    let sets = ["guest.machine=microvm", "sampling.cycles=true"];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let title = "Time from VM exit to the next VM entry";
    assert!(outcome.stdout.contains(title), "{}", outcome.stdout);
    let out = place.path("out");
    assert_counts(&out);
    assert_channels(&out);
    assert_cycles(&out);

    let record = record(&out);
    assert_eq!(record["discovery"]["cycles"], true);
    let samples = record["samples"].as_array().unwrap();
    let halted = |at: usize| samples[at]["cpuid"]["cycles"][12].as_u64().unwrap();
    let tsc = |at: usize| samples[at]["clocks"]["host_tsc"].as_u64().unwrap();
    let (halted, passed) = (halted(2) - halted(1), tsc(2) - tsc(1));
    assert!(
        halted * 10 >= passed * 8,
        "HLT took {halted} of {passed} cycles"
    );
    assert!(halted <= passed, "HLT took {halted} of {passed} cycles");
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
        assert_counts(&out);
        assert_channels(&out);
        assert_cycles(&out);
    }
}

/// An independent program in the guest reads what we read.
fn assert_inspections(dir: &Path) {
    let record = record(dir);
    let inspections = record["inspections"].as_array().unwrap();
    assert_eq!(inspections.len(), ASKED.len());
    for (reason, inspection) in ASKED.iter().zip(inspections) {
        assert_eq!(inspection["exit"], 0, "{inspection}");
        let [eax, ebx, ecx, edx] = registers(inspection["stdout"].as_str().unwrap());
        if [35, 38, 42].contains(reason) {
            assert_eq!(
                [eax, ebx, ecx, edx],
                [0, 0, 0, 0xffff_ffff],
                "reason {reason}"
            );
            continue;
        }
        let count = |when: &str| {
            inspection[when]["counts"][*reason as usize]
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
        "guest.sshd=false",
        "deadlines.guest_ssh=\"6s\"",
        "guest.machine=microvm",
    ];
    let outcome = experiment(&place, "out", &sets);
    let console = "there is no SSH server in this image";
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
