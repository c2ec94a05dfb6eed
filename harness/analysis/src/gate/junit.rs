//! JUnit XML: a suite for each cell, a case for each rule and phase. JUnit knows no
//! undecided; it knows errors, tests that could not come to a result: that is what an
//! undecided case is.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::judgement::{Case, Judgement, Outcome};
use exitlab_base::foreign::{line, paragraph};

/// The document.
///
/// # Errors
///
/// If it cannot be written as XML.
pub fn junit(judgement: &Judgement) -> Result<String, SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for case in &judgement.cases {
        let suite = suites
            .entry(&case.cell)
            .or_insert_with(|| TestSuite::new(line(&case.cell)));
        suite.add_test_case(test_case(case));
    }
    let mut report = Report::new("exitlab gate");
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn test_case(case: &Case) -> TestCase {
    let mut status = match case.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Undecided => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let details: Vec<String> = case.details.iter().map(|detail| line(detail)).collect();
    let all = paragraph(&details.join("\n"));
    if case.outcome != Outcome::Passed {
        let first = details.first().cloned().unwrap_or_default();
        status
            .set_type(case.outcome.word())
            .set_message(first)
            .set_description(all.clone());
    }
    let title = line(&format!("{}: {}", case.rule, case.phase));
    let mut test = TestCase::new(title, status);
    test.set_classname(line(&case.cell));
    let out = match case.outcome {
        Outcome::Passed => format!(
            "{}: {} counts judged\n{all}",
            line(&case.place),
            case.counts
        ),
        _ => line(&case.place),
    };
    test.set_system_out(out);
    test
}
