use super::*;
use crate::figures::fixture::record_of;
use exitlab_model::reasons::Isa;
use exitlab_model::record::{Outcome, RunRecord};

/// A directory of results: a run for each name and outcome.
fn results(runs: &[(&str, Outcome)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (name, outcome) in runs {
        let record = RunRecord {
            outcome: outcome.clone(),
            ..record_of(Isa::Vmx, false)
        };
        let dir = place.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join(RUN), serde_json::to_vec(&record).unwrap()).unwrap();
    }
    place
}

fn failed() -> Outcome {
    Outcome::Failed {
        message: "it failed".to_owned(),
    }
}

fn read(path: &Path) -> Result<Side> {
    read_side(&[path.to_owned()], &Filter::new())
}

#[test]
fn a_file_of_a_run_stands_for_the_run() {
    let place = results(&[("r1", Outcome::Complete)]);
    let dir = place.path().join("r1");
    std::fs::write(dir.join("table.md"), "").unwrap();
    let whole = read(&dir).unwrap();
    for file in [RUN, "table.md"] {
        let side = read(&dir.join(file)).unwrap();
        assert_eq!(side.cells, whole.cells, "{file}");
    }
    // A file of any other name is a baseline, or is told what it is.
    std::fs::copy(dir.join(RUN), dir.join("copy.toml")).unwrap();
    let error = read(&dir.join("copy.toml")).unwrap_err();
    assert!(error.to_string().contains("this is JSON"), "{error}");
    assert!(
        error.cure().contains("results directory"),
        "{}",
        error.cure()
    );
}

#[test]
fn of_many_runs_the_good_ones_are_used_and_the_others_named() {
    let place = results(&[
        ("r1", Outcome::Complete),
        ("r2", failed()),
        ("r3", Outcome::Interrupted),
        ("r4", Outcome::Complete),
        ("r5", Outcome::Unfinished),
    ]);
    let broken = place.path().join("r6");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join(RUN), "{").unwrap();
    let side = read(place.path()).unwrap();
    assert_eq!((side.cells.len(), side.cells[0].repeats), (1, 2));
    let why: Vec<&str> = side.left_out.iter().map(|run| run.why.as_str()).collect();
    assert_eq!(why.len(), 4, "{why:?}");
    for (why, words) in why
        .iter()
        .zip(["failed", "interrupted", "not finished", "EOF"])
    {
        assert!(
            why.starts_with("not used: ") && why.contains(words),
            "{why}"
        );
    }
    assert_eq!(side.left_out[0].key.as_ref(), Some(&side.cells[0].key));
    assert_eq!(side.left_out[3].key, None);
}

#[test]
fn where_no_run_is_good_it_is_an_error_that_names_each() {
    let place = results(&[("r1", failed()), ("r2", Outcome::Interrupted)]);
    let error = read(place.path()).unwrap_err();
    let words = error.to_string();
    assert!(words.contains("no run is good:"), "{words}");
    assert!(words.contains("r1: the run failed"), "{words}");
    assert!(words.contains("r2: the run was interrupted"), "{words}");
    let alone = read(&place.path().join("r1")).unwrap_err();
    assert!(alone.to_string().contains("the run failed"), "{alone}");
}
