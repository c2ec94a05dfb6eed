//! What becomes of runs that break promises.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::compare::{Settings, compare};
use crate::figures::fixture;
use exitlab_model::record::{Outcome, RunRecord};

/// A results directory that holds a record.
fn kept(parent: &Path, name: &str, record: &RunRecord) -> PathBuf {
    let dir = parent.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join(RUN), serde_json::to_vec(record).unwrap()).unwrap();
    dir
}

fn side(dirs: &[PathBuf], promises: Promises) -> Result<Side> {
    read_side(dirs, &Filter::new(), promises)
}

/// A record that calls itself complete, of which one count went down.
fn broken() -> RunRecord {
    let mut record = fixture::record();
    let cpuid = record.samples[1].cpuid.as_mut().unwrap();
    cpuid.counts[48] = 8000;
    record
}

#[test]
fn a_run_that_breaks_promises_is_refused_whatever_it_calls_itself() {
    let parent = tempfile::tempdir().unwrap();
    let good = kept(parent.path(), "good", &fixture::record());
    side(std::slice::from_ref(&good), Promises::Required).unwrap();

    let complete = kept(parent.path(), "complete", &broken());
    let mut admitted = fixture::record();
    admitted.outcome = Outcome::ChecksFailed {
        broken: vec!["of old".to_owned()],
    };
    let admitted = kept(parent.path(), "admitted", &admitted);
    let mut short = fixture::record();
    short.samples.pop();
    let short = kept(parent.path(), "short", &short);
    for (dir, why) in [
        (&complete, "stats ≤ cpuid ≤ stats-after"),
        (&admitted, "of old"),
        (&short, "the samples are those of the plan"),
    ] {
        let error = side(std::slice::from_ref(dir), Promises::Required).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.cure().contains("--broken-checks"));
    }

    let base = side(&[good], Promises::Waived).unwrap();
    let head = side(&[complete], Promises::Waived).unwrap();
    let compared = compare(&base, &head, &Settings::default()).unwrap();
    let names: Vec<&str> = compared.cells[0]
        .differences
        .iter()
        .map(|difference| difference.name.as_str())
        .collect();
    assert_eq!(names, ["broken promises"]);
}

#[test]
fn a_run_without_a_whole_stream_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let mut record = fixture::record();
    record.outcome = Outcome::BrokenStream {
        expected: "event 9".to_owned(),
        came: "event 10".to_owned(),
    };
    let dir = kept(parent.path(), "run", &record);
    let error = side(&[dir], Promises::Waived).unwrap_err();
    let why = "its events were not those of its agent";
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn runs_of_different_attempts_are_no_repeats_of_one_cell() {
    let parent = tempfile::tempdir().unwrap();
    let first = kept(parent.path(), "first", &fixture::record());
    let mut again = fixture::record();
    again.attempts = 2;
    let again = kept(parent.path(), "again", &again);
    let both = [first.clone(), again.clone()];
    let error = side(&both, Promises::Required).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("one is of attempt 1 of its host, the other of 2"),
        "{error}"
    );
    let base = side(&[first], Promises::Required).unwrap();
    let head = side(&[again], Promises::Required).unwrap();
    let compared = compare(&base, &head, &Settings::default()).unwrap();
    let difference = &compared.cells[0].differences[0];
    assert_eq!(
        (difference.name.as_str(), difference.head.as_deref()),
        ("attempts", Some("2"))
    );
}
