//! Guests other than the default one, on an emulated AMD host: a flat binary without an
//! operating system, Linux that nobody logs in to, files of the user's own, Debian.
//!
//! They use the cache of the user who runs them, where `scripts/test` has put the kernel
//! and the Debian image.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::rig::{built, own_file};
use crate::support::{Outcome, Place, exitlab};

/// SVM's exit codes.
const CPUID: usize = 0x72;
const IO: usize = 0x7b;

/// A guest that is only watched.
const WATCHED: [&str; 2] = ["guest.ssh=false", "sampling.channels=[\"stats\"]"];

/// Runs the default experiment on `tcg-svm` with `--set` overrides.
pub(super) fn experiment(place: &Place, out: &str, sets: &[&str]) -> Outcome {
    let mut command = exitlab();
    command
        .args([
            "run",
            "--platform",
            "tcg-svm",
            "--progress",
            "plain",
            "--out",
        ])
        .arg(place.path(out));
    for set in sets {
        command.args(["--set", set]);
    }
    let outcome = command.output().unwrap().into();
    place.assert_deserted();
    outcome
}

fn succeed(place: &Place, out: &str, sets: &[&str]) -> Value {
    let outcome = experiment(place, out, sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let text = std::fs::read_to_string(place.path(out).join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs a large guest, on one machine after the other until it does not stop: QEMU can
/// deliver an interrupt twice to it, and a setting that stops for that always does
/// (docs/determinism.md). Such a run must be ended by its deadline, and say so. Returns the
/// machine, too.
fn succeed_somewhere(place: &Place, out: &str, sets: &[&str]) -> (String, Value) {
    for machine in ["q35", "microvm", "pc"] {
        let machine = format!("guest.machine={machine}");
        let sets = [sets, &[machine.as_str()]].concat();
        let outcome = experiment(place, out, &sets);
        if outcome.code == Some(0) {
            let text = std::fs::read_to_string(place.path(out).join("run.json")).unwrap();
            return (machine, serde_json::from_str(&text).unwrap());
        }
        outcome.assert_failed(5, &["deadlines."]);
        std::fs::remove_dir_all(place.path(out)).unwrap();
    }
    panic!("no machine boots it");
}

/// The counts of each sample, read by the host.
fn stats(record: &Value) -> Vec<Vec<u64>> {
    let samples = record["samples"].as_array().unwrap();
    samples
        .iter()
        .map(|sample| serde_json::from_value(sample["stats_before"]["counts"].clone()).unwrap())
        .collect()
}

fn between(counts: &[Vec<u64>], reason: usize) -> u64 {
    counts[2][reason] - counts[1][reason]
}

/// Assembles a guest to be linked at `text`.
pub(super) fn assemble(place: &Place, name: &str, text: &str, more: &[&str]) -> PathBuf {
    let source = own_file(&format!("guests/{name}.S"));
    let (object, program) = (place.path("guest.o"), place.path(name));
    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    run(Command::new("as")
        .args(["--32", "-o"])
        .args([&object, &source]));
    run(Command::new("ld")
        .args(["-m", "elf_i386", &format!("-Ttext={text}")])
        .args(more)
        .arg("-o")
        .args([&program, &object]));
    program
}

fn flat_guest(place: &Place) -> String {
    let flat = assemble(place, "flat", "0x100000", &[]);
    format!("guest.kernel={}", flat.display())
}

#[test]
fn a_flat_guest_is_counted_to_the_exit() {
    let place = Place::new();
    let flat = flat_guest(&place);
    let schedule = "sampling.schedule=[\"boot\", \"line:READY\", \"end\"]";
    let sets = [flat.as_str(), schedule, WATCHED[0], WATCHED[1]];
    let record = succeed(&place, "first", &sets);
    let counts = stats(&record);
    assert!(
        counts[0].iter().all(|count| *count == 0),
        "before its start"
    );
    assert_eq!(between(&counts, CPUID), 1000);
    // Each character of its last line, the way out that is not there, and the one that is.
    assert_eq!(between(&counts, IO), "flat: DONE\n".len() as u64 + 2);

    let samples = record["samples"].as_array().unwrap();
    let labels: Vec<_> = samples.iter().map(|sample| &sample["label"]).collect();
    assert_eq!(labels, ["boot", "line:READY", "end"]);

    succeed(&place, "second", &sets);
    for file in ["samples.csv", "counts.csv", "events.jsonl"] {
        let read = |out: &str| std::fs::read(place.path(out).join(file)).unwrap();
        assert!(read("first") == read("second"), "{file} differs");
    }
}

#[test]
fn a_guest_that_ends_too_early_is_recognised() {
    let place = Place::new();
    let flat = flat_guest(&place);
    let of = |out: &str, schedule: &str, more: &[&str]| {
        let schedule = format!("sampling.schedule={schedule}");
        let mut sets = vec![flat.as_str(), &schedule, WATCHED[0], WATCHED[1]];
        sets.extend(more);
        experiment(&place, out, &sets)
    };
    let never = of("line", "[\"boot\", \"line:NEVER\"]", &[]);
    never.assert_failed(
        5,
        &[
            "the guest ended before it printed a line that contains 'NEVER'",
            "flat: DONE",
            "cure:",
        ],
    );
    let late = of("time", "[\"boot\", \"+60s\"]", &[]);
    late.assert_failed(
        5,
        &["the guest ended before its next sample was due", "cure:"],
    );
    let stuck = of(
        "deadline",
        "[\"boot\", \"line:NEVER\"]",
        &["deadlines.phase=\"100ms\""],
    );
    stuck.assert_failed(5, &["no line that contains 'NEVER' within 0.1 s", "cure:"]);
}

#[test]
fn a_linux_without_ssh_is_sampled_by_lines_and_time() {
    let place = Place::new();
    let sets = [
        "guest.machine=microvm",
        "sampling.schedule=[\"boot\", \"line:exitlab-guest: booted\", \"+2s\"]",
        WATCHED[0],
        WATCHED[1],
    ];
    let record = succeed(&place, "out", &sets);
    let counts = stats(&record);
    let total = |at: usize| counts[at].iter().sum::<u64>();
    assert_eq!(total(0), 0);
    assert!(total(1) > 1000, "it booted: {}", total(1));
    let idle = total(2) - total(1);
    assert!((10..1000).contains(&idle), "it was idle: {idle}");
    let seconds = |at: usize| record["samples"][at]["clocks"]["host_s"].as_f64().unwrap();
    let pause = seconds(2) - seconds(1);
    assert!((2.0..2.2).contains(&pause), "{pause} s");
}

#[test]
fn a_kernel_an_initramfs_and_devices_of_the_users_own_are_used() {
    let place = Place::new();
    // Other files with the same contents: what counts is where they come from.
    let copy = |args: &[&str], name: &str| {
        let path = place.path(name);
        std::fs::copy(built(args), &path).unwrap();
        path.display().to_string()
    };
    let kernel = copy(&["kernel"], "my-kernel");
    let initrd = copy(&["guest-image"], "my-initrd");
    let record = succeed(
        &place,
        "out",
        &[
            &format!("guest.kernel={kernel}"),
            &format!("guest.initrd={initrd}"),
            "guest.machine=microvm",
            "guest.devices=[\"virtio-rng-device\", \"virtio-balloon-device\"]",
            "inspect=[\"busybox cat /sys/bus/virtio/devices/*/device\"]",
        ],
    );
    assert_eq!(record["plan"]["guest"]["kernel"], kernel);
    assert_eq!(record["samples"].as_array().unwrap().len(), 3);
    // Network, entropy, balloon (virtio's device types 1, 4, 5).
    let types = record["inspections"][0]["stdout"].as_str().unwrap();
    let mut types: Vec<_> = types.lines().collect();
    types.sort_unstable();
    assert_eq!(types, ["0x0001", "0x0004", "0x0005"]);
}

#[test]
fn debian_boots_to_ssh_and_repeats() {
    let place = Place::new();
    let sets = [
        "guest.image=debian",
        // Three times what it takes: a guest that stopped shall not keep us.
        "deadlines.guest_ssh=\"20s\"",
        "deadlines.silence=\"3m\"",
        "sampling.schedule=[\"boot\", \"+5s\"]",
        "inspect=[\"cat /etc/os-release; systemctl is-system-running --wait; \
         systemctl is-active ssh\"]",
    ];
    let (machine, record) = succeed_somewhere(&place, "first", &sets);
    let said = record["inspections"][0]["stdout"].as_str().unwrap();
    assert!(said.contains("Debian GNU/Linux 12 (bookworm)"), "{said}");
    assert!(said.contains("\nrunning\nactive\n"), "{said}");
    let counts = stats(&record);
    assert!(counts[0][CPUID] > 1000 && counts[0][IO] > 1000);

    succeed(&place, "second", &[&sets[..], &[&machine]].concat());
    let read = |out: &str| std::fs::read(place.path(out).join("samples.csv")).unwrap();
    assert!(read("first") == read("second"), "samples.csv differs");
}

#[test]
fn a_disk_boots_itself_and_is_not_changed() {
    let place = Place::new();
    let sector = assemble(&place, "sector", "0x7c00", &["--oformat=binary"]);
    let mut disk = std::fs::read(&sector).unwrap();
    assert_eq!(disk.len(), 512);
    disk.resize(1 << 20, 0);
    let raw = place.path("disk.raw");
    std::fs::write(&raw, &disk).unwrap();
    let qcow2 = place.path("disk.qcow2");
    let convert = Command::new("qemu-img")
        .args(["convert", "-O", "qcow2"])
        .args([&raw, &qcow2])
        .status();
    assert!(convert.unwrap().success());
    for (name, machine) in [("disk.raw", "pc"), ("disk.qcow2", "q35")] {
        let image = place.path(name);
        let before = std::fs::read(&image).unwrap();
        let record = succeed(
            &place,
            machine,
            &[
                &format!("guest.disk={}", image.display()),
                &format!("guest.machine={machine}"),
                "sampling.schedule=[\"boot\", \"line:sector: WRITTEN\", \"end\"]",
                WATCHED[0],
                WATCHED[1],
            ],
        );
        assert_eq!(record["samples"].as_array().unwrap().len(), 3);
        assert!(std::fs::read(&image).unwrap() == before, "{name} changed");
    }
}

/// A cloud image: Debian with cloud-init, which finds our seed by itself.
#[test]
fn a_disk_with_cloud_init_lets_us_in() {
    let place = Place::new();
    let disk = built(&[
        "guest-image",
        "--set",
        "guest.image=debian",
        "--set",
        "guest.packages=[\"cloud-init\"]",
    ]);
    let beside = |name: &str| disk.with_file_name(name).display().to_string();
    let (_, record) = succeed_somewhere(
        &place,
        "out",
        &[
            &format!("guest.disk={}", disk.display()),
            &format!("guest.kernel={}", beside("kernel")),
            &format!("guest.initrd={}", beside("initramfs")),
            "guest.cmdline=quiet root=/dev/vda ro",
            "guest.memory=512M",
            "host.memory=2G",
            "deadlines.guest_ssh=\"1m\"",
            "deadlines.silence=\"3m\"",
            "sampling.schedule=[\"boot\", \"+2s\"]",
            "inspect=[\"cloud-init query ds\", \"hostname\"]",
        ],
    );
    assert!(record["samples"][1]["cpuid"].is_object());
    let said = |at: usize| record["inspections"][at]["stdout"].as_str().unwrap();
    assert!(said(0).contains("exitlab"), "{}", said(0));
    assert_eq!(said(1), "exitlab\n");
}
