//! Files that lead outside: whatever a results directory holds that comes from elsewhere,
//! nothing beside it is removed or written, and the program says what is wrong. And what is
//! refused leaves nothing that keeps the corrected command from running.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use exitlab_config::load_matrix;
use exitlab_model::matrix::{Index, digest};
use exitlab_model::record::Provenance;
use serde_json::{Value, json};

use crate::support::{Place, run};

/// Where nothing is ever built.
const NO_CACHE: [&str; 2] = ["--cache", "/proc/exitlab"];

/// Beside what a test does: a directory that must stay as it is.
fn precious(place: &Place) -> PathBuf {
    let file = place.write("home/precious", "data");
    file.parent().unwrap().to_owned()
}

fn assert_untouched(home: &Path) {
    let names: Vec<_> = fs::read_dir(home)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["precious"]);
    assert_eq!(fs::read_to_string(home.join("precious")).unwrap(), "data");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A matrix of two cells, after `change`, in a results directory.
fn matrix(place: &Place, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let sets = ["repeat=2", "platform=tcg-svm"].map(str::to_owned);
    let matrix = load_matrix(None, &sets, Path::new("/"), &[]).unwrap();
    let index = Index {
        schema: 1,
        experiment: String::new(),
        plan_digest: digest(&matrix.cells).unwrap(),
        axes: matrix.axes,
        repeat: matrix.repeat,
        shard: None,
        cells: matrix.cells,
    };
    let mut value = serde_json::to_value(&index).unwrap();
    change(&mut value);
    // Where the change is outside of the cells, their text is the one that has the digest.
    let same = value["cells"] == serde_json::to_value(&index.cells).unwrap();
    let cells = match same {
        true => serde_json::to_string(&index.cells).unwrap(),
        false => value["cells"].to_string(),
    };
    let whole = value
        .to_string()
        .replace(&value["cells"].to_string(), &cells);
    let file = place.write(&format!("{name}/matrix.json"), &whole);
    file.parent().unwrap().to_owned()
}

/// The record of a cell that is done, by the exitlab of that digest.
fn done(dir: &Path, cell: &str, exitlab: &str) {
    let provenance = Provenance {
        exitlab_digest: exitlab.to_owned(),
        ..Provenance::default()
    };
    let record = json!({
        "schema": 2, "experiment": "", "started": "", "platform": "", "plan": null,
        "outcome": {"state": "complete"}, "provenance": provenance,
        "statuses": [], "samples": [], "inspections": [],
    });
    fs::create_dir_all(dir.join("cells").join(cell)).unwrap();
    let path = dir.join("cells").join(cell).join("run.json");
    fs::write(path, record.to_string()).unwrap();
}

/// Every command that reads a matrix refuses this one, and says why.
fn refused_by_all(place: &Place, dir: &Path, words: &str) {
    let (merged, baseline) = (place.path("merged"), place.path("b.toml"));
    let rules = place.write("rules.toml", "[[rule]]\nmax_exits = 1\n");
    let (dir, merged, baseline) = (text(dir), text(&merged), text(&baseline));
    for args in [
        vec!["run", "--resume", dir],
        vec!["merge", merged, dir],
        vec!["compare", dir, dir],
        vec!["gate", "--rules", text(&rules), dir],
        vec!["baseline", "save", baseline, dir],
    ] {
        run(&args).assert_failed(2, &["matrix.json", words, "cure:"]);
    }
    assert!(!place.path("merged").exists() && !place.path("b.toml").exists());
}

#[test]
fn a_matrix_that_exitlab_did_not_write_is_refused_by_every_command() {
    let place = Place::new();
    let home = precious(&place);
    for (number, id) in [text(&home), "../../home", "..", ".", "", "home/../../home"]
        .iter()
        .enumerate()
    {
        let dir = matrix(&place, &format!("id-{number}"), |index| {
            index["cells"][0]["id"] = (*id).into();
        });
        refused_by_all(&place, &dir, "no plain name");
    }
    for (number, of) in [(1, 0), (5, 1), (0, 1), (0, 0)] {
        let dir = matrix(&place, &format!("shard-{number}-{of}"), |index| {
            index["shard"] = json!({"number": number, "of": of});
        });
        refused_by_all(&place, &dir, &format!("there is no part {number} of {of}"));
    }
    let dir = matrix(&place, "plans", |index| {
        index["cells"][1]["plan"]["name"] = "x".into()
    });
    refused_by_all(&place, &dir, "plan_digest is not that of its cells");
    assert_untouched(&home);
}

