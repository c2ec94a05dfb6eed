//! Rules about what is below a reason, and what a verdict says of it.

use super::*;
use crate::compare::fixture::cell_of;
use crate::figures::fixture::{detailed, placed};

/// The fixture with more of something below a reason in phase `boot`, and of the reason.
fn with(base: &CellCounts, spelling: &str, exits: i64) -> CellCounts {
    let mut cell = base.clone();
    let boot = &mut cell.phases[0];
    let mut items = boot.below.0.iter_mut();
    let (item, tally) = items.find(|(item, _)| item.spelling == spelling).unwrap();
    let reason = item.reason;
    let grow = |count: &mut u64| *count = count.checked_add_signed(exits).unwrap();
    grow(&mut tally.counts[0]);
    grow(&mut boot.reasons.get_mut(&reason).unwrap().exits[0]);
    cell
}

fn ports(detail: &str, limit: &str) -> String {
    format!("[[rule]]\nreason = \"I/O instruction\"\ndetail = \"{detail}\"\n{limit}\n")
}

#[test]
fn a_failed_rule_says_what_moved() {
    let base = cell_of(&detailed());
    let head = with(&base, "write port 0x3f8", 8_723);
    let head = with(&head, "read port 0x3fd", 9_550);
    let content = "[[rule]]\nmax_increase = 0\nphase = \"boot\"\n[[rule]]\nreason = \"total\"\n\
                   max_increase = 0\nphase = \"boot\"\n[[rule]]\nclass = \"memory\"\nexact = true\n";
    let judgement = judged(content, base.clone(), head.clone());
    insta::assert_snapshot!("why", plain(&judgement));
    let junit = junit(&judgement).unwrap();
    assert!(
        junit.contains("  read port 0x3fd (COM1) +9,550; write port 0x3f8 (COM1) +8,723"),
        "{junit}"
    );
    let github = summary(&judgement);
    assert!(
        github.contains("read port 0x3fd \\(COM1\\) +9,550")
            || github.contains("read port 0x3fd (COM1) +9,550"),
        "{github}"
    );
    assert!(annotations(&judgement).contains("%0A  read port 0x3fd (COM1) +9,550"));
    let ktap = crate::export::ktap(&ktap_tests(&judgement));
    assert!(ktap.contains("read port 0x3fd (COM1) +9,550"), "{ktap}");
}

#[test]
fn a_name_that_both_instruction_sets_have_means_both() {
    for isa in [Isa::Vmx, Isa::Svm] {
        let cell = cell(isa, false);
        for (reason, of_svm) in [("I/O instruction", true), ("IO_INSTRUCTION", false)] {
            let content = format!("[[rule]]\nreason = \"{reason}\"\nexact = true\n");
            let judged = judged(&content, cell.clone(), cell.clone());
            let expected = match isa == Isa::Vmx || of_svm {
                true => Outcome::Passed,
                false => Outcome::Undecided,
            };
            assert_eq!(judged.outcome(), expected, "{reason} on {}", isa.name());
        }
    }
}

#[test]
fn a_base_without_details_is_named() {
    let head = cell_of(&detailed());
    let mut base = head.clone();
    base.told = Default::default();
    let told = plain(&judged(EXACT, base, head));
    let words = "the head has details (sampling.detail) and the base has none, so what moved below \
                 the reasons is not known; of a run that has them, save the baseline again";
    assert!(told.contains(words), "{told}");
}

#[test]
fn a_rule_can_be_about_a_detail() {
    let base = cell_of(&detailed());
    let head = with(&base, "write port 0x3f8", 100);
    let outcome = |detail: &str, limit: &str| {
        judged(&ports(detail, limit), base.clone(), head.clone()).outcome()
    };
    for spelling in [
        "write port 0x3f8",
        "port 0x3f8",
        "Port 0x03F8",
        "write port 0x3f8 (COM1)",
        " port 0x3f8  (com1) ",
    ] {
        assert_eq!(
            outcome(spelling, "max_increase = 99"),
            Outcome::Failed,
            "{spelling}"
        );
        assert_eq!(
            outcome(spelling, "max_increase = 100"),
            Outcome::Passed,
            "{spelling}"
        );
        assert_eq!(
            outcome(spelling, "exact = true"),
            Outcome::Failed,
            "{spelling}"
        );
    }
    assert_eq!(outcome("read port 0x3fd", "exact = true"), Outcome::Passed);
    assert_eq!(outcome("port 0x3fd", "max_exits = 899"), Outcome::Failed);
    assert_eq!(outcome("port 0x3fd", "max_exits = 900"), Outcome::Passed);
    let failed = judged(
        &ports("port 0x3f8", "max_decrease = 1"),
        head.clone(),
        base.clone(),
    );
    let line = "30 I/O instruction, port 0x3f8: 29147 → 29047, -100, -0.34 %: more than 1 fewer";
    assert!(plain(&failed).contains(line), "{}", plain(&failed));
}

