//! Rules over real runs: what passes, fails and is undecided, and who is told how.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{good, quiet, text};
use crate::rig::own_file;
use crate::support::{Outcome, Place, exitlab};

const RULES: &str = r#"
baseline = "baseline.toml"

[[rule]]
name = "nothing changes"
platform = "tcg-svm"
exact = true

[[rule]]
platform = "tcg-svm"
phase = "idle"
reason = "HLT"
max_increase = "50%"

[[rule]]
platform = "tcg-svm"
phase = "boot"
class = "io"
max_exits = 100000
"#;

pub fn the_gate_tells_three_things_apart(
    place: &Place,
    baseline: &Path,
    [same, shadow]: [&Path; 2],
) {
    let rules = place.write("gate.toml", RULES);
    let gate = |run: &Path, more: &[&str]| {
        quiet(&[&["gate", "--rules", text(&rules), text(run)], more].concat())
    };
    let passed = gate(same, &[]);
    assert_eq!(passed.code, Some(0), "{}{}", passed.stdout, passed.stderr);
    assert!(
        passed
            .stdout
            .ends_with("Verdict: passed. 6 passed, 0 failed, 0 undecided.\n")
    );
    assert!(!passed.stdout.contains("::error"));

    let junit = place.path("gate.xml");
    let failed = gate(shadow, &["--junit", text(&junit)]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stdout.contains("FAILED: nothing changes · boot"),
        "{}",
        failed.stdout
    );
    assert!(
        failed.stdout.contains("0x400 Nested page fault: "),
        "{}",
        failed.stdout
    );
    assert!(
        failed.stderr.contains("the gate failed: 3 of 6 cases"),
        "{}",
        failed.stderr
    );
    junit_is_valid_and_read_by_others(&junit, "6 3 0");

    another_plan_is_undecided(place, &rules, same);
    a_rule_without_runs_is_undecided(place, same, &junit);
    github_is_told(place, &rules, shadow);
    allowances_hold_until_their_date(place, baseline, [same, shadow]);
}

/// A run of another experiment keeps every limit if it is small enough, and says nothing.
fn another_plan_is_undecided(place: &Place, rules: &Path, same: &Path) {
    let record = std::fs::read_to_string(same.join("run.json")).unwrap();
    let other = record.replacen("\"machine\": \"microvm\"", "\"machine\": \"pc\"", 1);
    assert_ne!(other, record);
    let other = place.write("other/run.json", &other);
    // The file stands for its directory.
    let gate = |rules: &Path| quiet(&["gate", "--rules", text(rules), text(&other)]);
    let unlike = gate(rules);
    assert_eq!(unlike.code, Some(6), "{}{}", unlike.stdout, unlike.stderr);
    for fragment in ["unlike plans", "  guest.machine: microvm → pc\n"] {
        assert!(unlike.stdout.contains(fragment), "{}", unlike.stdout);
    }
    let allowed = format!("may_differ = [\"guest.machine\"]\n{RULES}");
    let allowed = gate(&place.write("may-differ.toml", &allowed));
    assert_eq!(
        allowed.code,
        Some(0),
        "{}{}",
        allowed.stdout,
        allowed.stderr
    );
    let line = "plans differ as they may: guest.machine microvm → pc";
    assert!(allowed.stdout.contains(line), "{}", allowed.stdout);
}

/// A rule about a platform that no run is of says neither yes nor no.
fn a_rule_without_runs_is_undecided(place: &Place, same: &Path, junit: &Path) {
    let both = format!("{RULES}\n[[rule]]\nplatform = \"bochs-vmx\"\nexact = true\n");
    let both = place.write("both.toml", &both);
    let arguments = [
        "gate",
        "--rules",
        text(&both),
        text(same),
        "--junit",
        text(junit),
    ];
    let undecided = quiet(&arguments);
    assert_eq!(
        undecided.code,
        Some(6),
        "{}{}",
        undecided.stdout,
        undecided.stderr
    );
    assert!(
        undecided
            .stdout
            .contains("Verdict: undecided. 6 passed, 0 failed, 1 undecided.")
    );
    junit_is_valid_and_read_by_others(junit, "7 0 1");
    good(&[
        "gate",
        "--rules",
        text(&both),
        text(same),
        "--platform",
        "tcg-svm",
    ]);
}

