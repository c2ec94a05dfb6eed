//! The conformance suite itself: it must pass the census that exitlab builds, and find
//! each mistake that was planted.
//!
//! The kernels come from the cache, where `scripts/test` has put them.

use exitlab::conformance::Report;
use exitlab_base::error::exit_code;
use exitlab_model::rule::{Rule, Verdict};

use crate::rig::planted_kernel;
use crate::support::{Outcome, Place, exitlab};

/// Judges a kernel, and returns the findings with the exit code.
fn judge(arguments: &[&str], sets: &[&str]) -> (Report, Option<i32>) {
    let place = Place::new();
    let mut command = exitlab();
    command.args(["conformance", "--progress", "plain", "--format", "json"]);
    command.arg("--out").arg(place.path("out")).args(arguments);
    for set in sets {
        command.args(["--set", set]);
    }
    let outcome: Outcome = command.output().unwrap().into();
    place.assert_deserted();
    let report = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|e| panic!("no report ({e}):\n{}", outcome.stderr));
    (report, outcome.code)
}

fn rules_that(report: &Report, is: fn(&Verdict) -> bool) -> Vec<Rule> {
    let those = report.findings.iter().filter(|f| is(&f.verdict));
    those.map(|finding| finding.rule).collect()
}

fn assert_all_hold(arguments: &[&str], sets: &[&str]) {
    let (report, code) = judge(arguments, sets);
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert_eq!(held, Rule::ALL, "{}", report.for_people());
    assert_eq!(code, Some(exit_code::SUCCESS.into()));
}

const BOCHS: &str = "platform=bochs-vmx";
const TCG: &str = "platform=tcg-svm";
const LINUX_6_1: &str = "kernel.source=debian:linux-source-6.1";

/// Every rule, and an eighth of what is tried thousands of times. What this finds, a whole trial
/// finds. That a mistake breaks nothing that only a whole trial sees, is tried with pairs, and of
/// most that are in none by a whole trial of their own.
const QUICK: [&str; 1] = ["--quick"];
const WHOLE: [&str; 0] = [];

#[test]
fn every_rule_holds_on_vmx() {
    assert_all_hold(&WHOLE, &[BOCHS]);
}

#[test]
fn every_rule_holds_on_svm() {
    assert_all_hold(&WHOLE, &[TCG]);
}

#[test]
fn every_rule_holds_on_vmx_of_linux_6_1() {
    assert_all_hold(&WHOLE, &[BOCHS, LINUX_6_1]);
}

#[test]
fn every_rule_holds_on_svm_of_linux_6_1() {
    assert_all_hold(&WHOLE, &[TCG, LINUX_6_1]);
}

#[test]
fn a_kernel_without_the_census_is_recognised() {
    let (report, code) = judge(&WHOLE, &[TCG, "kernel.census=false"]);
    let broken = rules_that(&report, |v| matches!(v, Verdict::Broken { .. }));
    assert_eq!(broken, [Rule::Present], "{}", report.for_people());
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert_eq!(held, []);
    assert_eq!(code, Some(exit_code::REGRESSION.into()));
}

/// What breaks a rule below is the mistake that was asked for, and not the patch. The kernel's
/// code is read, and what is patched out of it is not executed.
#[test]
fn every_rule_holds_while_no_planted_mistake_is_made() {
    let [patches, fragments] = planted_kernel();
    for platform in [TCG, BOCHS] {
        let (report, code) = judge(&QUICK, &[platform, &patches, &fragments]);
        let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
        assert_eq!(held, Rule::ALL, "{}", report.for_people());
        assert_eq!(code, Some(exit_code::SUCCESS.into()));
        let seen = |rule| seen(&report, rule);
        let read = "no plain increment of what is shared";
        assert!(
            seen(Rule::NoneLost).contains(read),
            "{}",
            report.for_people()
        );
        let read = "no allocation in the kernel's code";
        assert!(seen(Rule::Quiet).contains(read), "{}", report.for_people());
        assert!(report.quick && seen(Rule::Range).starts_with("18884 readings"));
    }
}

/// What was seen of a rule.
fn seen(report: &Report, rule: Rule) -> String {
    let mut findings = report.findings.iter();
    let finding = findings.find(|finding| finding.rule == rule).unwrap();
    match &finding.verdict {
        Verdict::Holds { seen } | Verdict::Broken { seen, .. } => seen.clone(),
        Verdict::NotJudged { because } => because.clone(),
    }
}

/// What a kernel is told: each broken rule with the mistake that its hint names.
type Told<'a> = &'a [(Rule, Option<u8>)];

