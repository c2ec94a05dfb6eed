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
fn judge(sets: &[&str]) -> (Report, Option<i32>) {
    let place = Place::new();
    let mut command = exitlab();
    command.args(["conformance", "--progress", "plain", "--format", "json"]);
    command.arg("--out").arg(place.path("out"));
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

fn assert_all_hold(sets: &[&str]) {
    let (report, code) = judge(sets);
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert_eq!(held, Rule::ALL, "{}", report.for_people());
    assert_eq!(code, Some(exit_code::SUCCESS.into()));
}

const BOCHS: &str = "platform=bochs-vmx";
const TCG: &str = "platform=tcg-svm";
const LINUX_6_1: &str = "kernel.source=debian:linux-source-6.1";

#[test]
fn every_rule_holds_on_vmx() {
    assert_all_hold(&[BOCHS]);
}

#[test]
fn every_rule_holds_on_svm() {
    assert_all_hold(&[TCG]);
}

#[test]
fn every_rule_holds_on_vmx_of_linux_6_1() {
    assert_all_hold(&[BOCHS, LINUX_6_1]);
}

#[test]
fn every_rule_holds_on_svm_of_linux_6_1() {
    assert_all_hold(&[TCG, LINUX_6_1]);
}

#[test]
fn a_kernel_without_the_census_is_recognised() {
    let (report, code) = judge(&[TCG, "kernel.census=false"]);
    let broken = rules_that(&report, |v| matches!(v, Verdict::Broken { .. }));
    assert_eq!(broken, [Rule::Present], "{}", report.for_people());
    let held = rules_that(&report, |v| matches!(v, Verdict::Holds { .. }));
    assert_eq!(held, []);
    assert_eq!(code, Some(exit_code::REGRESSION.into()));
}

/// What breaks a rule below is the mistake that was asked for, and not the patch.
#[test]
fn every_rule_holds_while_no_planted_mistake_is_made() {
    let [patches, fragments] = planted_kernel();
    assert_all_hold(&[TCG, &patches, &fragments]);
}

/// A kernel that makes one mistake breaks the rule that names the mistake, and no other.
fn assert_found(rule: Rule, sets: &[&str]) {
    let [patches, fragments] = planted_kernel();
    let mistake = format!("kvm.planted_mistake={}", rule.mistake().unwrap());
    let (report, code) = judge(&[&[&*patches, &fragments, &mistake], sets].concat());
    let broken = rules_that(&report, |v| matches!(v, Verdict::Broken { .. }));
    assert_eq!(broken, [rule], "{}", report.for_people());
    assert_eq!(code, Some(exit_code::REGRESSION.into()));
}

/// QEMU's SVM does not say where the next instruction is: KVM takes no fast path there.
#[test]
fn mistake_1_fast_paths_is_found() {
    assert_found(Rule::FastPaths, &[BOCHS]);
}

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
    assert_found(Rule::Range, &[BOCHS]);
}

#[test]
fn mistake_5_basic_reason_is_found() {
    assert_found(Rule::BasicReason, &[TCG]);
}

/// Two vCPUs must run at the same time for a count to be lost. Two emulated processors never
/// rest, not even while both wait: a slow host waits for fewer instructions.
#[test]
fn mistake_6_none_lost_is_found() {
    let sets = [
        BOCHS,
        "host.cpus=2",
        "host.instructions_per_second=50000000",
        "deadlines.silence=10m",
    ];
    assert_found(Rule::NoneLost, &sets);
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
    assert_found(Rule::Quiet, &[TCG]);
}

#[test]
fn mistake_10_cycles_is_found() {
    assert_found(Rule::Cycles, &[TCG]);
}