#[test]
fn a_rule_can_be_about_a_place() {
    let base = cell_of(&placed());
    let head = with(&base, "io_serial_out [8250]", 50);
    let place = |place: &str, rest: &str| {
        let content = format!("[[rule]]\nplace = \"{place}\"\n{rest}\n");
        judged(&content, base.clone(), head.clone())
    };
    let failed = place("io_serial_out [8250]", "max_increase = 49");
    insta::assert_snapshot!("place", plain(&failed));
    let total = place(
        "io_serial_out [8250]",
        "reason = \"total\"\nmax_increase = 50",
    );
    assert_eq!(total.outcome(), Outcome::Passed);
    assert_eq!(
        place("user space", "exact = true").outcome(),
        Outcome::Passed
    );
    assert_eq!(
        place("0xFE05B", "max_exits = 10").outcome(),
        Outcome::Failed
    );
}

#[test]
fn what_is_not_there_is_no_mistake_of_a_highest_number() {
    let cell = cell_of(&detailed());
    let none = judged(
        &ports("write port 0x80", "max_exits = 0"),
        cell.clone(),
        cell.clone(),
    );
    assert_eq!(none.outcome(), Outcome::Passed);
    assert!(
        plain(&none).contains("there is no `write port 0x80` in this phase"),
        "{}",
        plain(&none)
    );
    let content = "[[rule]]\nreason = \"CPUID\"\ndetail = \"leaf 7.0\"\nmax_exits = 0\n";
    let error = refusal(content, Some(cell.clone()), cell);
    assert!(error.contains("no run has it"), "{error}");
}

#[test]
fn bad_details_and_places_are_told_with_what_is_near() {
    let (ports_of, places_of) = (cell_of(&detailed()), cell_of(&placed()));
    let plain_run = cell(Isa::Vmx, false);
    let both =
        |content: &str, cell: &CellCounts| refusal(content, Some(cell.clone()), cell.clone());
    let place = |place: &str| format!("[[rule]]\nplace = \"{place}\"\nexact = true\n");
    let mut nameless = places_of.clone();
    nameless.told.named = false;
    let mut untold = ports_of.clone();
    untold.told = Default::default();
    let detail = ports("port 0x3f8", "exact = true");
    for (base, head) in [(&plain_run, &ports_of), (&ports_of, &plain_run)] {
        let judgement = judged(&detail, base.clone(), head.clone());
        assert_eq!(
            judgement.outcome(),
            Outcome::Undecided,
            "another experiment"
        );
        assert!(
            plain(&judgement).contains("sampling.detail"),
            "{}",
            plain(&judgement)
        );
    }
    let texts = [
        both(&ports("port 0x3f9", "exact = true"), &ports_of),
        both(&ports("com1", "exact = true"), &ports_of),
        both(&ports("something else", "max_exits = 1"), &ports_of),
        both(&ports("leaf 0x0", "exact = true"), &ports_of),
        both(&detail, &plain_run),
        refusal(&detail, Some(untold), ports_of.clone()),
        both(&place("io_serial_in [8250]"), &places_of),
        both(&place("io_serial_out"), &ports_of),
        refusal(&place("io_serial_out [8250]"), Some(places_of), nameless),
        refused("[[rule]]\ndetail = \"port 0x3f8\"\nexact = true\n"),
        refused("[[rule]]\nreason = \"total\"\ndetail = \"port 0x3f8\"\nexact = true\n"),
        refused("[[rule]]\nreason = \"CPUID\"\ndetail = \" \"\nexact = true\n"),
        refused("[[rule]]\nreason = \"CPUID\"\ndetail = 5\nexact = true\n"),
        refused("[[rule]]\nplace = \"\"\nexact = true\n"),
        refused("[[rule]]\nplace = \"io_serial_out+0x10\"\nexact = true\n"),
        refused("[[rule]]\nreason = \"CPUID\"\nplace = \"x\"\ndetail = \"y\"\nexact = true\n"),
        refused("[[allow]]\ndetail = \"y\"\n[[rule]]\nexact = true\n"),
    ];
    insta::assert_snapshot!("bad_below", texts.join("\n"));
}
