//! Experiments on machines that exitlab does not boot: on this one, and by SSH on another.
//! Both are one emulated machine, which runs a kernel with the census.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::rig::built;
use crate::rig::machine::{self, RealMachine};
use crate::rig::running::Running;
use crate::support::{Outcome, Place, exitlab};

/// The experiment that runs everywhere.
fn everywhere() -> String {
    machine::experiment("everywhere", r#"["boot", "+1s"]"#)
}

/// The outcome of a run on the emulated machine. Its QEMU can deliver an interrupt twice, and
/// a guest that meets this with a lock held stops for good (docs/determinism.md). That is not
/// what is tried here: such a run is told by its silence, and is made again.
pub fn unless_stopped(out: &Path, run: impl Fn(&Path) -> Outcome) -> Outcome {
    for _ in 0..3 {
        let outcome = run(out);
        if outcome.code != Some(5) || !outcome.stderr.contains("the host fell silent") {
            return outcome;
        }
        let _ = std::fs::remove_dir_all(out);
    }
    panic!("three guests were stopped");
}

/// The kernel with the census, as `scripts/test` has built it.
fn kernel() -> PathBuf {
    built(&["kernel"])
}

/// The experiment below `place`, and its two files for the `/exp` of a machine.
pub fn experiment(place: &Place) -> (PathBuf, Vec<(&'static str, Vec<u8>)>) {
    let image = std::fs::read(kernel()).unwrap();
    let file = place.write("exp/everywhere.toml", &everywhere());
    std::fs::write(place.path("exp/bzImage"), &image).unwrap();
    let files = vec![
        ("everywhere.toml", everywhere().into_bytes()),
        ("bzImage", image),
    ];
    (file, files)
}

/// The experiment, and a machine that has it, too.
fn machine(place: &Place) -> (PathBuf, RealMachine) {
    let (file, files) = experiment(place);
    let vmlinux = kernel().with_file_name("vmlinux");
    let machine = RealMachine::boot(&place.path("machine"), &vmlinux, &files);
    (file, machine)
}

fn record(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// A complete run of the experiment: its samples, and a table without a broken check.
fn assert_right(platform: &str, table: &str, run: &str) {
    let run = record(run);
    assert_eq!(run["platform"], platform);
    assert_eq!(run["outcome"]["state"], "complete");
    let samples = run["samples"].as_array().unwrap();
    let labels: Vec<&str> = samples
        .iter()
        .map(|s| s["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["boot", "+1s"], "{platform}");
    assert!(
        table.contains('✓') && !table.contains(['✗', '△']),
        "{platform}: {table}"
    );
}

/// One machine for all of it: what is tried later finds it as a machine that is in use.
#[test]
fn one_experiment_runs_on_every_platform_and_a_broken_remote_is_told() {
    let place = Place::new();
    let (file, machine) = machine(&place);
    let name = file.to_str().unwrap();
    emulated_hosts_are_right(&place, name);
    it_runs_on_it(&place, &machine);
    it_runs_over_ssh(&place, name, &machine);

    what_cannot_work_is_refused(&place, &file, &machine);
    nothing_is_changed_there(&machine);
    the_end_of_either_side_is_told(&place, &file, &machine);
    the_end_of_the_machine_is_told(&place, &file, machine);
    place.assert_deserted();
}

fn emulated_hosts_are_right(place: &Place, file: &str) {
    for platform in ["bochs-vmx", "tcg-svm"] {
        let out = place.path(platform);
        let outcome: Outcome = exitlab()
            .args(["run", file, "--platform", platform, "--out"])
            .arg(&out)
            .output()
            .unwrap()
            .into();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_right(platform, &outcome.stdout, &read(&out, "run.json"));
    }
}

/// Run on the machine itself; returns its record.
fn it_runs_on_it(place: &Place, machine: &RealMachine) -> Value {
    let here = |_: &Path| -> Outcome {
        let run = "exitlab run everywhere.toml --platform local --out /tmp/o";
        machine
            .ssh(&format!("rm -rf /tmp/o; cd /exp && {run}"))
            .into()
    };
    let outcome = unless_stopped(&place.path("local"), here);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let run = machine.told("cat /tmp/o/run.json");
    assert_right("local", &outcome.stdout, &run);
    machine.assert_deserted();
    record(&run)
}

/// The first time everything is copied; afterwards nothing is, and two runs are in nobody's way.
fn it_runs_over_ssh(place: &Place, file: &str, machine: &RealMachine) {
    let out = place.path("ssh");
    let there = |out: &Path| -> Outcome {
        let mut command = machine.run_there("machine", &[file, "--progress", "json", "--out"]);
        command.arg(out).output().unwrap().into()
    };
    // A first one that was stopped has copied everything.
    let first = there(&out);
    assert!(first.stderr.contains("copying"), "{}", first.stderr);
    let outcome = if first.code == Some(0) {
        first
    } else {
        assert!(
            first.stderr.contains("the host fell silent"),
            "{}",
            first.stderr
        );
        std::fs::remove_dir_all(&out).unwrap();
        unless_stopped(&out, there)
    };
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let run = read(&out, "run.json");
    assert_right("ssh, machine", &outcome.stdout, &run);
    // Its secret is the run's alone.
    assert_eq!(record(&run)["plan"]["guest"]["seed"], "exitlab");
    machine.assert_deserted();

    let (second, third) = std::thread::scope(|scope| {
        let second = scope.spawn(|| unless_stopped(&place.path("second"), there));
        let third = unless_stopped(&place.path("third"), there);
        (second.join().unwrap(), third)
    });
    for (name, outcome) in [("second", second), ("third", third)] {
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("copying"), "{}", outcome.stderr);
        let run = read(&place.path(name), "run.json");
        assert_right("ssh, machine", &outcome.stdout, &run);
    }
    machine.assert_deserted();
}

/// A run on the machine, which pauses for half a minute after its first sample.
fn long_run(machine: &RealMachine, place: &Place, file: &Path, out: &str) -> Running {
    let out = place.path(out);
    let args = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let mut command = machine.run_there("machine", &args);
    command.args(["--set", "sampling.schedule=[\"boot\", \"+30s\"]"]);
    let mut running = Running::start_as(place, command);
    running.wait_for("\"label\":\"boot\"");
    running
}

/// What a run that ended badly after its first sample has kept: the sample, and a table.
fn assert_first_sample_kept(out: &Path, state: &str) {
    let run = record(&read(out, "run.json"));
    assert_eq!(run["outcome"]["state"], state);
    assert_eq!(run["samples"].as_array().unwrap().len(), 1);
    assert!(read(out, "counts.csv").lines().count() > 10);
}

fn the_end_of_the_machine_is_told(place: &Place, file: &Path, machine: RealMachine) {
    let mut dead = long_run(&machine, place, file, "machine-dead");
    machine.die();
    assert_eq!(dead.code(), Some(5), "{}", dead.stderr());
    let words = "whether the machine can still be reached";
    assert!(dead.stderr().contains(words), "{}", dead.stderr());
    assert_first_sample_kept(&place.path("machine-dead"), "failed");
}

fn what_cannot_work_is_refused(place: &Place, file: &Path, machine: &RealMachine) {
    let refused = |host: &str, code: i32, words: &[&str]| {
        let out = place.path("refused");
        let args = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let outcome: Outcome = machine.run_there(host, &args).output().unwrap().into();
        outcome.assert_failed(code, words);
        let run = record(&read(&out, "run.json"));
        assert_eq!(run["outcome"]["state"], "failed");
        std::fs::remove_dir_all(&out).unwrap();
    };
    refused(
        "stranger",
        5,
        &[
            "IDENTIFICATION HAS CHANGED",
            "find out why before you trust it",
        ],
    );
    refused(
        "unknown",
        5,
        &["Host key verification failed", "log in once by hand"],
    );
    refused(
        "small",
        3,
        &[
            "KiB of disk in /home/small/.cache/exitlab",
            "free some space there",
        ],
    );
    refused(
        "full",
        5,
        &[
            "did not receive",
            "No space left on device",
            "free some space",
        ],
    );
    assert_eq!(machine.told("ls -A /home/full/.cache/exitlab/parts"), "");
    machine.told("mv /dev/kvm /dev/hidden");
    refused(
        "machine",
        3,
        &["/dev/kvm: runs the guest on the processor, on machine"],
    );
    machine.told("mv /dev/hidden /dev/kvm");
    machine.assert_deserted();
}

/// Also not what the experiment asks for.
fn nothing_is_changed_there(machine: &RealMachine) {
    let differs = |set: &str, words: &[&str]| {
        let run = "cd /exp && exitlab run everywhere.toml --platform local --out /tmp/differs";
        let outcome = Outcome::from(machine.ssh(&format!("{run} --set {set}")));
        outcome.assert_failed(5, words);
        machine.told("rm -r /tmp/differs");
    };
    let npt = [
        "kvm_amd.npt was asked to be 0",
        "this host has Y",
        "[kvm_amd]",
    ];
    differs("kvm_amd.npt=0", &npt);
    let cycles = ["KVM counts no cycles", "echo 1 >"];
    differs("sampling.cycles=true", &cycles);
}

fn kill_agents(machine: &RealMachine) {
    for agent in machine.processes(" --below ") {
        machine.told(&format!("kill -9 {agent}"));
    }
}

/// The agent is killed, the user interrupts, the conductor is killed.
fn the_end_of_either_side_is_told(place: &Place, file: &Path, machine: &RealMachine) {
    let mut killed = long_run(machine, place, file, "agent-killed");
    kill_agents(machine);
    assert_eq!(killed.code(), Some(5), "{}", killed.stderr());
    assert!(
        killed.stderr().contains("the agent ended"),
        "{}",
        killed.stderr()
    );
    assert_first_sample_kept(&place.path("agent-killed"), "failed");
    machine.assert_deserted();

    let mut interrupted = long_run(machine, place, file, "interrupted");
    interrupted.signal("-INT");
    assert_eq!(interrupted.code(), Some(130), "{}", interrupted.stderr());
    assert_first_sample_kept(&place.path("interrupted"), "interrupted");
    machine.assert_deserted();

    let mut gone = long_run(machine, place, file, "conductor-killed");
    gone.signal("-KILL");
    gone.code();
    machine.assert_deserted();
}

/// The same on a machine that runs a distribution's kernel as it is, on it and by SSH: the
/// tracepoint counts every exit, and however a run ends, nothing is left in tracefs.
pub fn a_kernel_as_it_is_is_traced(place: &Place, machine: &RealMachine) {
    // Times take an event of its own in tracefs, beside the instance.
    let timed = "[sampling]\nchannels = [\"trace\"]\ntime = true\n";
    let timed = everywhere().replace("[sampling]\n", timed);
    let file = &place.write("exp/timed.toml", &timed);
    let traced = |out: &str| {
        let running = long_run(machine, place, file, out);
        let there = machine.instances();
        assert!(
            there.contains("exitlab-") && there.contains("exitlab_"),
            "{there}"
        );
        running
    };
    let both = traced("traced-both-killed");
    both.signal("-STOP");
    kill_agents(machine);
    both.signal("-KILL");
    drop(both);
    // Nobody is left to clear away what these have left: the next one there does.
    assert_traced(&it_runs_on_it(place, machine));
    assert_eq!(machine.instances(), "");

    let there = |out: &Path| -> Outcome {
        let mut command = machine.run_there("machine", &[file.to_str().unwrap(), "--out"]);
        command.arg(out).output().unwrap().into()
    };
    let out = place.path("ssh");
    let outcome = unless_stopped(&out, there);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let run = read(&out, "run.json");
    assert_right("ssh, machine", &outcome.stdout, &run);
    assert!(
        outcome.stdout.contains("✓ Each exit has a time"),
        "{}",
        outcome.stdout
    );
    assert_traced(&record(&run));
    assert_eq!(machine.instances(), "");

    let mut killed = traced("traced-agent-killed");
    kill_agents(machine);
    assert_eq!(killed.code(), Some(5), "{}", killed.stderr());
    machine.assert_deserted();
    assert_eq!(machine.instances(), "");

    let mut gone = traced("traced-conductor-killed");
    gone.signal("-KILL");
    gone.code();
    machine.assert_deserted();
    assert_eq!(machine.instances(), "");
    what_is_taken_of_no_guest_is_let_go(place, machine, file);
}

/// Everything that has something of its own in tracefs, begun before QEMU that does not start.
fn what_is_taken_of_no_guest_is_let_go(place: &Place, machine: &RealMachine, timed: &Path) {
    let sets = [
        "guest.devices=[\"no-such-device\"]",
        "sampling.detail=true",
        "sampling.places=true",
        "sampling.log=true",
    ];
    let mut args: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    args.extend([timed.to_str().unwrap(), "--out"]);
    let mut command = machine.run_there("machine", &args);
    let outcome: Outcome = command.arg(place.path("no-guest")).output().unwrap().into();
    outcome.assert_failed(5, &["no-such-device"]);
    assert_eq!(machine.instances(), "");
}

/// Every sample is the tracepoint's alone, and its sum is KVM's own count, with difference 0.
fn assert_traced(run: &Value) {
    for sample in run["samples"].as_array().unwrap() {
        let trace = &sample["trace"];
        let counts = trace["counts"].as_array().unwrap().iter();
        let sum = counts.map(|count| count.as_u64().unwrap()).sum::<u64>();
        let sum = sum + trace["other"].as_u64().unwrap();
        assert!(sum > 100, "a guest that boots exits often: {trace}");
        assert_eq!(trace["exits"]["least"], sum);
        assert_eq!(trace["exits"]["most"], sum);
        assert_eq!(sample.get("cpuid"), None);
    }
}
