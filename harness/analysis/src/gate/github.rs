//! What GitHub Actions shows: a summary in Markdown, and a line for each case that did not
//! pass (docs.github.com, "Workflow commands for GitHub Actions").

use std::io::Write;
use std::path::Path;

use super::judgement::{Judgement, Outcome};
use super::plain::sentence;
use crate::export::aligned;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::{data, markdown, property};

/// Writes both where GitHub asks for them: the summary if `GITHUB_STEP_SUMMARY` names a
/// file, the lines by `print` if `GITHUB_ACTIONS` is `true`.
pub fn tell(judgement: &Judgement, print: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    if let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) {
        append(Path::new(&file), &summary(judgement))?;
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        print(&annotations(judgement))?;
    }
    Ok(())
}

/// Other steps of the job write to the same file.
fn append(path: &Path, text: &str) -> Result<()> {
    let open = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    let mut file = open.map_err(Error::io("open", path))?;
    file.write_all(text.as_bytes())
        .map_err(Error::io("write", path))
}

/// The verdict, a table of what did not pass, and all cases folded away.
pub fn summary(judgement: &Judgement) -> String {
    let titles = ["verdict", "rule", "phase", "cell", "what"].map(str::to_owned);
    let rows = |passed: bool| -> Vec<Vec<String>> {
        let cases = judgement
            .cases
            .iter()
            .filter(|c| (c.outcome == Outcome::Passed) == passed);
        let row = |case: &super::Case| {
            vec![
                case.outcome.word().to_owned(),
                case.rule.clone(),
                case.phase.clone(),
                case.cell.clone(),
                case.details.join("; "),
            ]
        };
        cases.map(row).collect()
    };
    let (open, passed) = (rows(false), rows(true));
    let mut sections = vec![
        format!("## VM exits: {}", judgement.outcome().word()),
        markdown(&sentence(judgement)),
    ];
    sections.extend(judgement.compared.iter().map(|line| markdown(line)));
    if !open.is_empty() {
        sections.push(aligned(&titles, &[true; 5], &open));
    }
    if !passed.is_empty() {
        let table = aligned(&titles, &[true; 5], &passed);
        let count = passed.len();
        sections.push(format!(
            "<details>\n<summary>{count} passed</summary>\n\n{table}\n\n</details>"
        ));
    }
    sections.join("\n\n") + "\n\n"
}

/// `::error file=gate.toml,line=12,title=…::…` for each case that failed, `::warning` for
/// each that is undecided.
pub fn annotations(judgement: &Judgement) -> String {
    let cases = judgement.cases.iter();
    let lines = cases.filter_map(|case| {
        let command = match case.outcome {
            Outcome::Passed => return None,
            Outcome::Failed => "error",
            Outcome::Undecided => "warning",
        };
        let (file, line) = case.place.rsplit_once(':').unwrap_or((&case.place, "1"));
        let title = format!("{}: {} ({})", case.rule, case.phase, case.cell);
        Some(format!(
            "::{command} file={},line={line},title={}::{}\n",
            property(file),
            property(&title),
            data(&case.details.join("\n"))
        ))
    });
    lines.collect()
}