/// The schema of `tests/data/junit.xsd` by libxml2, and the counts by Debian's `junitparser`.
fn junit_is_valid_and_read_by_others(file: &Path, counts: &str) {
    let schema = own_file("data/junit.xsd");
    let valid = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema", text(&schema), text(file)])
        .output()
        .expect("xmllint of libxml2-utils");
    assert!(
        valid.status.success(),
        "{}",
        String::from_utf8_lossy(&valid.stderr)
    );
    let program = "import sys; from junitparser import JUnitXml, Failure, Error\n\
                   cases = [c for suite in JUnitXml.fromfile(sys.argv[1]) for c in suite]\n\
                   of = lambda kind: sum(isinstance(r, kind) for c in cases for r in c.result)\n\
                   print(len(cases), of(Failure), of(Error))";
    let read = Command::new("/usr/bin/python3")
        .args(["-c", program, text(file)])
        .output()
        .expect("python3-junitparser");
    let said = String::from_utf8_lossy(&read.stdout);
    assert_eq!(
        said.trim(),
        counts,
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
}

fn github_is_told(place: &Place, rules: &Path, shadow: &Path) {
    let summary = place.write("summary.md", "# what another step wrote\n");
    let mut command = exitlab();
    command.args(["gate", "--rules", text(rules), text(shadow)]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary);
    let outcome = Outcome::from(command.output().unwrap());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let errors: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|l| l.starts_with("::error "))
        .collect();
    assert_eq!(errors.len(), 3, "{}", outcome.stdout);
    assert!(
        errors[0].contains("gate.toml,line=4,title=nothing changes%3A "),
        "{}",
        errors[0]
    );
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(
        summary.starts_with("# what another step wrote\n## VM exits: failed\n"),
        "{summary}"
    );
    summary_is_rendered_by_github(&summary);
}

/// GitHub's own Markdown: each line of a table becomes a row with a cell for each column.
fn summary_is_rendered_by_github(summary: &str) {
    let mut renderer = Command::new("cmark-gfm")
        .args(["-e", "table"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cmark-gfm");
    let mut input = renderer.stdin.take().unwrap();
    input.write_all(summary.as_bytes()).unwrap();
    drop(input);
    let output = renderer.wait_with_output().unwrap();
    assert!(output.status.success());
    let html = String::from_utf8(output.stdout).unwrap();
    let many = |what: &str| html.matches(what).count();
    let lines = summary.lines().filter(|line| line.starts_with('|'));
    // Two tables, of which the line below the head is no row.
    let rows = lines.count() - 2;
    assert_eq!((many("<table>"), many("<tr>")), (2, rows), "{html}");
    assert_eq!(many("<th>") + many("<th "), 2 * 5, "{html}");
    assert_eq!(many("<td>") + many("<td "), (rows - 2) * 5, "{html}");
    // What a table could not hold would be left as text.
    assert!(!html.contains("<p>|") && !html.contains("|:--"), "{html}");
    assert!(html.contains("<h2>VM exits: failed</h2>"), "{html}");
}

fn allowances_hold_until_their_date(place: &Place, baseline: &Path, [same, shadow]: [&Path; 2]) {
    let allow = |until: &str| {
        format!(
            "[[rule]]\nexact = true\n\
             [[allow]]\nbecause = \"shadow paging is on trial\"\nuntil = {until}\n"
        )
    };
    let judge = |until: &str, run: &Path| {
        let rules = place.write("allow.toml", &allow(until));
        quiet(&[
            "gate",
            "--rules",
            text(&rules),
            "--base",
            text(baseline),
            text(run),
        ])
    };
    let allowed = judge("2999-12-31", shadow);
    assert_eq!(
        allowed.code,
        Some(0),
        "{}{}",
        allowed.stdout,
        allowed.stderr
    );
    assert!(
        allowed
            .stdout
            .contains("allowed until 2999-12-31: 0x400 Nested page fault")
    );
    let expired = judge("2020-01-31", same);
    assert_eq!(expired.code, Some(1), "{}", expired.stdout);
    assert!(
        expired
            .stdout
            .contains("expired on 2020-01-31: shadow paging is on trial")
    );
}
