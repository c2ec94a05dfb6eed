//! Matrices of real experiments: whole, cut off and resumed, in parts, and on Slurm.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use support::slurm::Slurm;
use support::{Outcome, Place, exitlab};

/// Six cells, of which two each must be equal.
const MATRIX: &str = "\
name = \"three\"
platform = \"tcg-svm\"
repeat = 2
[guest]
machine = \"microvm\"
memory = [\"128M\", \"192M\", \"256M\"]
[sampling]
schedule = [\"boot\", \"+1s\"]
";

fn run(args: &[&str]) -> Outcome {
    exitlab().args(args).output().unwrap().into()
}

fn good(args: &[&str]) -> Outcome {
    let outcome = run(args);
    assert_eq!(outcome.code, Some(0), "{args:?}: {}", outcome.stderr);
    outcome
}

/// What was counted in each cell.
fn counted(dir: &Path) -> Counted {
    let cells = std::fs::read_dir(dir.join("cells")).unwrap();
    cells
        .map(|entry| {
            let cell = entry.unwrap();
            let read = |name| std::fs::read_to_string(cell.path().join(name)).unwrap();
            let id = cell.file_name().into_string().unwrap();
            (id, [read("samples.csv"), read("events.jsonl")])
        })
        .collect()
}

/// The whole matrix, run at once, and its file.
fn whole(place: &Place) -> (PathBuf, Counted) {
    let file = place.write("three.toml", MATRIX);
    let out = place.path("whole");
    let outcome = good(&[
        "run",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(
        outcome.stdout.contains("6 cells done"),
        "{}",
        outcome.stdout
    );
    let counted = counted(&out);
    assert_eq!(counted.len(), 6);
    let ids: Vec<&String> = counted.keys().collect();
    for pair in ids.chunks(2) {
        assert!(counted[pair[0]] == counted[pair[1]], "{pair:?} differ");
    }
    let csv = std::fs::read_to_string(out.join("cells.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 6 * 2);
    place.assert_deserted();
    (file, counted)
}

#[test]
fn a_matrix_counts_the_same_at_once_cut_off_and_on_slurm() {
    let place = Place::new();
    let (file, whole) = whole(&place);
    killed_again_and_again(&place, &file, &whole);
    by_a_job_array_of_slurm(&place, &file, &whole);
    place.assert_deserted();
}

type Counted = BTreeMap<String, [String; 2]>;

fn killed_again_and_again(place: &Place, file: &Path, whole: &Counted) {
    let out = place.path("resumed");
    let out = out.to_str().unwrap();
    let mut args = vec!["run", file.to_str().unwrap(), "--out", out];
    // At the start, in the first cells, in later ones.
    for seconds in [1.0, 6.0, 14.0] {
        let mut child = exitlab()
            .args(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        child.kill().unwrap();
        child.wait().unwrap();
        if Path::new(out).exists() {
            args = vec!["run", "--resume", out];
        }
    }
    let outcome = good(&args);
    assert!(
        outcome.stdout.contains("6 cells done"),
        "{}",
        outcome.stdout
    );
    assert!(counted(Path::new(out)) == *whole);
    let again = good(&["run", "--resume", out]);
    assert!(
        again.stdout.contains("6 of them before"),
        "{}",
        again.stdout
    );
    place.assert_deserted();
}

fn by_a_job_array_of_slurm(place: &Place, file: &Path, whole: &Counted) {
    let slurm = Slurm::start(&place.path("slurm"));
    let script = good(&[
        "plan",
        file.to_str().unwrap(),
        "--shards",
        "3",
        "--emit",
        "slurm",
    ]);
    let job = place.write("job.sh", &script.stdout);
    let parts = place.path("parts");
    std::fs::create_dir(&parts).unwrap();
    let outcome: Outcome = slurm
        .command("sbatch")
        .args(["--wait", "--output"])
        .arg(parts.join("job-%a.log"))
        .arg(&job)
        .env("OUT", &parts)
        .output()
        .unwrap()
        .into();
    let log = std::fs::read_to_string(parts.join("job-1.log")).unwrap_or_default();
    assert_eq!(outcome.code, Some(0), "{} {log}", outcome.stderr);

    let part = |number: u32| parts.join(format!("part-{number}")).display().to_string();
    let merged = place.path("merged");
    let merged_text = merged.to_str().unwrap();
    let refused = |parts: &[&str], words: &[&str]| {
        let outcome = run(&[&["merge", merged_text], parts].concat());
        outcome.assert_failed(2, words);
        assert!(!merged.exists());
    };
    let [one, two, three] = [part(1), part(2), part(3)];
    refused(&[&one, &two], &["2 of 6 cells are in no part", "--resume"]);
    refused(
        &[&one, &two, &three, &two],
        &["is in", "name each part once"],
    );
    let other = place.path("other");
    let other = other.to_str().unwrap();
    let words = [
        "--shard",
        "3/3",
        "--set",
        "repeat=3",
        "--set",
        "guest.memory=128M",
        "--out",
    ];
    good(&[&["run", file.to_str().unwrap()], &words[..], &[other]].concat());
    refused(&[&one, &two, other], &["parts of different plans"]);
    good(&["merge", merged_text, &one, &two, &three]);
    assert!(counted(&merged) == *whole);
}

#[test]
fn commands_for_one_experiment_refuse_a_matrix() {
    let place = Place::new();
    let file = place.write("three.toml", MATRIX);
    let file = file.to_str().unwrap();
    let outcome = run(&["build", "guest-image", file]);
    outcome.assert_failed(2, &["a matrix of 6 experiments", "--set repeat=1"]);
    run(&["run", "--shard", "1/2"]).assert_failed(2, &["--shard wants a matrix"]);
    run(&["run", "--shard", "3/2"]).assert_failed(2, &["I/N"]);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    run(&["run", "--resume", empty.to_str().unwrap()]).assert_failed(2, &["holds no matrix"]);
    let plan = good(&["plan", file, "--shards", "2"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 6);
    let github = good(&["plan", file, "--shards", "2", "--emit", "github"]);
    assert_eq!(github.stdout, "{\"shard\":[\"1/2\",\"2/2\"]}\n");
}
