//! What is kept: it is listed, exported and cleared away, beside others who work with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use exitlab_analysis::export;
use exitlab_analysis::gate::{self, Case, Judgement, Outcome as Verdict};
use serde_json::{Value, json};

use crate::support::{Outcome, Place, exitlab, run};

/// The longest wait for a build to begin.
const LONG: Duration = Duration::from_secs(120);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A run that is over, and took no samples.
fn results(place: &Place, name: &str) -> PathBuf {
    let record = json!({
        "schema": 2, "experiment": "idle", "started": "2026-11-26T01:02:03Z",
        "platform": "tcg-svm", "isa": "svm", "plan": null, "outcome": {"state": "complete"},
        "provenance": exitlab_model::record::Provenance::default(),
        "statuses": [], "samples": [], "inspections": [],
    });
    let file = place.write(&format!("{name}/run.json"), &record.to_string());
    file.parent().unwrap().to_owned()
}

/// Names in a directory.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_build_in_progress_keeps_what_it_works_with() {
    let place = Place::new();
    // A tree whose first target takes longer than anybody waits.
    let makefile = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION =\nmrproper:\n\
                    \ttouch begun\n\tsleep 600\n";
    place.write("linux/Makefile", makefile);
    for file in ["Kconfig", "arch/x86/kvm/Makefile", "arch/x86/kvm/x86.c"] {
        place.write(&format!("linux/{file}"), "");
    }
    let config = "name = \"x\"\n[kernel]\nsource = \"linux\"\n";
    let config = place.write("experiment.toml", config);
    let cache = place.path("cache");
    let mut build = exitlab();
    build.args(["build", "kernel", text(&config), "--cache", text(&cache)]);
    let mut build = build.stderr(Stdio::null()).spawn().unwrap();
    // A tree is unpacked beside where it will lie.
    let begun = || {
        let trees = names(&cache.join("work")).into_iter();
        trees
            .map(|tree| cache.join("work").join(tree).join("scratch-unpack/begun"))
            .any(|path| path.exists())
    };
    let end = Instant::now() + LONG;
    while !begun() {
        assert!(build.try_wait().unwrap().is_none(), "the build ended");
        assert!(Instant::now() < end, "the build did not begin");
        std::thread::sleep(Duration::from_millis(50));
    }

    let clean = || run(&["clean", "--cache", text(&cache), "--yes"]);
    let outcome = clean();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("in use"), "{}", outcome.stdout);
    assert!(begun() && build.try_wait().unwrap().is_none());

    let pid = build.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(build.wait().unwrap().code(), Some(130));
    let outcome = clean();
    assert!(!outcome.stdout.contains("in use"), "{}", outcome.stdout);
    assert_eq!(names(&cache.join("work")), [""; 0], "{}", outcome.stdout);
    place.assert_deserted();
}

#[test]
fn nothing_is_removed_that_was_not_asked_for() {
    let place = Place::new();
    let one = results(&place, "results/one");
    let all = place.path("results");
    place.write("results/notes/todo", "mine");
    let cache = place.path("no-cache");
    let shown = run(&["clean", "--results", text(&all), "--cache", text(&cache)]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for words in [
        "1 results, ",
        "No cache at",
        "Nothing was removed",
        "notes: no results",
    ] {
        assert!(
            shown.stdout.contains(words),
            "no {words:?} in {}",
            shown.stdout
        );
    }
    run(&["clean", "--yes"]).assert_failed(2, &["does not say what", "--results", "cure:"]);
    run(&["clean", "--older-than", "3"]).assert_failed(2, &["30d"]);
    assert!(one.join("run.json").exists() && !cache.exists());

    let listed = run(&["list", text(&all), "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["results"][0]["platform"], "tcg-svm", "{listed}");
    assert_eq!(listed["results"][1]["sort"], "foreign");
    run(&["list", text(&cache)]).assert_failed(2, &["no-cache", "cure:"]);
    let nowhere: Outcome = exitlab()
        .arg("list")
        .current_dir(place.path(""))
        .output()
        .unwrap()
        .into();
    assert!(nowhere.stdout.contains("1 results"), "{}", nowhere.stdout);

    let gone = run(&["clean", "--results", text(&all), "--yes"]);
    assert!(
        gone.stdout.contains("removed: 1 results"),
        "{}",
        gone.stdout
    );
    assert_eq!(names(&all), ["notes"]);
}

#[test]
fn a_record_stands_for_its_results_and_is_no_experiment() {
    let place = Place::new();
    let one = results(&place, "one");
    let record = one.join("run.json");
    for format in ["csv", "json", "markdown", "openmetrics"] {
        let of = |path: &Path| run(&["export", text(path), "--format", format]);
        let (by_dir, by_file) = (of(&one), of(&record));
        assert_eq!(by_dir.code, Some(0), "{}", by_dir.stderr);
        assert_eq!(by_dir.stdout, by_file.stdout, "{format}");
        assert!(
            by_dir.stdout.contains("idle") || format == "csv",
            "{format}"
        );
    }
    run(&["export", text(&place.path("none"))]).assert_failed(2, &["no run", "cure:"]);
    for path in [&one, &record] {
        let told = ["is no experiment: it is results", "run.json says", "cure:"];
        run(&["run", text(path)]).assert_failed(2, &told);
        run(&["doctor", text(path)]).assert_failed(2, &told);
    }
}

#[test]
fn who_says_nothing_is_told_what_to_do_first() {
    let outcome = run(&[]);
    outcome.assert_failed(2, &["exitlab doctor", "exitlab run", "exitlab --help"]);
}

#[test]
fn a_verdict_is_told_to_the_kernels_own_tools() {
    let case = |cell: &str, rule: &str, outcome, details: &[&str]| Case {
        cell: cell.to_owned(),
        phase: "boot".to_owned(),
        rule: rule.to_owned(),
        place: "gate.toml:3".to_owned(),
        outcome,
        details: details.iter().map(|&detail| detail.to_owned()).collect(),
        counts: 86,
    };
    let judgement = Judgement {
        rules: "gate.toml".to_owned(),
        base: None,
        head: "results/head".to_owned(),
        compared: Vec::new(),
        cases: vec![
            case(
                "idle on bochs-vmx",
                "exact",
                Verdict::Failed,
                &["HLT 10 → 11"],
            ),
            case("idle on tcg-svm", "exact", Verdict::Passed, &[]),
            case("idle on bochs-vmx", "#1", Verdict::Undecided, &["too few"]),
        ],
    };
    let expected = "\
KTAP version 1
1..2
  KTAP version 1
  # Subtest: idle on bochs-vmx
  1..2
  # gate.toml:3: 86 counts judged
  # HLT 10 → 11
  not ok 1 exact · boot
  # gate.toml:3: 86 counts judged
  # too few
  not ok 2 \\u00231 · boot # ERROR undecided
not ok 1 idle on bochs-vmx
  KTAP version 1
  # Subtest: idle on tcg-svm
  1..1
  # gate.toml:3: 86 counts judged
  ok 1 exact · boot
ok 2 idle on tcg-svm
";
    assert_eq!(export::ktap(&gate::ktap_tests(&judgement)), expected);
}
