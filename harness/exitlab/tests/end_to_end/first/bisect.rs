//! Which commit did it? A repository of Linux with a few commits, real kernels, real runs.

use std::path::Path;

use crate::rig::linux::Linux;
use crate::rig::running::Running;
use crate::support::{Outcome, Place, exitlab};
use serde_json::Value;

/// More by far than what any change of the kernel's bytes shifts.
const RULES: &str = r#"
[[rule]]
name = "booting asks for no more leaves"
platform = "tcg-svm"
phase = "boot"
reason = "CPUID"
max_increase = "20%"
"#;

/// What runs: the smallest guest, until it has booted.
const EXPERIMENT: [&str; 6] = [
    "--platform",
    "tcg-svm",
    "--set",
    "guest.machine=microvm",
    "--set",
    "sampling.schedule=[\"boot\"]",
];

/// The repository's main branch, and six commits on top of it.
struct History {
    linux: Linux,
    commits: Vec<String>,
}

const BROKEN: usize = 3;
const CULPRIT: usize = 5;

impl History {
    fn new() -> History {
        let linux = Linux::repository();
        let base = linux.git(&["rev-parse", "main"]);
        let text = |path: &str| linux.text(&base, path);
        let readme = text("README") + "\nMore words.\n";
        let unused = |name: &str| format!("\nstatic const int {name} __attribute__((used)) = 1;\n");
        let ctype = text("lib/ctype.c") + &unused("planted_ctype");
        let broken = ctype.clone() + "this does not compile\n";
        let cmdline = text("lib/cmdline.c") + &unused("planted_cmdline");
        let start = "static int __init reboot_init(void)\n{\n\tint rv;\n";
        let reboot = text("arch/x86/kernel/reboot.c");
        assert!(reboot.contains(start), "{reboot}");
        let asking = "\tfor (rv = 0; rv < 1000; rv++)\n\t\tcpuid_eax(0);\n";
        let reboot = reboot.replace(start, &format!("{start}{asking}"));

        let mut commits = vec![base];
        for (subject, path, text) in [
            ("README: more words", "README", &readme),
            ("lib: a constant that nobody reads", "lib/ctype.c", &ctype),
            ("lib: a mistake", "lib/ctype.c", &broken),
            ("lib: no mistake", "lib/ctype.c", &ctype),
            (
                "x86/reboot: ask the processor",
                "arch/x86/kernel/reboot.c",
                &reboot,
            ),
            ("lib: another constant", "lib/cmdline.c", &cmdline),
        ] {
            let parent = commits.last().unwrap();
            commits.push(linux.commit(parent, subject, path, text));
        }
        History { linux, commits }
    }

    fn command(&self, place: &Place, name: &str, words: &[&str]) -> std::process::Command {
        let rules = place.write("gate.toml", RULES);
        let mut command = exitlab();
        command.env_remove("GITHUB_ACTIONS");
        command.env_remove("GITHUB_STEP_SUMMARY");
        command.arg(words[0]).args(EXPERIMENT);
        command.arg("--repo").arg(self.linux.dir());
        command.arg("--rules").arg(rules).args(&words[1..]);
        command.arg("--out").arg(place.path(name));
        command
    }

    fn bisect(&self, place: &Place, name: &str, good: usize, bad: usize) -> std::process::Command {
        let (good, bad) = (&self.commits[good], &self.commits[bad]);
        self.command(place, name, &["bisect", "--good", good, "--bad", bad])
    }
}

