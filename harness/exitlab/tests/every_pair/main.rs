//! Every two of the ten mistakes are told as two: forty-five kernels are judged, and of each
//! just the two rules are broken, with the two hints. `scripts/every-pair` runs it; three pairs
//! are tried with every test (`first::conformance::two_mistakes_are_told_as_two`).
//!
//! A pair has a host of its own, as a teacher's kernels have: mistakes that were switched in
//! one booted kernel would find what others have left there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of the tests that reports to the terminal"
)]

#[path = "../end_to_end/rig/planted.rs"]
mod planted;

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use exitlab::conformance::Report;
use exitlab_base::error::exit_code;
use exitlab_model::rule::{Rule, Verdict};

/// Intel's processor alone shows 1, and 4 as what it is.
const OF_VMX: [u8; 2] = [1, 4];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let every = (1..=10).flat_map(|one| (one + 1..=10).map(move |other| [one, other]));
    let name = |pair: &[u8; 2]| format!("{},{}", pair[0], pair[1]);
    let pairs: Vec<_> = every
        .filter(|pair| words.is_empty() || words.contains(&name(pair)))
        .collect();
    if pairs.is_empty() {
        println!("no pair of the ten is called that\n  cure: as in '3,7', the lower number first");
        return ExitCode::from(exit_code::CONFIG);
    }
    let mut wrong = 0;
    for pair in &pairs {
        let started = Instant::now();
        let told = judge(*pair);
        let seconds = started.elapsed().as_secs();
        match told {
            Ok(()) => println!(
                "✓ {:>5} on {:<9} {seconds:>4} s",
                name(pair),
                platform(*pair)
            ),
            Err(why) => {
                wrong += 1;
                println!(
                    "✗ {:>5} on {:<9} {seconds:>4} s\n{why}",
                    name(pair),
                    platform(*pair)
                );
            }
        }
    }
    println!(
        "\n{} of {} pairs are told as two",
        pairs.len() - wrong,
        pairs.len()
    );
    match wrong {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn platform(pair: [u8; 2]) -> &'static str {
    match pair.iter().any(|mistake| OF_VMX.contains(mistake)) {
        true => "bochs-vmx",
        false => "tcg-svm",
    }
}

/// Has a kernel judged that makes both mistakes; what is not as it must be.
fn judge(pair: [u8; 2]) -> Result<(), String> {
    let place = tempfile::Builder::new().prefix("exitlab-test-").tempdir();
    let place = place.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_exitlab"));
    command.stdin(Stdio::null());
    command.args(["conformance", "--progress", "plain", "--format", "json"]);
    command.args(["--platform", platform(pair), "--out"]);
    command.arg(place.path().join("out"));
    // 6 in the form that shows on one processor.
    let planted = pair.map(|mistake| if mistake == 6 { 11 } else { mistake });
    let mistakes = format!("kvm.planted_mistake={},{}", planted[0], planted[1]);
    for set in planted::planted_kernel().iter().chain([&mistakes]) {
        command.args(["--set", set]);
    }
    let output = command.output().unwrap();
    let report: Report = serde_json::from_slice(&output.stdout).map_err(|e| {
        format!(
            "no report ({e}): {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;

    let found = report.findings.iter();
    let broken = found.filter(|found| matches!(found.verdict, Verdict::Broken { .. }));
    let mut broken: Vec<_> = broken.map(|found| (found.rule, found.mistake())).collect();
    let mut told = pair
        .map(|mistake| (rule_of(mistake), Some(mistake)))
        .to_vec();
    broken.sort_unstable();
    told.sort_unstable();
    let ends = output.status.code() == Some(exit_code::REGRESSION.into());
    let all = report.findings.len() == Rule::ALL.len();
    (broken == told && ends && all)
        .then_some(())
        .ok_or_else(|| {
            format!(
                "{}, and not just these two:\n{}",
                output.status,
                report.for_people()
            )
        })
}

fn rule_of(mistake: u8) -> Rule {
    let mut rules = Rule::ALL.into_iter();
    rules.find(|rule| rule.mistake() == Some(mistake)).unwrap()
}
