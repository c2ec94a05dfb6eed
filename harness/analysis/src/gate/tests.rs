mod below;
mod plans;

use std::path::Path;

use super::github::{annotations, summary};
use super::*;
use crate::compare::fixture::{cell, noisy, side};
use crate::compare::{CellCounts, Series, Side};
use exitlab_model::reasons::Isa;

fn read(content: &str) -> Result<Rules> {
    document::read(&Text::new("gate.toml", content), Path::new("rules")).map_err(as_error)
}

fn rules(content: &str) -> Rules {
    read(content).unwrap()
}

fn refused(content: &str) -> String {
    let error = read(content).unwrap_err();
    format!("{error}\n  cure: {}\n", error.cure())
}

fn today() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 23)
}

fn judged(content: &str, base: CellCounts, head: CellCounts) -> Judgement {
    let (base, head) = (side("base", base), side("head", head));
    judge(&rules(content), Some(&base), &head, today()).unwrap()
}

fn refusal(content: &str, base: Option<CellCounts>, head: CellCounts) -> String {
    let base = base.map(|base| side("base", base));
    let error = judge(&rules(content), base.as_ref(), &side("head", head), today()).unwrap_err();
    format!("{error}\n  cure: {}\n", error.cure())
}

/// The fixture's cell with `more` exits of reason 10 in phase `boot`.
fn with_cpuid(more: u64) -> CellCounts {
    let mut cell = cell(Isa::Vmx, false);
    cell.phases[0].reasons.get_mut(&10).unwrap().exits[0] += more;
    cell
}

const EXACT: &str = "[[rule]]\nexact = true\n";

#[test]
fn a_file_with_every_key() {
    let content = r#"
baseline = "baseline.toml"
level = "1%"
least_exits = 50
may_differ = ["guest.cmdline", "phase"]

[[rule]]
name = "CPUID exits stay"
platform = "bochs-vmx"
phase = "boot"
reason = 10
detail = "leaf 0x7.0"
exact = true

[[rule]]
class = "io"
phase = "idle"
max_increase = "2%"
least_exits = 5

[[rule]]
reason = "total"
max_exits = 100000
provenance = "different"

[[rule]]
place = "do_idle"
max_decrease = "10%"

[[rule]]
class = "memory"
max_change = 20

[[allow]]
platform = "tcg-svm"
phase = "boot"
reason = "CPUID"
because = "one more leaf is read"
until = 2027-03-31

[[allow]]
class = "register"
because = "x"
until = 2027-03-31
"#;
    let read = rules(content);
    assert_eq!(
        read.baseline.as_deref(),
        Some(Path::new("rules/baseline.toml"))
    );
    assert_eq!((read.settings.level, read.settings.least_exits), (0.01, 50));
    let titles: Vec<&str> = read.rules.iter().map(|rule| rule.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "CPUID exits stay",
            "at most 2% more exits of class io",
            "at most 100000 exits in total",
            "at most 10% fewer exits of each reason from do_idle",
            "at most 20 more or fewer exits of class memory"
        ]
    );
    assert_eq!(read.rules[1].place, "gate.toml:15");
    assert_eq!(read.may_differ, ["guest.cmdline", "phase"]);
    assert_eq!(read.allows[0].until.to_string(), "2027-03-31");
    for key in document::KEYS {
        let name = key.rsplit('.').next().unwrap();
        assert!(content.contains(name), "{key} is not in this test");
        let manual = include_str!("../../../../docs/regression.md");
        assert!(
            manual.contains(&format!("`{name}`")),
            "{key} is not in docs/regression.md"
        );
    }
}

