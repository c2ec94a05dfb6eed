//! Ten kernels graded with one command: most cannot be tried and say why, one is right, one
//! has a mistake. The command is killed on the way, and goes on.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::rig::running::Running;
use crate::rig::{built, planted_kernel};
use crate::support::{Outcome, Place, exitlab, run};

/// The bzImage of the kernel with planted mistakes.
fn image() -> PathBuf {
    let [patches, fragments] = planted_kernel();
    built(&["kernel", "--set", &patches, "--set", &fragments])
}

/// Hands in: five files in a directory, and a list of five kernels that boot, or nearly.
fn hand_in(place: &Place) -> PathBuf {
    let image = image();
    let whole = std::fs::read(&image).unwrap();
    let mut changed = whole.clone();
    let middle = whole.len() / 2;
    changed[middle] ^= 0xff;
    let files: [(&str, &[u8]); 5] = [
        ("class/letter.txt", b"Dear teacher,\n"),
        ("class/cut.bzImage", &whole[..whole.len() / 3]),
        ("class/changed/bzImage", &changed),
        ("class/vmlinux/vmlinux", b"\x7fELF\x02\x01\x01"),
        ("class/empty.bzImage", b""),
    ];
    for (path, bytes) in files {
        let path = place.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let kernel = |name: &str, sets: &str| {
        let image = image.display();
        format!("[[kernel]]\nname = '{name}'\npath = '{image}'\nset = [{sets}]\n")
    };
    let list = [
        kernel("rootless", "'host.cmdline=rdinit=/none'"),
        kernel("blind", "'host.cmdline=clearcpuid=svm'"),
        kernel("right", ""),
        // Two of the same name are two.
        kernel("seven", "'kvm.planted_mistake=7'"),
        "[[kernel]]\nname = 'seven'\npath = 'no/such/bzImage'\n".to_owned(),
    ];
    place.write("class.toml", &list.concat())
}

fn row_of(out: &Path, name: &str) -> PathBuf {
    out.join("kernels").join(name).join("row.json")
}

fn written(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// The fate of each kernel, by its name in the order of the table: `per-vm 7`, `truncated`.
fn fates(grades: &Value) -> Vec<String> {
    let kernels = grades["kernels"].as_array().unwrap();
    let fate = |kernel: &Value| {
        let name = kernel["name"].as_str().unwrap();
        let findings = kernel["findings"].as_array().unwrap();
        let broken = findings.iter().filter(|f| f["verdict"] == "broken");
        let broken: Vec<String> = broken
            .map(|f| format!("{} {}", f["rule"].as_str().unwrap(), f["mistake"]))
            .collect();
        let hindered = kernel["hindered"]["kind"].as_str().unwrap_or_default();
        format!("{name}: {hindered}{}", broken.join(", "))
    };
    kernels.iter().map(fate).collect()
}

fn resumed(out: &Path, args: &[&str]) -> Outcome {
    let out = out.to_str().unwrap();
    run(&[&["conformance", "--resume", out], args].concat())
}

#[test]
fn ten_kernels_are_graded_with_one_command() {
    let place = Place::new();
    let list = hand_in(&place);
    let (class, out) = (place.path("class"), place.path("out"));
    let points = place.write("points.toml", "present = 1\nper-vm = 10\n");
    let mut command = exitlab();
    command.args(["conformance", "--platform", "tcg-svm", "--jobs", "2"]);
    command.arg("--quick");
    command.arg("--kernel").arg(&class);
    command.arg("--kernels").arg(&list);
    command.arg("--points").arg(&points);
    command.arg("--out").arg(&out);
    let mut cut_off = Running::start_as(&place, command);
    cut_off.wait_for("no-init");
    cut_off.signal("-KILL");
    cut_off.code();
    drop(cut_off);
    let early = row_of(&out, "cut");
    let before = written(&early);

    let rest = resumed(&out, &["--format", "json", "--progress", "plain"]);
    assert_eq!(rest.code, Some(5), "{}", rest.stderr);
    let grades: Value = serde_json::from_str(&rest.stdout).unwrap();
    assert_eq!(
        fates(&grades),
        [
            "changed: damaged",
            "cut: truncated",
            "empty: no-kernel",
            "letter.txt: no-kernel",
            "vmlinux: no-kernel",
            "rootless: no-init",
            "blind: virtualization-off",
            "right: ",
            "seven: per-vm 7",
            "seven-2: no-file",
        ],
        "{}",
        rest.stderr
    );
    assert_eq!(written(&early), before, "what is done is not done again");
    let right = &grades["kernels"][7];
    // Resumed as it was begun.
    assert!(right["findings"].to_string().contains("18884 readings"));
    assert_eq!(
        (&right["score"]["points"], &right["score"]["of"]),
        (&11.0.into(), &11.0.into())
    );
    place.assert_deserted();
    assert_tables(&out);
}

/// Tables and pages are there, and other points make others without another trial.
fn assert_tables(out: &Path) {
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(read("grades.csv").lines().count(), 11);
    assert!(read("findings.csv").contains(",per-vm,7,"));
    let page = read("pages/seven.md");
    assert!(
        page.contains("## Broken rules\n\n- ✗ **per-vm (mistake 7)**"),
        "{page}"
    );
    assert!(read("pages/cut.md").contains("**truncated**"));
    assert_eq!(std::fs::read_dir(out.join("pages")).unwrap().count(), 10);

    let other = out.join("points.csv");
    std::fs::write(&other, "rule,points\nper-vm,2.5\n").unwrap();
    let trial = written(&row_of(out, "right"));
    let again = resumed(out, &["--points", other.to_str().unwrap()]);
    assert_eq!(again.code, Some(5), "{}", again.stderr);
    assert!(
        again.stdout.contains("10 of them done before"),
        "{}",
        again.stdout
    );
    assert!(again.stdout.contains("2.5/2.5"), "{}", again.stdout);
    assert_eq!(written(&row_of(out, "right")), trial);
}

#[test]
fn grading_refuses_wrong_points_lists_and_directories_before_anything_boots() {
    let place = Place::new();
    let points = place.write("points.toml", "per-wm = 10\n");
    let list = place.write(
        "class.toml",
        "[[kernel]]\npath = 'x'\nset = ['host.cpu=2']\n",
    );
    let empty = place.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let out = place.path("out");
    let words: [(&str, &Path, &[&str]); 4] = [
        ("--points", &points, &["points.toml:1", "per-vm", "cure:"]),
        (
            "--kernels",
            &list,
            &["class.toml:1", "kernel x", "host.cpus"],
        ),
        ("--kernel", &empty, &["no file in it", "cure:"]),
        ("--resume", &empty, &["roster.json", "cure:"]),
    ];
    for (word, path, fragments) in words {
        let mut command = exitlab();
        command
            .args(["conformance", "--format", "csv", word])
            .arg(path);
        if word != "--resume" {
            command.arg("--out").arg(&out);
        }
        let outcome: Outcome = command.output().unwrap().into();
        outcome.assert_failed(2, fragments);
        assert!(!out.exists(), "nothing is left behind");
    }
}
