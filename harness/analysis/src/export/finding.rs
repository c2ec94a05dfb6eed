//! What a trial found of a rule, for people.

use super::ktap::{Result as KtapResult, Test};
use exitlab_base::foreign::line;
use exitlab_model::rule::{Finding, Verdict};

/// Columns of a line that is read on a terminal.
const WIDTH: usize = 100;

/// A finding in one line.
pub fn finding_line(finding: &Finding) -> String {
    let rule = finding.rule;
    let mark = match finding.verdict {
        Verdict::Holds { .. } => '✓',
        Verdict::Broken { .. } => '✗',
        Verdict::NotJudged { .. } => '–',
    };
    format!("{mark} {:<13} {}", rule.name(), rule.demand())
}

/// What was seen; for a broken rule also what mistake it looks like.
pub fn finding_details(finding: &Finding) -> String {
    let indented = |label: &str, text: &str| wrapped(&format!("{label}{}", line(text)));
    match &finding.verdict {
        Verdict::Holds { seen } => indented("", seen),
        Verdict::NotJudged { because } => indented("not judged: ", because),
        Verdict::Broken { seen, .. } => {
            let mistake = finding.mistake();
            let number = mistake.map_or(String::new(), |number| format!(" (mistake {number})"));
            // What was seen does not always tell what was done.
            let like = finding.looks_like();
            let like = like.map(|like| indented("looks like: ", &format!("{like}{number}")));
            indented("seen: ", seen) + &like.unwrap_or_default()
        }
    }
}

/// A finding as a test of KTAP.
pub fn finding_test(finding: &Finding) -> Test {
    let mut details = vec![finding.rule.demand().to_owned()];
    let result = match &finding.verdict {
        Verdict::Holds { seen } => {
            details.push(seen.clone());
            KtapResult::Ok
        }
        Verdict::Broken { seen, .. } => {
            details.push(format!("seen: {seen}"));
            let like = finding.looks_like();
            details.extend(like.map(|like| format!("looks like: {like}")));
            KtapResult::NotOk
        }
        Verdict::NotJudged { because } => KtapResult::Skipped(because.clone()),
    };
    Test {
        name: finding.rule.name().to_owned(),
        result,
        details,
        inner: Vec::new(),
    }
}

/// Indented lines of at most [`WIDTH`] columns, broken at spaces.
fn wrapped(text: &str) -> String {
    const INDENT: &str = "                ";
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let room = WIDTH - INDENT.len();
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > room
        {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
        .iter()
        .map(|line| format!("{INDENT}{line}\n"))
        .collect()
}