#[test]
fn error_texts() {
    let wrong = [
        "",
        "[[rule]]\n",
        "[[rule]]\nexact = true\nmax_exits = 1\n",
        "[[rule]]\nexact = false\n",
        "[[rule]]\nexact = \"yes\"\n",
        "[[rule]]\nmax_increas = \"2%\"\n",
        "[[rule]]\nmax_increase = \"2\"\n",
        "[[rule]]\nmax_exits = -1\n",
        "[[rule]]\nmax_decrease = \"100%\"\n",
        "[[rule]]\nmax_change = -1\n",
        "[[rule]]\nmax_change = true\n",
        "[[rule]]\nmax_increase = 5\nmax_decrease = 5\n",
        "may_differ = [\"gest.cmdline\"]\n[[rule]]\nexact = true\n",
        "may_differ = \"guest\"\n[[rule]]\nexact = true\n",
        "[[rule]]\nexact = true\nprovenance = \"same\"\n",
        "[[rule]]\nexact = true\nreason = 10\n",
        "[[rule]]\nexact = true\nreason = \"CPUIDD\"\n",
        "[[rule]]\nexact = true\nplatform = \"bochs-vmx\"\nreason = 35\n",
        "[[rule]]\nexact = true\nplatform = \"bochs\"\n",
        "[[rule]]\nexact = true\nclass = \"disk\"\n",
        "[[rule]]\nexact = true\nclass = \"io\"\nreason = \"CPUID\"\n",
        "level = \"60%\"\n[[rule]]\nexact = true\n[[allow]]\nreason = \"CPUID\"\n",
        "[[rule]]\nexact = true\n[[allow]]\nbecause = \"x\"\nuntil = \"soon\"\n",
        "[[rule]]\nexact = true\n[[rule]\n",
    ];
    let texts: Vec<String> = wrong.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn rules_that_cannot_be_meant_for_these_runs() {
    let run = || cell(Isa::Vmx, false);
    let noise = || noisy("n", &[100.0], 0.0, 3);
    let texts = [
        refusal(EXACT, None, run()),
        refusal(EXACT, Some(run()), cell(Isa::Svm, false)),
        refusal(EXACT, Some(noise()), noise()),
        refusal(
            "[[rule]]\nexact = true\nphase = \"cpu\"\n",
            Some(run()),
            run(),
        ),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn one_exit_more_fails_and_an_allowance_lets_it_pass_until_its_date() {
    assert_eq!(
        judged(EXACT, with_cpuid(0), with_cpuid(0)).outcome(),
        Outcome::Passed
    );
    let failed = judged(EXACT, with_cpuid(0), with_cpuid(1));
    assert_eq!(
        (failed.outcome(), failed.count(Outcome::Failed)),
        (Outcome::Failed, 1)
    );
    insta::assert_snapshot!(plain(&failed));

    let allow = |until: &str, phase: &str| {
        format!(
            "{EXACT}[[allow]]\nreason = \"CPUID\"\nphase = \"{phase}\"\nbecause = \"a leaf more\"\nuntil = {until}\n"
        )
    };
    let allowed = judged(&allow("2026-11-23", "boot"), with_cpuid(0), with_cpuid(1));
    assert_eq!(allowed.outcome(), Outcome::Passed);
    insta::assert_snapshot!("allowed", plain(&allowed));
    let elsewhere = judged(&allow("2026-11-23", "idle"), with_cpuid(0), with_cpuid(1));
    assert_eq!(elsewhere.outcome(), Outcome::Failed);
    let expired = judged(&allow("2026-11-22", "boot"), with_cpuid(0), with_cpuid(0));
    assert_eq!(
        (
            expired.count(Outcome::Failed),
            expired.count(Outcome::Passed)
        ),
        (1, 3)
    );
    insta::assert_snapshot!("expired", plain(&expired));
}

#[test]
fn limits_of_single_reasons_classes_and_totals() {
    let outcome = |rule: &str, more| {
        let content = format!("[[rule]]\nphase = \"boot\"\n{rule}\n");
        judged(&content, with_cpuid(0), with_cpuid(more)).outcome()
    };
    // Reason 10 has 876 exits in the fixture's boot, all reasons together 43,574.
    for (rule, most) in [
        ("reason = \"CPUID\"\nmax_increase = \"2%\"", 17),
        ("max_increase = \"2%\"", 17),
        ("class = \"instruction\"\nmax_increase = \"2%\"", 17),
        ("reason = \"total\"\nmax_increase = \"0.1%\"", 43),
        ("reason = \"CPUID\"\nmax_exits = 900", 24),
        ("reason = \"CPUID\"\nexact = true", 0),
        ("class = \"instruction\"\nexact = true", 0),
    ] {
        let base = cell(Isa::Vmx, false).phases[0].reasons[&10].exits[0];
        assert_eq!(base, 876);
        assert_eq!(outcome(rule, most), Outcome::Passed, "{rule}");
        assert_eq!(outcome(rule, most + 1), Outcome::Failed, "{rule}");
    }
    assert_eq!(outcome("class = \"io\"\nexact = true", 5), Outcome::Passed);
}

#[test]
fn nothing_to_judge_is_no_pass() {
    let svm = "[[rule]]\nplatform = \"tcg-svm\"\nexact = true\n";
    let judgement = judged(svm, with_cpuid(0), with_cpuid(0));
    assert_eq!(judgement.outcome(), Outcome::Undecided);
    // A reason of the other instruction set is not asked for here, but one rule is kept.
    let both = format!(
        "{EXACT}[[rule]]\nplatform = \"bochs-vmx\"\nreason = \"EPT_VIOLATION\"\nexact = true\n"
    );
    assert_eq!(
        judged(&both, with_cpuid(0), with_cpuid(0)).outcome(),
        Outcome::Passed
    );
}

#[test]
fn noise_passes_fails_or_is_undecided() {
    let content = "[[rule]]\nmax_increase = \"5%\"\n";
    let means = [4_000.0, 9_000.0, 3.0];
    let judge = |factor: f64, repeats| {
        let head = means.map(|mean| mean * factor);
        let (base, head) = (
            noisy("a", &means, 0.0, repeats),
            noisy("b", &head, 0.0, repeats),
        );
        judged(content, base, head)
    };
    assert_eq!(judge(1.0, 8).outcome(), Outcome::Passed);
    assert_eq!(judge(1.12, 8).outcome(), Outcome::Failed);
    let undecided = judge(1.0, 2);
    assert_eq!(undecided.outcome(), Outcome::Undecided);
    insta::assert_snapshot!(plain(&undecided));
}

#[test]
fn repeats_that_differ_where_they_must_not() {
    let mut head = with_cpuid(0);
    head.absorb(with_cpuid(1));
    let judgement = judged(EXACT, with_cpuid(0), head);
    assert_eq!(judgement.outcome(), Outcome::Failed);
    assert!(plain(&judgement).contains("the repeats of the head differ"));
}

/// A judgement with every outcome, and with characters that each format must escape.
fn every_outcome() -> Judgement {
    let content = "[[rule]]\nname = \"a|b <c> & `d`: 100%, e\"\nphase = \"boot\"\nexact = true\n\
         [[rule]]\nphase = \"idle\"\nexact = true\n\
         [[rule]]\nplatform = \"tcg-svm\"\nexact = true\n";
    judged(content, with_cpuid(0), with_cpuid(1))
}

#[test]
fn junit_has_a_case_for_each_rule_and_phase() {
    insta::assert_snapshot!(junit(&every_outcome()).unwrap());
}

#[test]
fn github_shows_what_did_not_pass() {
    insta::assert_snapshot!(summary(&every_outcome()));
    let lines = annotations(&every_outcome());
    assert_eq!(lines.lines().count(), 2);
    insta::assert_snapshot!("annotations", lines);
}

#[test]
fn unknown_exits_are_exits_too() {
    let mut head = with_cpuid(0);
    let one = Series {
        exits: vec![1],
        cycles: Vec::new(),
    };
    head.phases[2]
        .reasons
        .insert(crate::compare::UNKNOWN_REASON, one);
    let judgement = judged(EXACT, with_cpuid(0), head);
    assert_eq!(judgement.outcome(), Outcome::Failed);
    assert!(
        plain(&judgement).contains("unknown reasons: 0 → 1"),
        "{}",
        plain(&judgement)
    );
}

#[test]
fn cells_are_paired_by_their_values() {
    let of = |machine: &str, more| {
        let mut cell = with_cpuid(more);
        cell.key
            .values
            .insert("guest.machine".to_owned(), machine.to_owned());
        cell
    };
    let base = Side {
        name: "base".to_owned(),
        cells: vec![of("pc", 3), of("q35", 7)],
        left_out: Vec::new(),
    };
    let head = Side {
        name: "head".to_owned(),
        cells: vec![of("q35", 7), of("pc", 4)],
        left_out: Vec::new(),
    };
    let judgement = judge(&rules(EXACT), Some(&base), &head, today()).unwrap();
    let failed: Vec<&Case> = judgement
        .cases
        .iter()
        .filter(|case| case.outcome == Outcome::Failed)
        .collect();
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0].cell.ends_with("guest.machine=pc"),
        "{:?}",
        failed[0]
    );
    let one = Side {
        name: "base".to_owned(),
        cells: vec![of("pc", 3)],
        left_out: Vec::new(),
    };
    let error = judge(&rules(EXACT), Some(&one), &head, today()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the baseline has no cell boot-vs-idle on bochs-vmx, guest.machine=q35"),
        "{error}"
    );
}

#[test]
fn every_exit_counts_where_provenance_is_equal_and_what_differs_is_named_elsewhere() {
    let content = "[[rule]]\nprovenance = \"equal\"\nexact = true\n\
                   [[rule]]\nprovenance = \"different\"\nmax_increase = \"10%\"\n";
    let judgement = judged(content, with_cpuid(0), with_cpuid(1));
    assert_eq!(judgement.outcome(), Outcome::Failed);
    assert!(
        judgement
            .cases
            .iter()
            .all(|case| case.place == "gate.toml:1")
    );

    let of = |image: &str, libc: &str, more| {
        let mut cell = with_cpuid(more);
        let facts = [("host image", image), ("package libc6", libc)];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        cell.facts.0.extend(facts);
        cell
    };
    let judgement = judged(content, of("a", "2.36-9", 0), of("b", "2.36-10", 1));
    assert_eq!(judgement.outcome(), Outcome::Passed);
    assert!(
        judgement
            .cases
            .iter()
            .all(|case| case.place == "gate.toml:4")
    );
    insta::assert_snapshot!("what_differs", plain(&judgement));

    let judgement = judged(content, of("a", "2.36-9", 0), of("a", "2.36-10", 1));
    assert_eq!(
        judgement.outcome(),
        Outcome::Failed,
        "a package that no image has"
    );
}