/// A kernel that makes these mistakes is told just that: these rules are broken and no others,
/// with the hints that belong to them, and evidence that holds the words.
fn assert_told(mistakes: &str, told: Told<'_>, words: &[&str], sets: &[&str]) -> Report {
    assert_told_as(&QUICK, mistakes, told, words, sets)
}

fn assert_told_as(
    arguments: &[&str],
    mistakes: &str,
    told: Told<'_>,
    words: &[&str],
    sets: &[&str],
) -> Report {
    let [patches, fragments] = planted_kernel();
    let mistake = format!("kvm.planted_mistake={mistakes}");
    let sets = [&[&*patches, &fragments, &mistake], sets].concat();
    let (report, code) = judge(arguments, &sets);
    let people = report.for_people();
    let broken = report.findings.iter();
    let broken = broken.filter(|found| matches!(found.verdict, Verdict::Broken { .. }));
    let mut broken: Vec<_> = broken.map(|found| (found.rule, found.mistake())).collect();
    let mut told = told.to_vec();
    broken.sort_unstable();
    told.sort_unstable();
    assert_eq!(broken, told, "mistakes {mistakes}:\n{people}");
    assert_eq!(code, Some(exit_code::REGRESSION.into()));
    assert_eq!(report.findings.len(), Rule::ALL.len(), "{people}");
    let text = people.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(text.contains(word), "'{word}' in\n{people}");
    }
    report
}

/// A kernel that makes one of the ten mistakes breaks the rule that names the mistake, and no
/// other; the hint has its number.
fn assert_found(rule: Rule, sets: &[&str]) {
    assert_found_by(&QUICK, rule, sets);
}

fn assert_found_by(arguments: &[&str], rule: Rule, sets: &[&str]) {
    let number = rule.mistake().unwrap();
    let told = [(rule, Some(number))];
    assert_told_as(arguments, &number.to_string(), &told, &[], sets);
}

/// QEMU's SVM does not say where the next instruction is: KVM takes no fast path there.
#[test]
fn mistake_1_fast_paths_is_found() {
    assert_found(Rule::FastPaths, &[BOCHS]);
}

/// On Intel's processor with mistake 1, and with an odd table.
#[test]
fn mistake_2_shortcuts_is_found() {
    assert_found(Rule::Shortcuts, &[TCG]);
}

#[test]
fn mistake_3_registers_is_found() {
    assert_found(Rule::Registers, &[TCG]);
}

/// SVM's codes are sparse: there an index that is not checked shows with defined codes.
#[test]
fn mistake_4_range_is_found() {
    assert_found_by(&WHOLE, Rule::Range, &[BOCHS]);
}

/// Bit 31 is a word of VMX, where it is found with an old table, which is no mistake.
#[test]
fn mistake_5_basic_reason_is_found() {
    let told = [(Rule::BasicReason, Some(5))];
    let report = assert_told_as(&WHOLE, "5", &told, &["VMEXIT_INVALID"], &[TCG]);
    assert!(
        !report.for_people().contains("bit 31"),
        "{}",
        report.for_people()
    );
}

/// Two vCPUs must run at the same time for a count to be lost. Two emulated processors never
/// rest, not even while both wait: a slow host waits for fewer instructions.
const TWO: [&str; 4] = [
    BOCHS,
    "host.cpus=2",
    "host.instructions_per_second=50000000",
    "deadlines.silence=10m",
];

#[test]
fn mistake_6_none_lost_is_found() {
    assert_found(Rule::NoneLost, &TWO);
}

#[test]
fn mistake_7_per_vm_is_found() {
    assert_found(Rule::PerVm, &[TCG]);
}

#[test]
fn mistake_8_answers_is_found() {
    assert_found(Rule::Answers, &[TCG]);
}

#[test]
fn mistake_9_quiet_is_found() {
    assert_found_by(&WHOLE, Rule::Quiet, &[TCG]);
}

#[test]
fn mistake_10_cycles_is_found() {
    assert_found(Rule::Cycles, &[TCG]);
}

