//! Did this change alter the exits, and is that allowed? Real runs on an emulated host,
//! compared, kept as a baseline, and judged.

mod gates;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use exitlab_model::matrix::{Cell, Index, digest};
use exitlab_model::name::PlainName;
use serde_json::{Value, json};

use crate::rig::shared::quick_run;
use crate::support::{Outcome, Place, exitlab, run};

/// A real run on `tcg-svm`.
fn measure(place: &Place, name: &str, set: &[&str]) -> PathBuf {
    let out = place.path(name);
    let mut args = vec![
        "run",
        "--platform",
        "tcg-svm",
        "--set",
        "guest.machine=microvm",
    ];
    for set in set {
        args.extend(["--set", set]);
    }
    let ended = run(&[&args[..], &["--out", text(&out), "--progress", "plain"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    out
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs the program, without what a CI system may have set.
fn quiet(args: &[&str]) -> Outcome {
    let mut command = exitlab();
    command
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY");
    command.args(args).output().unwrap().into()
}

fn good(args: &[&str]) -> String {
    let outcome = quiet(args);
    assert_eq!(
        outcome.code,
        Some(0),
        "{args:?}\n{}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome.stdout
}

fn refused(args: &[&str], fragments: &[&str]) {
    quiet(args).assert_failed(2, &[fragments, &["cure:"]].concat());
}

/// Phases and reasons that differ, and by how much.
fn differences(base: &Path, head: &Path) -> Vec<(String, String, f64)> {
    let json = good(&["compare", text(base), text(head), "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let findings = json["cells"][0]["findings"].as_array().unwrap().clone();
    let differs = findings
        .iter()
        .filter(|finding| finding["verdict"] == "differs");
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    differs
        .map(|f| {
            (
                word(&f["phase"]),
                word(&f["name"]),
                f["change"].as_f64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn from_two_runs_to_a_gate() {
    let place = Place::new();
    let base = quick_run(&[]).dir;
    let same = measure(&place, "same", &[]);
    let shadow = measure(&place, "shadow", &["kvm_amd.npt=0"]);

    equal_runs_are_equal(&base, &same);
    shadow_paging_is_found_by_name(&base, &shadow);
    let baseline = place.path("baseline.toml");
    a_baseline_is_kept_and_updated(&place, &baseline, [&base, &same, &shadow]);
    gates::the_gate_tells_three_things_apart(&place, &baseline, [&same, &shadow]);
    mistakes_are_told(&place, &baseline, &base);
    cells_of_a_matrix_are_compared(&place, [&base, &same, &shadow]);
    place.assert_deserted();
}

fn equal_runs_are_equal(base: &Path, same: &Path) {
    assert_eq!(differences(base, same), []);
    let table = good(&["compare", text(base), text(same)]);
    for fragment in [
        "Provenance is the same.",
        "channel stats",
        "Verdict: no difference in ",
    ] {
        assert!(table.contains(fragment), "{fragment}:\n{table}");
    }
}

fn shadow_paging_is_found_by_name(base: &Path, shadow: &Path) {
    let found = differences(base, shadow);
    let change = |phase: &str, name: &str| {
        let of = found
            .iter()
            .find(|(own, reason, _)| own == phase && reason == name);
        of.map_or(0.0, |(_, _, change)| *change)
    };
    // Huge pages leave hundreds.
    assert!(change("boot", "Nested page fault") < -100.0, "{found:?}");
    for reason in ["Exception #PF page fault", "CR3 write"] {
        assert!(change("boot", reason) > 1000.0, "{reason}: {found:?}");
    }
    assert!(change("boot", "INVLPG") > 10.0, "{found:?}");
    // Reading the census costs the same leaves with and without nested paging.
    assert_eq!(change("idle 1", "CPUID"), 0.0);

    let table = good(&["compare", text(base), text(shadow)]);
    let at = |fragment: &str| {
        table
            .find(fragment)
            .unwrap_or_else(|| panic!("{fragment}:\n{table}"))
    };
    assert!(
        at("parameter kvm_amd.npt: (none) → N") < at("exit reason"),
        "provenance first"
    );
    assert!(at("differs: gone") > 0 && at("differs: new") > 0);
    let markdown = good(&["compare", text(base), text(shadow), "--format", "markdown"]);
    assert!(markdown.contains("|:---"), "{markdown}");
    let csv = good(&["compare", text(base), text(shadow), "--format", "csv"]);
    let differs = csv
        .lines()
        .filter(|line| line.ends_with(",differs"))
        .count();
    assert_eq!(differs, found.len());
}

fn a_baseline_is_kept_and_updated(place: &Place, file: &Path, runs: [&Path; 3]) {
    let [base, same, shadow] = runs.map(text);
    let said = good(&["baseline", "save", text(file), base, same]);
    assert!(
        said.contains("boot-vs-idle on tcg-svm, channel stats, repeats: 2"),
        "{said}"
    );
    refused(
        &["baseline", "save", text(file), base],
        &["exists already", "baseline update"],
    );
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(
        kept.lines()
            .any(|line| line.starts_with("\"0x400 NPF\" = ")),
        "{kept}"
    );
    assert!(
        kept.len() < 20_000,
        "small enough to review: {}",
        kept.len()
    );
    let shown = good(&["baseline", "show", text(file)]);
    assert!(
        shown.contains("  boot: ") && shown.contains("Nested page fault"),
        "{shown}"
    );
    let table = good(&["compare", text(file), same]);
    assert!(table.contains("Verdict: no difference in "), "{table}");

    let copy = place.path("update.toml");
    std::fs::copy(file, &copy).unwrap();
    let update = |more: &[&str]| good(&[&["baseline", "update", text(&copy)], more].concat());
    assert!(update(&[base, same]).ends_with("stays as it is\n"));
    let shown = update(&[shadow, "--dry-run"]);
    assert!(shown.contains("Nested page fault") && shown.contains("nothing was written"));
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), kept);
    let shown = update(&[shadow]);
    assert!(
        shown.contains("Nested page fault"),
        "the difference is shown: {shown}"
    );
    assert_ne!(std::fs::read_to_string(&copy).unwrap(), kept);
    assert!(good(&["compare", text(&copy), shadow]).contains("Verdict: no difference"));
}

fn mistakes_are_told(place: &Place, baseline: &Path, base: &Path) {
    let rules = |content: &str| place.write("wrong.toml", content);
    let gate = |content: &str, fragments: &[&str]| {
        let rules = rules(content);
        refused(&["gate", "--rules", text(&rules), text(base)], fragments);
    };
    gate(
        "[[rule]]\nexact = true\n",
        &["wrong.toml:1", "no baseline is given", "--base"],
    );
    gate(
        "baseline = \"none.toml\"\n[[rule]]\nexact = true\n",
        &["none.toml", "baseline save"],
    );
    gate(
        "[[rule]]\nmax_exits = 1\nreason = \"HALT\"\n",
        &["wrong.toml:3: rule.reason = \"HALT\": unknown reason"],
    );
    gate(
        "[[rule]]\nmax_exits = 1\nphase = \"cpu\"\n",
        &["\"cpu\": no run has this phase", "idle 1"],
    );
    refused(
        &["gate", "--rules", "/nonexistent", text(base)],
        &["failed to read the rules"],
    );
    refused(
        &["compare", "/nonexistent", text(base)],
        &["no results at /nonexistent"],
    );
    refused(
        &["compare", text(base), text(base), "--cells", "a=b"],
        &["no cell has a=b", "no matrix"],
    );

    let other = std::fs::read_to_string(baseline).unwrap();
    let other = other.replace("\"tcg-svm\"", "\"bochs-vmx\"");
    let other = place.write("other.toml", &other);
    refused(
        &["compare", text(&other), text(base)],
        &["platform bochs-vmx", "platform tcg-svm"],
    );

    let record = std::fs::read_to_string(base.join("run.json")).unwrap();
    let failed = record.replacen("\"complete\"", "\"interrupted\"", 1);
    let failed = place.write("failed/run.json", &failed);
    let failed = text(failed.parent().unwrap()).to_owned();
    refused(
        &["compare", &failed, text(base)],
        &["the run was interrupted"],
    );
}

/// A matrix directory as the runner leaves it, of real cells: two repeats of each value.
fn matrix_of(place: &Place, runs: [&Path; 4]) {
    let mut cells: Vec<Cell<Value>> = Vec::new();
    for (run, (npt, repeat)) in runs.iter().zip([("1", 1), ("1", 2), ("0", 1), ("0", 2)]) {
        let id = format!("kvm_amd.npt={npt},r{repeat}");
        let record = std::fs::read_to_string(run.join("run.json")).unwrap();
        place.write(&format!("matrix/cells/{id}/run.json"), &record);
        cells.push(Cell {
            id: PlainName::new(id).unwrap(),
            values: [("kvm_amd.npt".to_owned(), npt.to_owned())].into(),
            repeat,
            plan: json!({}),
        });
    }
    let matrix: Index<Value> = serde_json::from_value(json!({
        "schema": 1, "experiment": "boot-vs-idle", "plan_digest": digest(&cells).unwrap(),
        "axes": [{"key": "kvm_amd.npt", "values": ["1", "0"]}], "repeat": 2, "cells": cells,
    }))
    .unwrap();
    let matrix = serde_json::to_string(&matrix).unwrap();
    place.write("matrix/matrix.json", &matrix);
}

fn cells_of_a_matrix_are_compared(place: &Place, runs: [&Path; 3]) {
    matrix_of(place, [runs[0], runs[1], runs[2], runs[2]]);
    let dir = place.path("matrix");
    let dir = text(&dir);
    let sides = [
        "--base-cells",
        "kvm_amd.npt=1",
        "--head-cells",
        "kvm_amd.npt=0",
    ];
    let table = good(&[&["compare", dir, dir], &sides[..]].concat());
    assert!(
        table.contains("2 repeats against 2") && table.contains("differs: gone"),
        "{table}"
    );
    let equal = good(&[
        "compare",
        dir,
        text(runs[0]),
        "--base-cells",
        "kvm_amd.npt=1",
    ]);
    assert!(equal.contains("Verdict: no difference in "), "{equal}");
    let wrong = ["compare", dir, dir, "--cells", "kvm_amd.npt=2"];
    refused(
        &wrong,
        &["no cell has kvm_amd.npt=2", "has the values 0, 1"],
    );

    // Both values at once are no repeats of one cell, and a cell that is missing is named.
    let mixed = place.path("mixed");
    std::fs::create_dir(&mixed).unwrap();
    for (name, run) in ["a", "b"].iter().zip([runs[0], runs[2]]) {
        std::os::unix::fs::symlink(run, mixed.join(name)).unwrap();
    }
    refused(
        &["compare", text(&mixed), dir],
        &["are no repeats of one cell", "kvm_amd.npt"],
    );
    // Nor are cells that two exitlabs ran one matrix.
    let record = place.path("matrix/cells/kvm_amd.npt=0,r1/run.json");
    let mut changed: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    changed["provenance"]["exitlab_digest"] = "another".into();
    std::fs::write(&record, changed.to_string()).unwrap();
    refused(
        &["compare", dir, dir],
        &["different artifacts: exitlab binary"],
    );
    std::fs::remove_dir_all(place.path("matrix/cells/kvm_amd.npt=1,r2")).unwrap();
    refused(
        &["compare", dir, dir],
        &["1 of 4 cells are missing: kvm_amd.npt=1,r2", "--resume"],
    );
}

/// Cycles are compared where they were counted on a side.
#[test]
fn cycles_for_each_exit_are_shown() {
    let place = Place::new();
    let counted = quick_run(&["sampling.cycles=true"]).dir;
    let plain = quick_run(&[]).dir;
    let json = good(&["compare", text(&plain), text(&counted), "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let findings = json["cells"][0]["findings"].as_array().unwrap();
    assert!(findings.iter().all(|f| f["base_cycles_per_exit"].is_null()));
    let with: BTreeSet<&str> = findings
        .iter()
        .filter(|f| {
            f["head_cycles_per_exit"]
                .as_f64()
                .is_some_and(|cycles| cycles > 100.0)
        })
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert!(with.contains("CPUID") && with.contains("HLT"), "{with:?}");
    let baseline = place.path("cycles.toml");
    good(&["baseline", "save", text(&baseline), text(&counted)]);
    let kept = std::fs::read_to_string(&baseline).unwrap();
    assert!(kept.contains("\"0x072 CPUID\" = { exits = "), "{kept}");
    let table = good(&["compare", text(&baseline), text(&counted), "--all"]);
    assert!(
        table.contains("cycles/exit") && table.contains("no difference in"),
        "{table}"
    );
}