#[test]
fn nothing_is_removed_or_made_through_a_link() {
    let place = Place::new();
    let home = precious(&place);
    // The cells of a matrix that is gone on with.
    let dir = matrix(&place, "resumed", |_| {});
    symlink(&home, dir.join("cells")).unwrap();
    let resume = ["run", "--resume", text(&dir)];
    run(&resume).assert_failed(2, &["cells", "does not follow it"]);
    fs::remove_file(dir.join("cells")).unwrap();
    fs::remove_file(dir.join(".lock")).unwrap();
    symlink(home.join("new"), dir.join(".lock")).unwrap();
    run(&resume).assert_failed(2, &[".lock", "does not follow it"]);
    // What a matrix is begun in.
    symlink(&home, place.path(".beginning-out")).unwrap();
    let out = place.path("out");
    let outcome = run(&["merge", text(&out), text(&done_twice(&place))]);
    outcome.assert_failed(2, &[".beginning-out", "does not follow it"]);
    assert!(!out.exists());
    // Parts of the cache.
    let cache = place.path("cache");
    fs::create_dir(&cache).unwrap();
    symlink(&home, cache.join("staging")).unwrap();
    let build = ["build", "guest-image", "--cache", text(&cache)];
    run(&build).assert_failed(2, &["staging", "does not follow it"]);
    assert_untouched(&home);
}

/// A matrix of which both cells are done.
fn done_twice(place: &Place) -> PathBuf {
    let dir = matrix(place, "done", |_| {});
    done(&dir, "r1", "x");
    done(&dir, "r2", "x");
    dir
}

#[test]
fn cells_of_two_builds_are_no_matrix_to_any_command() {
    let place = Place::new();
    // Begun by another exitlab, and not finished.
    let dir = matrix(&place, "begun", |_| {});
    done(&dir, "r1", "another exitlab");
    let words = ["different artifacts: exitlab binary", "--out"];
    run(&["run", "--resume", text(&dir)]).assert_failed(2, &words);
    assert!(!dir.join("cells/r2").exists());
    // Finished by two.
    let dir = done_twice(&place);
    done(&dir, "r2", "y");
    // Records without samples are refused before that by who reads them.
    let merged = place.path("merged");
    for args in [
        vec!["merge", text(&merged), text(&dir)],
        vec!["run", "--resume", text(&dir)],
    ] {
        run(&args).assert_failed(2, &["different artifacts: exitlab binary (x and y)"]);
    }
}

#[test]
fn what_is_refused_leaves_nothing_and_what_the_killed_left_goes() {
    let place = Place::new();
    let machine = place.write("results/killed/.machine/disk", "80 MB");
    place.write("results/killed/.machine/.owner", "");
    place.write("results/killed/run.json", "{}");
    place.write("results/.beginning-killed/.lock", "");
    let out = place.path("results/out");
    let tcg = ["--platform", "tcg-svm", "--out", text(&out)];
    let matrix = ["run", "--set", "repeat=2"];
    let outcome = run(&[&matrix[..], &tcg, &NO_CACHE].concat());
    outcome.assert_failed(3, &["missing:", "cache"]);
    let left = fs::read_dir(place.path("results")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["killed"]);
    assert!(!machine.exists() && place.path("results/killed/run.json").exists());

    // Where no results can be, nothing is built first: not even the cache is made.
    let cache = place.path("cache");
    for command in [&["run"][..], &matrix, &["conformance"]] {
        let words = ["--platform", "tcg-svm", "--out", "/proc/results"];
        let outcome = run(&[command, &words, &["--cache", text(&cache)]].concat());
        outcome.assert_failed(5, &["failed to create /proc/results"]);
    }
    assert!(!cache.join("kernel").exists());
}
