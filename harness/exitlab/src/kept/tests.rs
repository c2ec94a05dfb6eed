//! What is listed and cleared away, and what is not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::clearing::{self, Selection};
use super::*;
use crate::out_dir::OutDir;
use crate::results::Results;
use exitlab_base::artifact::Lock;
use exitlab_model::layout;
use exitlab_model::record::{Outcome, Provenance, RecordedPlan, RunRecord};

fn record(hour: u32) -> RunRecord {
    let plan = RecordedPlan::try_from(serde_json::json!({})).unwrap();
    let started = format!("2026-11-26T{hour:02}:00:00Z");
    let at = "bochs-vmx".to_owned();
    RunRecord {
        outcome: Outcome::Complete,
        ..RunRecord::begun(
            "boot-\u{1b}[2Jvs-idle",
            started,
            at,
            plan,
            Provenance::default(),
        )
    }
}

/// A run that is over.
fn run(place: &Path, name: &str, hour: u32) {
    let dir = place.join(name);
    fs::create_dir_all(&dir).unwrap();
    for file in [layout::EVENTS, layout::SAMPLES, layout::TABLE] {
        fs::write(dir.join(file), "x").unwrap();
    }
    let text = serde_json::to_vec(&record(hour)).unwrap();
    fs::write(dir.join(layout::RUN), text).unwrap();
}

