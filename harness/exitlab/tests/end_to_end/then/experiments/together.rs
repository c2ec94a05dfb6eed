//! Runs at the same time, on the same machine, with the same cache.

use std::process::Stdio;

use super::kernels::ready_image;
use super::*;

#[test]
fn two_runs_at_the_same_time_are_in_nobodys_way() {
    let place = Place::new();
    let kernel = ready_image();
    // Both find the cache empty, and both need the same images.
    let start = |out: &str| {
        exitlab()
            .args(["run", "--platform", "tcg-svm", "--progress", "plain"])
            .args(["--set", QUICK[1], "--set", &kernel, "--cache"])
            .arg(place.path("cache"))
            .arg("--out")
            .arg(place.path(out))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for child in [start("first"), start("second")] {
        let outcome: Outcome = child.wait_with_output().unwrap().into();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stdout.contains(['✗', '△']), "{}", outcome.stdout);
    }
    let (first, second) = (place.path("first"), place.path("second"));
    for name in ["samples.csv", "counts.csv", "events.jsonl"] {
        assert!(read(&first, name) == read(&second, name), "{name} differs");
    }
    assert_eq!(comparable(&first), comparable(&second));
    place.assert_deserted();
}