/// Three forms at once, of which each breaks a rule of its own, on either processor: what a
/// leaf answers that is none differs, and so does the code that is read.
#[test]
fn forms_in_the_code_in_a_leaf_and_in_the_array_are_told_apart() {
    // `array[i]++` is one instruction: emulated processors never lose a count by it. Of the VM
    // or of all: the planted kernel has the code of both.
    let never = "0x4fffffff (the totals) answers what CPUID answers for a leaf that nobody";
    let increment = ["adds to a variable of the ", "without lock"];
    let short = ["62", "rose by"];
    let told = [
        (Rule::NoneLost, Some(6)),
        (Rule::Leaves, None),
        (Rule::Range, Some(4)),
    ];
    let words = [&[never][..], &increment, &short].concat();
    assert_told("11,14,17", &told, &words, &[BOCHS]);
    let told = [
        (Rule::Quiet, Some(9)),
        (Rule::Leaves, None),
        (Rule::Registers, Some(3)),
    ];
    let words = ["kvm_exit_census_waste calls ", never, "with ecx 0x5"];
    assert_told("13,14,22", &told, &words, &[TCG]);
}

#[test]
fn lines_on_each_reading_are_a_flood_and_no_death() {
    let told = [(Rule::Quiet, Some(9))];
    assert_told("20", &told, &["during 50 readings"], &[TCG]);
}

/// The host has one processor, which the loop keeps: nobody is left to tell.
#[test]
fn a_loop_without_end_is_a_finding_with_all_that_was_judged_before() {
    // A host that is slow, as one in a loop is on TCG, has ten times as long.
    let sets = [TCG, "deadlines.silence=1s"];
    let report = assert_told("15", &[(Rule::Leaves, None)], &["silent"], &sets);
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert_eq!(held, [Rule::Present]);
    assert!(seen(&report, Rule::Totals).contains("fell silent in rule 'leaves'"));
}

/// A host that lives is judged on, with new VMs, and is not asked for what did it harm.
#[test]
fn a_null_pointer_is_told_with_its_place_and_the_rest_is_judged() {
    let words = [
        "NULL pointer",
        "looks like: a null pointer that is followed",
    ];
    let report = assert_told("16", &[(Rule::Leaves, None)], &words, &[TCG]);
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert!(held.len() >= 14, "{}", report.for_people());
}

/// Neither is what its rule is about most often: a total without a number, a total of cycles
/// that is not one of swapped registers.
#[test]
fn totals_of_their_own_are_told_as_what_they_are() {
    let told = [(Rule::Totals, None), (Rule::PerVm, Some(7))];
    let words = ["the total rose by", "cycles old reads"];
    assert_told("18,19", &told, &words, &[TCG]);
}

/// The table of the assignment is a manual's, an odd one is a mild mistake of its own; neither
/// hides another mistake.
#[test]
fn an_old_or_odd_table_hides_nothing() {
    let old = ["the 65 reasons of the SDM of 2020"];
    assert_told("12,5", &[(Rule::BasicReason, Some(5))], &old, &[BOCHS]);
    let odd = ["answered as undefined, but defined: 65, 69, 70, 75, 76"];
    let told = [
        (Rule::ReasonTable, None),
        (Rule::Totals, None),
        (Rule::Shortcuts, Some(2)),
    ];
    assert_told("23,18,2", &told, &odd, &[BOCHS]);
}

/// What an assignment does not demand is no mistake where it is judged by its own form.
#[test]
fn a_form_of_the_assignment_is_judged_by_what_it_demands() {
    let profile = ["--profile", "totals", "--quick"];
    let sets = [TCG, "host.cmdline=kvm.exit_census_leaf_map=2"];
    let (report, code) = judge(&profile, &sets);
    let broken = rules_that(&report, |v| matches!(v, Verdict::Broken { .. }));
    assert_eq!(broken, [], "{}", report.for_people());
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert!(held.len() >= 10, "{}", report.for_people());
    assert_eq!(code, Some(exit_code::SUCCESS.into()));
    let profile = ["--profile", "map-1"];
    let told = [(Rule::Cycles, Some(10))];
    let words = ["counters of all VMs together, which this form allows"];
    assert_told_as(&profile, "7,10", &told, &words, &[TCG]);
}

/// Some pairs of the ten in whole trials; `scripts/every-pair` tries all.
#[test]
fn two_mistakes_are_told_as_two() {
    let told = [(Rule::FastPaths, Some(1)), (Rule::Shortcuts, Some(2))];
    assert_told_as(&WHOLE, "1,2", &told, &[], &[BOCHS]);
    let told = [(Rule::Registers, Some(3)), (Rule::Answers, Some(8))];
    assert_told_as(&WHOLE, "3,8", &told, &[], &[TCG]);
    let told = [(Rule::PerVm, Some(7)), (Rule::NoneLost, Some(6))];
    let words = ["adds to a variable of the ", "without lock"];
    assert_told_as(&WHOLE, "7,11", &told, &words, &[TCG]);
}
