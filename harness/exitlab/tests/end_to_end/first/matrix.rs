//! Matrices of real experiments: whole, cut off and resumed, in parts, and on Slurm.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::without_repeat;
use crate::rig::slurm::Slurm;
use crate::support::{Outcome, Place, run};
use serde_json::Value;

/// Four cells, of which two each must be equal.
const MATRIX: &str = "\
name = \"two\"
platform = \"tcg-svm\"
repeat = 2
[guest]
machine = \"microvm\"
memory = [\"128M\", \"192M\"]
[sampling]
schedule = [\"boot\", \"+1s\"]
";

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
    let file = place.write("two.toml", MATRIX);
    let out = place.path("whole");
    let outcome = good(&[
        "run",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(
        outcome.stdout.contains("4 cells done"),
        "{}",
        outcome.stdout
    );
    let counted = counted(&out);
    assert_eq!(counted.len(), 4);
    let ids: Vec<&String> = counted.keys().collect();
    for pair in ids.chunks(2) {
        let [one, other] = [pair[0], pair[1]].map(|id| {
            let [samples, events] = &counted[id];
            (without_repeat(samples), events)
        });
        assert!(one == other, "{pair:?} differ");
    }
    let csv = std::fs::read_to_string(out.join("cells.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 4 * 2);
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

/// Kills exitlab, and only it, between two changes of its directory, again and again, and
/// resumes it each time: what is on the disk is all that a killed process leaves, so these are
/// all the moments that differ. What comes of it must be what comes of a run in one go.
fn killed_again_and_again(place: &Place, file: &Path, whole: &Counted) {
    let out = place.path("resumed");
    let cells: Vec<String> = whole
        .keys()
        .map(|id| format!("{}/cells/{id}", text(&out)))
        .collect();
    let [cell, second] = [&cells[0], &cells[1]].map(Path::new);
    // How often a cell writes its record: at its start, for each event from the first sample
    // on, and at its end, after three tables.
    let records = records_written(whole);
    let files = records + 3;
    let begin = ["run", text(file), "--jobs", "1", "--out", text(&out)];
    let resume = ["run", "--jobs", "1", "--resume", text(&out)];
    let beginning = place.path(".beginning-resumed");

    // When it has found the kernel, and looks for the images; before the directory has its
    // name.
    killed_before(&begin, "statx", 1, Some(&sampler()));
    assert!(!out.exists() && beginning.join("matrix.json").exists());
    killed_before(&begin, "rename", 1, Some(&beginning));
    assert!(!out.exists() && beginning.join("matrix.json").exists());

    // Before the first cell has a directory, and before that has a record.
    killed_before(&begin, "mkdir", 1, Some(cell));
    assert!(!beginning.exists() && out.join("matrix.json").exists());
    assert!(!cell.exists());
    killed_before(&resume, WRITTEN, 1, None);
    assert!(cell.exists() && !cell.join("run.json").exists());
    // While that directory is removed, to begin again.
    killed_before(&resume, "unlinkat", 2, Some(cell));
    // When the first sample is on the disk.
    killed_before(&resume, WRITTEN, 3, None);
    assert_eq!(record(cell)["samples"].as_array().unwrap().len(), 1);
    // Between two tables, and when only the last word of the record is missing.
    killed_before(&resume, WRITTEN, records + 1, None);
    assert!(cell.join("samples.csv").exists() && !cell.join("counts.csv").exists());
    killed_before(&resume, WRITTEN, files, None);
    assert!(cell.join("table.md").exists());
    assert_eq!(record(cell)["outcome"]["state"], "unfinished");
    // Between cells.
    killed_before(&resume, "mkdir", 1, Some(second));
    assert_eq!(record(cell)["outcome"]["state"], "complete");
    // When all cells are done, each with its page, but for the table of them; two at a time.
    let resume = ["run", "--resume", text(&out)];
    killed_before(&resume, WRITTEN, 3 * (files + 1) + 1, None);
    let tables = |cell: &String| Path::new(cell).join("table.md").exists();
    assert!(cells.iter().all(tables));
    assert!(!out.join("cells.csv").exists());

    let outcome = good(&resume);
    assert!(
        outcome.stdout.contains("4 cells done, 4 of them before"),
        "{}",
        outcome.stdout
    );
    assert_as_whole(&out, whole);
    assert_eq!(contents(&out), contents(&place.path("whole")));
    place.assert_deserted();
}

/// Fails with the first line that a cell has otherwise than the run in one go.
fn assert_as_whole(dir: &Path, whole: &Counted) {
    let counted = counted(dir);
    assert!(counted.keys().eq(whole.keys()), "{:?}", counted.keys());
    for (id, texts) in whole {
        for (text, other) in texts.iter().zip(&counted[id]) {
            let differs = text.lines().zip(other.lines()).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{id} of {}", dir.display());
            assert_eq!(text.len(), other.len(), "{id} of {}", dir.display());
        }
    }
}

/// The system call by which a file that was written gets its name.
const WRITTEN: &str = "renameat";

/// Runs exitlab until it makes the system call `call` for the `nth` time, of those that begin
/// with `path` if there is one: then it gets a SIGKILL in place of what it wanted. strace does
/// that to its only thread; neither emulators nor what else it starts are touched.
fn killed_before(args: &[&str], call: &str, nth: usize, path: Option<&Path>) {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null"]);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
    if let Some(path) = path {
        command.args(["-P", text(path)]);
    }
    command.arg(env!("CARGO_BIN_EXE_exitlab")).args(args);
    let killed = command.stdin(Stdio::null()).output().expect("strace");
    // strace ends as what it ran: by the same signal.
    let said = String::from_utf8_lossy(&killed.stderr);
    assert_eq!(
        killed.status.signal(),
        Some(9),
        "{call} {nth} {path:?}: {said}"
    );
}

/// What goes into the guest's image and is looked at for nothing else.
fn sampler() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_exitlab")).with_file_name("exit-sampler")
}

/// How often each cell's `run.json` is written.
fn records_written(counted: &Counted) -> usize {
    let written = counted.values().map(|[_, events]| {
        let before = |line: &&str| !line.contains("\"event\":\"sample\"");
        2 + events.lines().skip_while(before).count()
    });
    let written: Vec<usize> = written.collect();
    assert!(written.iter().all(|times| *times == written[0]));
    written[0]
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn record(cell: &Path) -> Value {
    let text = std::fs::read_to_string(cell.join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Whether a file is the page of a cell, which says when it ran; that of the matrix does not.
fn is_cells_page(path: &Path, matrix: &Path) -> bool {
    path.ends_with("report.html") && path.parent() != Some(matrix)
}

/// Every file of a matrix, and what is in it, but for logs and times of day.
fn contents(dir: &Path) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    let mut rest = vec![dir.to_owned()];
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = if name == "run.json" {
            let mut record = record(path.parent().unwrap());
            for time in ["started", "finished"] {
                record.as_object_mut().unwrap().remove(time).unwrap();
            }
            record.to_string()
        } else if name.ends_with(".log") || name == "table.md" || is_cells_page(&path, dir) {
            String::new()
        } else {
            std::fs::read_to_string(&path).unwrap()
        };
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        contents.insert(name, text);
    }
    contents
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
    refused(&[&one, &two], &["of 4 cells are in no part", "--resume"]);
    refused(
        &[&one, &two, &three, &two],
        &["is in", "name each part once"],
    );
    let other = place.path("other");
    let other = other.to_str().unwrap();
    // It has its plan, and nothing else: that is what is refused first.
    let words = ["--set", "repeat=3", "--set", "guest.memory=128M"];
    let begin = ["run", text(file), "--shard", "3/3", "--out", other];
    let cell = Path::new(other).join("cells/r3");
    killed_before(&[&begin, &words[..]].concat(), "mkdir", 1, Some(&cell));
    refused(&[&one, &two, other], &["parts of different plans"]);
    good(&["merge", merged_text, &one, &two, &three]);
    assert_as_whole(&merged, whole);
}

#[test]
fn commands_for_one_experiment_refuse_a_matrix() {
    let place = Place::new();
    let file = place.write("two.toml", MATRIX);
    let file = file.to_str().unwrap();
    let outcome = run(&["build", "guest-image", file]);
    outcome.assert_failed(2, &["a matrix of 4 experiments", "--set repeat=1"]);
    run(&["run", "--shard", "1/2"]).assert_failed(2, &["--shard wants a matrix"]);
    run(&["run", "--shard", "3/2"]).assert_failed(2, &["I/N"]);
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    run(&["run", "--resume", empty.to_str().unwrap()]).assert_failed(2, &["holds no matrix"]);
    let plan = good(&["plan", file, "--shards", "2"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["cells"].as_array().unwrap().len(), 4);
    let github = good(&["plan", file, "--shards", "2", "--emit", "github"]);
    assert_eq!(github.stdout, "{\"shard\":[\"1/2\",\"2/2\"]}\n");
}
