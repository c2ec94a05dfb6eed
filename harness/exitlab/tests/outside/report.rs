//! `exitlab report` through the whole program: what becomes of a record, and of files that are
//! in its way.

use std::path::{Path, PathBuf};

use exitlab_fixtures::runs::TCG_SVM;

use crate::support::{Place, run};

/// A results directory that holds a record and nothing else.
fn results(place: &Place, name: &str, record: &str) -> PathBuf {
    let file = place.write(&format!("{name}/run.json"), record);
    file.parent().unwrap().to_owned()
}

fn report(args: &[&Path]) -> crate::support::Outcome {
    let args: Vec<&str> = args.iter().map(|path| path.to_str().unwrap()).collect();
    run(&[&["report"], &*args].concat())
}

/// The page that was written, if it could be.
fn page(args: &[&Path], at: &Path) -> String {
    let outcome = report(args);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with("report: "), "{}", outcome.stdout);
    std::fs::read_to_string(at).unwrap()
}

#[test]
fn a_page_is_made_of_one_run_of_two_and_of_many() {
    let place = Place::new();
    let one = results(&place, "one", TCG_SVM);
    let head = TCG_SVM.replace("\"vcpus\":1", "\"vcpus\":2");
    assert_ne!(head, TCG_SVM);
    let other = results(&place, "other", &head);

    let at = one.join("report.html");
    let first = page(&[&one], &at);
    assert!(first.contains("<h1>boot-vs-idle</h1>") && first.len() < 300_000);
    // Also by a file of it, and over a page of its own; the same bytes.
    assert_eq!(page(&[&one.join("run.json")], &at), first);
    assert_eq!(page(&[&at], &at), first);

    let out = place.path("two.html");
    let two = page(&[&one, &other, Path::new("--out"), &out], &out);
    assert!(two.contains("plan guest.vcpus: 1 → 2") && two.contains("no difference"));

    let out = place.path("three.html");
    let three = page(&[&one, &other, &one, Path::new("--out"), &out], &out);
    assert!(three.contains("3 runs, 3 complete"));
    // All of a directory.
    let all = page(&[&place.path(".")], &place.path("report.html"));
    assert!(all.contains("2 runs, 2 complete"));
}

#[test]
fn nothing_is_written_over_that_is_no_report() {
    let place = Place::new();
    let one = results(&place, "one", TCG_SVM);
    let mine = place.write("mine.html", "<!doctype html>\n<p>mine</p>");
    let out = Path::new("--out");
    let refused = report(&[&one, out, &mine]);
    refused.assert_failed(2, &["mine.html", "no report of exitlab", "--out"]);
    assert!(std::fs::read_to_string(&mine).unwrap().contains("mine"));

    // A link is no file that exitlab wrote, whatever it leads to.
    let target = one.join("report.html");
    assert_eq!(report(&[&one]).code, Some(0));
    let link = place.path("link.html");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    report(&[&one, out, &link]).assert_failed(2, &["link.html", "no report of exitlab"]);

    let nowhere = place.path("nowhere");
    report(&[&nowhere]).assert_failed(2, &["no results at", "nowhere"]);
    let baseline = place.write("baseline.toml", "schema = 1\n");
    report(&[&baseline]).assert_failed(2, &["baseline.toml", "beside another side"]);
}

#[test]
fn a_run_that_breaks_promises_is_shown_and_not_compared() {
    let place = Place::new();
    let good = results(&place, "good", TCG_SVM);
    let mut record: serde_json::Value = serde_json::from_str(TCG_SVM).unwrap();
    record["samples"][1]["cpuid"]["counts"][0x72] = 1.into();
    let bad = results(&place, "bad", &record.to_string());
    let shown = page(&[&bad], &bad.join("report.html"));
    assert!(shown.contains("checks failed") && shown.contains("Broken promise: "));
    let out = place.path("two.html");
    report(&[&good, &bad, Path::new("--out"), &out]).assert_failed(2, &["--broken-checks"]);
    let broken = Path::new("--broken-checks");
    let two = page(&[&good, &bad, broken, Path::new("--out"), &out], &out);
    assert!(two.contains("broken promises"));
}