fn ended(mut command: std::process::Command) -> Outcome {
    command
        .args(["--progress", "plain"])
        .output()
        .unwrap()
        .into()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// One after the other: they share kernels, and a work tree.
#[test]
fn the_commit_that_did_it_is_named() {
    let place = Place::new();
    let history = History::new();
    let before = history.linux.state();
    the_first_bad_commit_is_found(&place, &history);
    without_a_difference_there_is_nothing_to_bisect(&place, &history);
    skipped_commits_may_hide_it(&place, &history);
    ctrl_c_leaves_nothing_behind(&place, &history);
    two_revisions_are_compared(&place, &history);
    assert_eq!(history.linux.state(), before);
    place.assert_deserted();
}

fn the_first_bad_commit_is_found(place: &Place, history: &History) {
    let found = ended(history.bisect(place, "bisect", 0, 6));
    assert_eq!(found.code, Some(0), "{}{}", found.stdout, found.stderr);
    let culprit = &history.commits[CULPRIT];
    for fragment in [
        &*format!("The first bad commit is {culprit}"),
        "x86/reboot: ask the processor",
        "A. Developer <a@example.org>, 2026-01-02T03:04:05",
        "CPUID",
    ] {
        assert!(
            found.stdout.contains(fragment),
            "{fragment}: {}",
            found.stdout
        );
    }
    let broken = &history.commits[BROKEN][..12];
    let skipped = format!("{broken} is skipped: it does not build: kernel: compile:");
    assert!(found.stderr.contains(&skipped), "{}", found.stderr);

    let out = place.path("bisect");
    let steps = json(&out.join("steps.json"));
    for step in steps.as_array().unwrap() {
        let commit = step["commit"].as_str().unwrap();
        let number = history.commits.iter().position(|c| c == commit).unwrap();
        let expected = match number {
            BROKEN => "skip",
            CULPRIT.. => "bad",
            _ => "good",
        };
        assert_eq!(step["decision"], expected, "{step}");
        if number == BROKEN {
            assert!(step["results"].is_null());
        } else {
            assert!(Path::new(step["results"].as_str().unwrap()).is_dir());
        }
    }
    let log = std::fs::read_to_string(out.join("bisect.log")).unwrap();
    assert!(
        log.contains(&format!("# first bad commit: [{culprit}]")),
        "{log}"
    );
}

/// Words that nobody compiles make the same kernel, byte for byte.
fn without_a_difference_there_is_nothing_to_bisect(place: &Place, history: &History) {
    let none = ended(history.bisect(place, "none", 0, 1));
    none.assert_failed(
        2,
        &[
            "nothing to bisect: the bad commit does not break the rules",
            "Verdict: passed.",
            "the kernel of",
            "cure:",
        ],
    );
}

/// Between a good commit and a bad one lies nothing but what does not compile.
fn skipped_commits_may_hide_it(place: &Place, history: &History) {
    let linux = &history.linux;
    let reboot = linux.text(&history.commits[CULPRIT], "arch/x86/kernel/reboot.c");
    let broken = &history.commits[BROKEN];
    let path = "arch/x86/kernel/reboot.c";
    let asks = linux.commit(broken, "asks, and does not compile", path, &reboot);
    let ctype = linux.text(&history.commits[2], "lib/ctype.c");
    let bad = linux.commit(&asks, "compiles", "lib/ctype.c", &ctype);
    let good = &history.commits[2];
    let words = ["bisect", "--good", good, "--bad", &bad];
    let hidden = ended(history.command(place, "hidden", &words));
    assert_eq!(hidden.code, Some(6), "{}{}", hidden.stdout, hidden.stderr);
    let one_of = "The first bad commit is one of these 3;";
    assert!(hidden.stdout.contains(one_of), "{}", hidden.stdout);
    for commit in [broken, &asks, &bad] {
        assert!(hidden.stdout.contains(&commit[..12]), "{}", hidden.stdout);
    }
}

fn ctrl_c_leaves_nothing_behind(place: &Place, history: &History) {
    let before = history.linux.state();
    let mut running = Running::start_as(place, history.bisect(place, "stopped", 0, 6));
    // Git has begun to ask.
    running.wait_for("is skipped");
    assert_ne!(history.linux.state(), before, "it is at work");
    running.signal("-INT");
    assert_eq!(running.code(), Some(130), "{}", running.stderr());
    assert_eq!(history.linux.state(), before);
    let log = std::fs::read_to_string(place.path("stopped/bisect.log")).unwrap();
    assert!(log.contains("git bisect start"), "{log}");
    place.assert_deserted();
}

fn two_revisions_are_compared(place: &Place, history: &History) {
    let (base, head) = (&history.commits[0], &history.commits[CULPRIT]);
    let words = ["ab", "--base", base, "--head", head];
    let judged = ended(history.command(place, "ab", &words));
    assert_eq!(judged.code, Some(1), "{}{}", judged.stdout, judged.stderr);
    let failed = "FAILED: booting asks for no more leaves · boot";
    assert!(judged.stdout.contains(failed), "{}", judged.stdout);
    let matrix = json(&place.path("ab/matrix.json"));
    for (cell, commit) in matrix["cells"].as_array().unwrap().iter().zip([base, head]) {
        let kept = &cell["plan"]["kernel"]["source"]["revision"]["commit"];
        assert_eq!(kept, commit.as_str());
    }
}