/// A place with everything that may lie in one.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    run(place.path(), "b-second", 2);
    run(place.path(), "a-third", 3);
    run(place.path(), "c-first", 1);
    fs::create_dir(at("damaged")).unwrap();
    fs::write(at("damaged/run.json"), "{\"schema\": 2").unwrap();
    fs::create_dir(at("pipe")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(at("pipe/run.json"))
        .status();
    assert!(pipe.unwrap().success());
    fs::create_dir(at("photos")).unwrap();
    fs::write(at("photos/cat.jpg"), "cat").unwrap();
    fs::write(at("README.md"), "mine").unwrap();
    run(&at("photos"), "elsewhere", 4);
    symlink(at("photos/elsewhere"), at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    place
}

fn names(all: &[Kept]) -> Vec<String> {
    let name = |kept: &Kept| kept.name.to_string_lossy().into_owned();
    all.iter().map(name).collect()
}

fn all() -> Selection {
    Selection {
        now: SystemTime::now(),
        older_than: None,
        keep: 0,
    }
}

#[test]
fn results_are_listed_and_the_rest_is_told_as_what_it_is() {
    let place = place();
    let kept = look(place.path()).unwrap();
    assert_eq!(
        names(&kept)[..3],
        ["c-first", "b-second", "a-third"],
        "by the time at which they began"
    );
    let text = listing::table(&kept);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let text = text.replace(&place.path().display().to_string(), "PLACE");
    let columns = text.split(' ').filter(|word| !word.is_empty());
    let text = columns.collect::<Vec<_>>().join(" ");
    for words in [
        "PLACE/c-first 2026-11-26 01:00 run boot-\\u001b[2Jvs-idle bochs-vmx complete",
        "\n3 results, ",
        "PLACE/damaged: damaged: run.json: EOF while parsing",
        "PLACE/pipe: damaged: run.json is no file",
        "PLACE/photos: no results of exitlab's",
        "PLACE/link: no results of exitlab's",
        "PLACE/dangling: no results of exitlab's",
    ] {
        assert!(text.contains(words), "no {words:?} in:\n{text}");
    }
    assert!(!text.contains("README"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&listing::json(&kept).unwrap()).unwrap();
    assert_eq!(json["results"][0]["started"], "2026-11-26T01:00:00Z");
    let csv = listing::csv(&kept).unwrap();
    assert_eq!(csv.lines().count(), 1 + kept.len());
    assert!(!csv.contains('\u{1b}'));

    // A results directory itself, its record, and a link that the user names.
    for path in ["c-first", "c-first/run.json", "link"] {
        let found = look(&place.path().join(path)).unwrap();
        assert_eq!(found.len(), 1, "{path}");
        assert!(matches!(found[0].found, Found::Results(_)), "{path}");
    }
    look(&place.path().join("none")).unwrap_err();
}

#[test]
fn what_exitlab_made_goes_and_nothing_else() {
    let place = place();
    let at = |name: &str| place.path().join(name);
    fs::write(at("b-second/notes.txt"), "mine").unwrap();
    symlink(at("photos"), at("c-first/cells")).unwrap();
    let chosen = clearing::of_results(look(place.path()).unwrap(), &all());
    let said = clearing::remove_results(&chosen).unwrap();
    assert!(
        said.contains("b-second: not exitlab's, left: notes.txt"),
        "{said}"
    );
    assert!(
        said.contains("c-first: not exitlab's, left: cells"),
        "{said}"
    );
    assert!(!at("a-third").exists());
    assert!(at("b-second/notes.txt").exists() && !at("b-second/run.json").exists());
    let left = [
        "damaged/run.json",
        "pipe/run.json",
        "photos/cat.jpg",
        "README.md",
    ];
    for name in left
        .iter()
        .chain(&["photos/elsewhere/run.json", "link/run.json"])
    {
        assert!(at(name).exists(), "{name}");
    }
    // A link to results is not the results' place: nothing that it leads to is touched.
    assert!(at("link").is_symlink());
}

#[test]
fn a_run_in_progress_stays_whatever_is_asked() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let results = Results::create(&OutDir::given(at("run"))).unwrap();
    results.record(&record(1)).unwrap();
    run(place.path(), "old", 1);
    // Of an earlier version, which held the emulator's directory only.
    run(place.path(), "older", 1);
    fs::create_dir(at("older/.machine")).unwrap();
    let owner = Lock::try_acquire(&at("older/.machine/.owner")).unwrap();
    // A bisection of which one step is going on.
    run(&at("bisection/steps"), "1-abc", 1);
    let step = Lock::try_acquire(&at("bisection/steps/1-abc/.lock")).unwrap();

    let text = listing::table(&look(place.path()).unwrap());
    assert_eq!(text.matches("in progress").count(), 3, "{text}");
    let found = look(place.path()).unwrap();
    let chosen = clearing::of_results(look(place.path()).unwrap(), &all());
    clearing::remove_results(&chosen).unwrap();
    assert!(!at("old").exists());
    for name in ["run", "older", "bisection/steps/1-abc"] {
        assert!(at(name).join("run.json").exists(), "{name}");
    }
    // It may begin between the look and the removal.
    for kept in found.iter().filter(|kept| kept.name != "old") {
        let dir = Dir::open(&kept.place).unwrap();
        assert_eq!(
            removal::remove(&dir, &kept.name).unwrap(),
            removal::Removed::InUse
        );
    }
    results.close_machine();
    assert!(
        look(place.path()).unwrap()[0].in_use,
        "its tables come last"
    );
    drop((results, owner, step));
    let chosen = clearing::of_results(look(place.path()).unwrap(), &all());
    clearing::remove_results(&chosen).unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn age_and_number_say_what_stays() {
    let place = place();
    let chosen = |older_than, keep| {
        let selection = Selection {
            now: SystemTime::now() + Duration::from_secs(3600),
            older_than,
            keep,
        };
        let chosen = clearing::of_results(look(place.path()).unwrap(), &selection);
        clearing::results_table(&chosen, selection.now)
    };
    let text = chosen(None, 2);
    assert!(
        text.contains("c-first") && !text.contains("a-third"),
        "{text}"
    );
    assert!(text.contains("1 results, ") && text.contains("stays: 2 of the newest"));
    let text = chosen(Some(Duration::from_secs(7200)), 1);
    assert!(text.contains("No results to remove."), "{text}");
    assert!(
        text.contains("stays: 2 too young, 1 of the newest"),
        "{text}"
    );
    assert!(chosen(Some(Duration::from_secs(60)), 0).contains("3 results, "));
}
