//! What a gate makes of sides that are unlike each other, and of words that would be more than
//! words.

use super::*;
use crate::compare::LeftOut;
use crate::compare::fixture::planned;

const MORE: &str = "[[rule]]\nmax_increase = \"5%\"\n";

fn q35() -> CellCounts {
    planned("default", &[("guest.machine", "q35"), ("guest.vcpus", "1")])
}

/// A smaller experiment of another name, with a tenth of the exits.
fn microvm() -> CellCounts {
    let mut cell = planned(
        "small",
        &[("guest.machine", "microvm"), ("guest.vcpus", "1")],
    );
    for phase in &mut cell.phases {
        for series in phase.reasons.values_mut() {
            series.exits[0] /= 10;
        }
    }
    cell
}

#[test]
fn fewer_exits_of_another_experiment_are_undecided_and_each_key_is_named() {
    let judgement = judged(MORE, q35(), microvm());
    assert_eq!(judgement.outcome(), Outcome::Undecided);
    insta::assert_snapshot!("unlike", plain(&judgement));
    assert!(annotations(&judgement).starts_with("::warning file=gate.toml,line=1,"));
    let fewer = judged("[[rule]]\nmax_exits = 1000000\n", q35(), microvm());
    assert_eq!(
        fewer.outcome(),
        Outcome::Passed,
        "no rule asks for the base"
    );
}

#[test]
fn what_may_differ_is_said_by_the_rules() {
    let may = |keys: &str| {
        let content = format!("may_differ = [{keys}]\n{MORE}");
        judged(&content, q35(), microvm())
    };
    assert_eq!(may("\"name\"").outcome(), Outcome::Undecided);
    let allowed = may("\"name\", \"guest\"");
    assert_eq!(allowed.outcome(), Outcome::Passed);
    let line = "plans differ as they may: name default → small; guest.machine q35 → microvm";
    assert!(plain(&allowed).contains(line), "{}", plain(&allowed));
    let mut short = q35();
    short.phases.pop();
    let content = format!("may_differ = [\"phase\"]\n{MORE}");
    let judgement = judged(&content, q35(), short.clone());
    assert_eq!(
        judgement.outcome(),
        Outcome::Undecided,
        "a phase has vanished"
    );
    assert!(plain(&judgement).contains("the run has no such phase"));
    assert!(refusal(&content, Some(short), q35()).contains("has no phase `idle 2`"));
}

#[test]
fn an_exit_that_vanished_is_news_where_it_is_asked_for() {
    let mut gone = q35();
    gone.phases[0].reasons.remove(&10);
    let outcome = |rule: &str| judged(rule, q35(), gone.clone()).outcome();
    assert_eq!(outcome(MORE), Outcome::Passed);
    for rule in [
        "max_decrease = \"99%\"",
        "max_change = \"10%\"",
        "max_change = 100",
    ] {
        assert_eq!(
            outcome(&format!("[[rule]]\n{rule}\n")),
            Outcome::Failed,
            "{rule}"
        );
    }
    let judgement = judged("[[rule]]\nmax_decrease = 5\n", q35(), gone);
    let text = plain(&judgement);
    assert!(
        text.contains("10 CPUID: 876 → 0, -876, -100.00 %: more than 5 fewer"),
        "{text}"
    );
}

#[test]
fn a_gate_that_passes_says_what_was_compared_with_what() {
    insta::assert_snapshot!("the_same", plain(&judged(MORE, q35(), q35())));
    let mut kernel = q35();
    let facts = [
        ("host kernel", "6.12.9"),
        ("plan kvm", "module kvm name a value 1"),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    kernel.facts.0.extend(facts);
    insta::assert_snapshot!("another_kernel", plain(&judged(MORE, q35(), kernel)));
}

#[test]
fn a_cell_without_a_good_run_is_undecided_and_a_repeat_less_is_named() {
    let left_out = |key| LeftOut {
        why: "not used: r2: the run failed".to_owned(),
        key,
    };
    let judge = |key| {
        let mut head = side("head", q35());
        head.left_out = vec![left_out(Some(key))];
        judge(&rules(MORE), Some(&side("base", q35())), &head, today()).unwrap()
    };
    let repeat = judge(q35().key);
    assert_eq!(repeat.outcome(), Outcome::Passed);
    assert!(plain(&repeat).contains("  not used: r2: the run failed\n"));
    let cell = judge(microvm().key);
    assert_eq!(cell.outcome(), Outcome::Undecided);
    assert!(plain(&cell).contains("UNDECIDED: there is a good run of each cell"));
}

#[test]
fn words_from_outside_are_only_words() {
    let evil = "x\n::error::y\u{1b}[2J\\|<script>![i](http://z)\u{202e}";
    let mut cell = with_cpuid(1);
    cell.key.experiment = evil.to_owned();
    cell.phases[0].name = evil.to_owned();
    let mut base = cell.clone();
    base.phases[0].reasons.get_mut(&10).unwrap().exits[0] -= 1;
    let content = format!(
        "[[rule]]\nname = \"{}\"\nexact = true\n",
        "r".repeat(65_536)
    );
    let judgement = judged(&content, base, cell);
    let (plain, summary) = (plain(&judgement), summary(&judgement));
    let harm = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    for text in [
        &plain,
        &summary,
        &annotations(&judgement),
        &junit(&judgement).unwrap(),
    ] {
        assert!(!text.contains(harm), "{text}");
        assert!(text.len() < 20_000, "{}", text.len());
        assert_eq!(
            text.lines().filter(|l| l.starts_with("::error::")).count(),
            0,
            "{text}"
        );
    }
    assert!(
        !summary.contains("<script>") && !summary.contains("http://"),
        "{summary}"
    );
    let bars = |line: &str| line.matches('|').count();
    let table = summary.lines().filter(|line| line.starts_with('|'));
    assert!(table.map(bars).all(|bars| bars == 6), "{summary}");
}
