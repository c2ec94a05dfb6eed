//! Everything that goes wrong on the way, and what is left behind then: nothing.

use super::*;

#[test]
fn a_guest_that_panics_at_boot_is_recognised() {
    let place = Place::new();
    let sets = [&QUICK[..], &["guest.cmdline=quiet rdinit=/nonexistent"]].concat();
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
        QUICK[0],
        QUICK[1],
        "guest.cmdline=quiet sshd=no",
        "deadlines.guest_ssh=\"6s\"",
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

/// Bochs goes on when its kernel has panicked; QEMU ends with it.
#[test]
fn a_host_that_panics_is_recognised() {
    let place = Place::new();
    let outcome = experiment(
        &place,
        "out",
        &["platform=bochs-vmx", "host.cmdline=init=/nonexistent"],
    );
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
    // A long pause after the first sample leaves time to kill the host.
    let sets = [
        QUICK[0],
        QUICK[1],
        "sampling.schedule=[\"boot\", \"+10000s\"]",
        "deadlines.silence=\"2m\"",
    ];
    let mut running = start(&place, &out, &sets);
    running.wait_for("\"event\":\"sample\"");
    kill(emulator_below(&out), "-KILL");
    assert_eq!(running.code(), Some(5));
    let stderr = running.stderr();
    assert!(stderr.contains("QEMU ended"), "{stderr}");
    place.assert_deserted();
    assert_eq!(record(&out)["samples"].as_array().unwrap().len(), 1);
    assert!(
        counts(&out)[&AMD.cpuid].2[0] > 0,
        "the table of what was sampled"
    );
}

/// Interrupts a run when its progress shows `moment`; then the next run must work.
fn interrupted_at(moment: &str, sets: &[&str], more: &[&str]) {
    let place = Place::new();
    let out = place.path("out");
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let words = sets.chain(["--out", out.to_str().unwrap()]);
    let words: Vec<&str> = words.chain(more.iter().copied()).collect();
    let mut running = Running::start(&place, &words);
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
    let mut running = start(&place, &out, &["platform=bochs-vmx"]);
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
    interrupted_at("host boots", &["platform=bochs-vmx"], &[]);
}

#[test]
fn an_interrupt_while_the_guest_boots_ends_it() {
    interrupted_at("guest boots", &QUICK, &[]);
}

#[test]
fn an_interrupt_while_sampling_ends_it() {
    let long = "sampling.schedule=[\"boot\", \"+9999s\"]";
    interrupted_at("\"event\":\"sample\"", &[QUICK[0], QUICK[1], long], &[]);
}

#[test]
fn an_interrupt_while_the_kernel_is_built_ends_the_compiler() {
    let cache = tempfile::tempdir().unwrap();
    let words = ["--cache", cache.path().to_str().unwrap()];
    interrupted_at("\"compile\"", &[], &words);
    let left = processes_below(cache.path());
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_running() {
    let place = Place::new();
    // On Bochs what is written at the start is small, and the disk is full later. A file
    // system of our own in a mount namespace of our own: full, and gone afterwards.
    let full = place.path("full");
    std::fs::create_dir(&full).unwrap();
    let script = "mount -t tmpfs -o size=580k tmpfs \"$1\" && shift && exec \"$@\"";
    let exitlab = env!("CARGO_BIN_EXE_exitlab");
    let outcome: Outcome = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(&full)
        .args([exitlab, "run", "--progress", "plain", "--out"])
        .arg(full.join("out"))
        .args(["--set", "platform=bochs-vmx", "--set", QUICK[1]])
        .output()
        .unwrap()
        .into();
    outcome.assert_failed(5, &["No space left on device", "--out", "cure:"]);
    place.assert_deserted();
}

/// A suspended laptop, a loaded machine: its clock says nothing about the host.
#[test]
fn a_stopped_emulator_is_waited_for_and_counts_as_if_nothing_had_been() {
    let place = Place::new();
    let sets = [QUICK[0], QUICK[1], "deadlines.silence=8s"];
    let twin = experiment(&place, "twin", &sets);
    assert_eq!(twin.code, Some(0), "{}", twin.stderr);
    let out = place.path("out");
    let mut running = start(&place, &out, &sets);
    running.wait_for("qmp connects");
    let emulator = emulator_below(&out);
    kill(emulator, "-STOP");
    std::thread::sleep(std::time::Duration::from_secs(11));
    kill(emulator, "-CONT");
    assert_eq!(running.code(), Some(0), "{}", running.stderr());
    // QEMU may stop this guest of itself, and then it stops its twin, too.
    let attempts = |dir: &Path| record(dir)["attempts"].clone();
    assert_eq!(attempts(&out), attempts(&place.path("twin")));
    for file in ["samples.csv", "counts.csv", "events.jsonl"] {
        let twin = read(&place.path("twin"), file);
        assert_eq!(read(&out, file), twin, "{file}");
    }
    place.assert_deserted();
}

/// What QEMU's delivering an interrupt twice looks like from outside: it works, and nothing
/// comes any more.
#[test]
fn a_host_on_tcg_svm_that_falls_silent_is_started_again_but_not_for_ever() {
    let place = Place::new();
    // Ten times that, which a slow host gets, is less than the agent needs from one word to the
    // next.
    let sets = [QUICK[0], QUICK[1], "deadlines.silence=15ms"];
    let outcome = experiment(&place, "out", &sets);
    let words = [
        "attempt 2 of 3",
        "attempt 3 of 3",
        "the host fell silent for 0.15 s of QEMU's work",
        "deadlines.silence",
    ];
    outcome.assert_failed(5, &words);
    let started = read(&place.path("out"), "events.jsonl")
        .matches("\"started\"")
        .count();
    assert_eq!(started, 1, "only of the last host");
    place.assert_deserted();
}

/// QEMU's own words, not those of whoever waited for it.
#[test]
fn a_device_that_qemu_refuses_is_told_in_its_words() {
    let place = Place::new();
    let sets = [QUICK[0], QUICK[1], "guest.devices=[\"no-such-device\"]"];
    let outcome = experiment(&place, "out", &sets);
    let words = [
        "QEMU ended before",
        "'no-such-device' is not a valid device model name",
    ];
    outcome.assert_failed(5, &words);
    assert!(outcome.stderr.contains("qemu.log"), "{}", outcome.stderr);
    assert!(place.path("out/qemu.log").exists());
}

#[test]
fn a_guest_that_restarts_is_told_from_one_that_fails() {
    let place = Place::new();
    let run = "phase=[{name = \"again\", run = \"busybox reboot -f; sleep 9\"}]";
    let outcome = experiment(&place, "out", &[QUICK[0], QUICK[1], run]);
    let words = ["workload", "phase again: the guest restarted before end of"];
    outcome.assert_failed(5, &words);
}

/// Lines with and without an end, for as long as the run lasts: it ends all the same.
#[test]
fn a_guest_that_floods_its_console_is_counted() {
    for flood in ["yes", "cat /dev/zero"] {
        let place = Place::new();
        let flood = format!(
            "phase=[{{name = \"flood\", run = \"busybox timeout 1 busybox {flood} > /dev/ttyS0; true\"}}]"
        );
        // The interrupt that TCG loses now and then (docs/determinism.md) it loses more often in
        // a flood, and on a microvm of these bytes in each of three attempts.
        let outcome = experiment(&place, "out", &[QUICK[0], &flood]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let console = read(&place.path("out"), "guest-console.log");
        assert!(console.len() < 2 << 20, "{}", console.len());
    }
}
