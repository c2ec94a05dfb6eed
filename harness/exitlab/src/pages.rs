//! `report.html`: the page of a run, written last, so that it takes no room that a result
//! needs; and the page of a matrix.

use std::path::Path;

use exitlab_analysis::compare::Comparison;
use exitlab_analysis::reading::{Seen, Sight, look};
use exitlab_base::error::Result;
use exitlab_base::files::write_whole;
use exitlab_base::foreign::line;
use exitlab_model::layout::{COMPARISON, REPORT};
use exitlab_model::record::RunRecord;
use exitlab_report::Panel;

/// Writes the page of a run.
pub fn of_run(dir: &Path, record: &RunRecord) -> Result<()> {
    write_whole(&dir.join(REPORT), exitlab_report::run(record).as_bytes())
}

/// Writes the page of a matrix, and those of cells that were killed before they had theirs.
pub fn of_matrix(dir: &Path) -> Result<()> {
    let Sight::Several { title, runs, .. } = look(dir)? else {
        return Ok(());
    };
    for seen in &runs {
        if seen.dir.join(REPORT).exists() {
            continue;
        }
        if let Some(record) = seen.record()?.filter(|record| record.finished.is_some()) {
            of_run(&seen.dir, &record)?;
        }
    }
    let page = side_by_side(&title, &runs)?;
    write_whole(&dir.join(REPORT), page.as_bytes())
}

/// Writes the page of what differs between two sides, beside the results of both; returns a line
/// that says where it is, or why there is none.
pub fn of_sides(dir: &Path, comparison: &Comparison) -> String {
    let file = dir.join(COMPARISON);
    let page = exitlab_report::sides(comparison);
    match write_whole(&file, page.as_bytes()) {
        Ok(()) => format!("page: {}\n", line(&file.display().to_string())),
        Err(error) => format!(
            "no {COMPARISON}: {}; everything else is kept\n",
            line(&error.to_string())
        ),
    }
}

/// Several runs as a page. One record after another is read, and let go.
pub fn side_by_side(title: &str, runs: &[Seen]) -> Result<String> {
    let repeats = runs
        .iter()
        .any(|seen| repeat(seen).is_some_and(|repeat| repeat != "1"));
    let panel = |seen: &Seen| -> Result<Panel> {
        Ok(Panel::of(&name(seen, repeats), seen.record()?.as_ref()))
    };
    let panels: Vec<Panel> = runs.iter().map(panel).collect::<Result<_>>()?;
    Ok(exitlab_report::panels(title, &panels))
}

/// The repeat that a cell's name ends with.
fn repeat(seen: &Seen) -> Option<&str> {
    let repeat = seen.name.rsplit_once("r").map(|(_, repeat)| repeat);
    repeat.filter(|repeat| repeat.bytes().all(|b| b.is_ascii_digit()))
}

/// The values of a cell read better than its directory's name.
fn name(seen: &Seen, repeats: bool) -> String {
    if seen.values.is_empty() {
        return seen.name.clone();
    }
    let values = seen
        .values
        .iter()
        .map(|(key, value)| format!("{key} = {value}"));
    let repeat = repeat(seen).filter(|_| repeats);
    let repeat = repeat.map(|repeat| format!("repeat {repeat}"));
    values.chain(repeat).collect::<Vec<_>>().join(", ")
}

/// What is said where a page could not be written. Nothing else is lost.
pub fn sorry(dir: &Path, error: &exitlab_base::error::Error) -> String {
    format!(
        "no {REPORT}: {error}; everything else is kept, and `exitlab report {}` makes it",
        dir.display()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use exitlab_fixtures::runs::TCG_SVM;
    use exitlab_model::layout::RUN;

    #[test]
    fn a_page_that_cannot_be_written_takes_nothing_along() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(RUN), TCG_SVM).unwrap();
        // As a disk that is full: nothing can have that name.
        std::fs::create_dir_all(place.path().join(REPORT).join("in the way")).unwrap();
        let record: RunRecord = serde_json::from_str(TCG_SVM).unwrap();
        let error = of_run(place.path(), &record).unwrap_err();
        let said = sorry(place.path(), &error);
        assert!(
            said.starts_with("no report.html: ") && said.contains("failed to write"),
            "{said}"
        );
        let mut left: Vec<_> = std::fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [REPORT, RUN]);
        assert_eq!(
            std::fs::read_to_string(place.path().join(RUN)).unwrap(),
            TCG_SVM
        );
    }
}
