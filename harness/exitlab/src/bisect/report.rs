//! What a bisection says. Pure: texts from what was found.

use super::tested::{Decision, Tested};
use super::worktree::End;
use exitlab_analysis::gate::{Case, Judgement, Outcome};
use exitlab_base::error::Error;
use exitlab_base::foreign;
use exitlab_base::git::Commit;

/// Digits of a hash that people are shown.
const SHORT: usize = 12;

/// A hash for people.
pub fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

/// `1a2b3c4d5e6f is bad: HLT may not rise · boot: …  (x86: do this)`
pub fn line(tested: &Tested) -> String {
    let word = match tested.decision {
        Decision::Good => "good",
        Decision::Bad => "bad",
        Decision::Skip => "skipped",
    };
    format!(
        "{} is {word}: {}  ({})",
        short(&tested.commit),
        foreign::line(&tested.why),
        foreign::line(&tested.subject)
    )
}

/// Why a commit is what it is, in one line.
pub fn because(judgement: &Judgement) -> String {
    let outcome = judgement.outcome();
    let cases = judgement.cases.len();
    let of = |case: &Case| {
        let detail = case.details.first().map_or("", String::as_str);
        format!("{} · {}: {detail}", case.rule, case.phase)
    };
    let first = judgement.cases.iter().find(|case| case.outcome == outcome);
    let first = first.map_or_else(String::new, of);
    match outcome {
        Outcome::Passed => format!("the gate passed, all {cases} cases"),
        Outcome::Failed => first,
        Outcome::Undecided => format!("the gate is undecided: {first}"),
    }
}

/// Why a commit is skipped that could not be built, in one line.
pub fn does_not_build(error: &Error) -> String {
    let words = error.to_string();
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    format!("it does not build: {}", lines.join(" "))
}

/// What was found: the first bad commit, or those of which one is it.
pub fn found(end: &End, about: &[Commit]) -> String {
    match (end, about) {
        (End::Found(_), [first, ..]) => format!(
            "The first bad commit is {}\n  {}\n  by {}, {}\n",
            first.id,
            foreign::line(&first.subject),
            foreign::line(&first.author),
            foreign::line(&first.date)
        ),
        _ => {
            let mut text = format!(
                "The first bad commit is one of these {}; the others could not be judged:\n",
                about.len()
            );
            for commit in about {
                text += &format!(
                    "  {}  {}\n",
                    short(&commit.id),
                    foreign::line(&commit.subject)
                );
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_outside_only_show() {
        for word in exitlab_fixtures::hostile::WORDS {
            let commit = Commit {
                id: "b".repeat(40),
                subject: word.to_owned(),
                author: word.to_owned(),
                date: word.to_owned(),
            };
            let id = commit.id.clone();
            let tested = Tested {
                commit: id.clone(),
                subject: word.to_owned(),
                decision: Decision::Bad,
                why: word.to_owned(),
                results: None,
                kernels: Vec::new(),
            };
            let end = End::Found(id.clone());
            let lines = [
                found(&end, std::slice::from_ref(&commit)),
                found(&End::OneOf(vec![id]), &[commit]),
                line(&tested),
            ];
            let lines: Vec<&str> = lines.iter().flat_map(|text| text.lines()).collect();
            assert_eq!(lines.len(), 3 + 2 + 1, "{lines:?}");
            lines
                .into_iter()
                .for_each(exitlab_fixtures::hostile::assert_is_a_line);
        }
    }

    fn commit(id: char, subject: &str) -> Commit {
        Commit {
            id: id.to_string().repeat(40),
            subject: subject.to_owned(),
            author: "A. Developer <a@example.org>".to_owned(),
            date: "2026-01-02T03:04:05+01:00".to_owned(),
        }
    }

    #[test]
    fn what_was_found() {
        let commits = [commit('b', "kvm: halt later"), commit('a', "kvm: rename")];
        let ids: Vec<String> = commits.iter().map(|commit| commit.id.clone()).collect();
        let first = found(&End::Found(ids[0].clone()), &commits[..1]);
        let one_of = found(&End::OneOf(ids), &commits);
        insta::assert_snapshot!(first + "\n" + &one_of, @r"
        The first bad commit is bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          kvm: halt later
          by A. Developer <a@example.org>, 2026-01-02T03:04:05+01:00

        The first bad commit is one of these 2; the others could not be judged:
          bbbbbbbbbbbb  kvm: halt later
          aaaaaaaaaaaa  kvm: rename
        ");
    }

    #[test]
    fn what_is_said_of_a_commit() {
        let case = |outcome, detail: &str| Case {
            cell: "boot-vs-idle on tcg-svm".to_owned(),
            phase: "boot".to_owned(),
            rule: "CPUID: max_increase = 1 %".to_owned(),
            place: "gate.toml:3".to_owned(),
            outcome,
            details: vec![detail.to_owned()],
            counts: 1,
        };
        let judgement = |case| Judgement {
            rules: "gate.toml".to_owned(),
            base: None,
            head: "steps/2".to_owned(),
            compared: Vec::new(),
            cases: vec![case],
        };
        let build = Error::Build {
            stage: "kernel: compile".to_owned(),
            message: "`make bzImage` failed\n  a.c:1:1: error: expected ';'".to_owned(),
            tail: Vec::new(),
            cure: String::new(),
        };
        let tested = |decision, why| Tested {
            commit: "b".repeat(40),
            subject: "kvm: halt later".to_owned(),
            decision,
            why,
            results: None,
            kernels: Vec::new(),
        };
        let passed = because(&judgement(case(Outcome::Passed, "")));
        let failed = because(&judgement(case(Outcome::Failed, "588 → 1,588")));
        let undecided = because(&judgement(case(Outcome::Undecided, "too few repeats")));
        let lines = [
            line(&tested(Decision::Good, passed)),
            line(&tested(Decision::Bad, failed)),
            line(&tested(Decision::Skip, undecided)),
            line(&tested(Decision::Skip, does_not_build(&build))),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        bbbbbbbbbbbb is good: the gate passed, all 1 cases  (kvm: halt later)
        bbbbbbbbbbbb is bad: CPUID: max_increase = 1 % · boot: 588 → 1,588  (kvm: halt later)
        bbbbbbbbbbbb is skipped: the gate is undecided: CPUID: max_increase = 1 % · boot: too few repeats  (kvm: halt later)
        bbbbbbbbbbbb is skipped: it does not build: kernel: compile: `make bzImage` failed a.c:1:1: error: expected ';'  (kvm: halt later)
        ");
    }
}
