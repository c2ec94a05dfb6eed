//! Workloads between samples.

use super::*;

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

const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/workloads.toml");

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
        paging["memory-files"] >= 32,
        "64 MiB are 32 huge pages of the host: {paging:?}"
    );
    assert!(paging["memory-files"] > 2 * paging["again"], "{paging:?}");
    // How many packets one kick takes along depends on who is faster.
    assert!(
        paging["network"] > 2 * paging["idle"],
        "a device is kicked: {paging:?}"
    );
    let cpuid = exits_by_phase(&out, &AMD, AMD.cpuid);
    // A phase that runs nothing but `true` starts three processes: the login's, the sampler, the
    // shell. The storm starts a hundred more.
    let three = cpuid["ssh"] - cpuid["idle"];
    assert_eq!(
        3 * (cpuid["fork-storm"] - cpuid["ssh"]),
        100 * three,
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
fn what_workloads_leave_behind_is_waited_for_or_ended_and_said() {
    let place = Place::new();
    let burn = "(while :; do :; done) & true";
    let phases = format!(
        "phase=[{{name = \"waits\", run = \"busybox setsid sleep 3 & echo started\"}}, \
         {{name = \"burns\", run = \"{burn}\", left_behind = \"end\"}}, \
         {{name = \"after\", run = \"true\"}}]"
    );
    let inspect = "inspect=[\"kill -9 $$\", \"cat /proc/[0-9]*/comm\"]";
    let machine = "guest.machine=microvm";
    let sets = ["platform=tcg-svm", machine, &phases, inspect];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let out = place.path("out");
    let record = record(&out);
    let left = record["left_behind"].as_array().unwrap();
    let told: Vec<_> = left.iter().map(|l| (&l["phase"], &l["fate"])).collect();
    assert_eq!(told.len(), 2, "{left:?}");
    assert!(told[0].0 == "waits" && told[0].1 == "wait", "{left:?}");
    assert!(told[1].0 == "burns" && told[1].1 == "end", "{left:?}");
    let table = read(&out, "table.md");
    assert!(table.contains("Phase waits left 1 process behind, which was waited for: sleep 3."));
    // The guest's clock goes on while it is waited for.
    let samples = record["samples"].as_array().unwrap();
    let at = |n: usize| {
        samples[samples.len() - n]["clocks"]["guest_s"]
            .as_f64()
            .unwrap()
    };
    assert!(at(3) - at(4) >= 3.0, "{}", at(3) - at(4));
    // A signal is a finding, and nothing of the phases runs any more.
    assert_eq!(record["inspections"][0]["signal"], 9);
    let running = record["inspections"][1]["stdout"].as_str().unwrap();
    assert!(!running.contains("sleep"), "{running}");
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
