//! `table.md`: the table for people, which reads as well unrendered.

use super::details::Part;
use super::grid::{self, Grid};
use super::numbers::counted;
use super::{details, durations, laws, sentences, time};
use crate::figures::{CountTable, Row, RunFigures};
use exitlab_base::foreign::markdown;
use exitlab_model::reasons::Isa;
use exitlab_model::record::ReasonStatus;

/// So many details of a reason are shown.
const TOP: usize = 10;

/// The whole document.
pub fn table_md(figures: &RunFigures) -> String {
    let mut sections = vec![heading(figures)];
    sections.extend(phases(&figures.table));
    sections.push(drawn(grid::full(&figures.table)));
    sections.extend(grid::left_out(figures.table.columns.len()));
    sections.extend(clocks(&figures.table));
    sections.extend(folded(&figures.table));
    sections.extend(spent(figures));
    sections.extend(took(figures));
    sections.extend(Part::ALL.iter().filter_map(|part| below(figures, *part)));
    sections.extend(list("Observations", sentences::observations(figures)));
    if let Some(checks) = &figures.checks {
        sections.extend(list("Checks", laws::checks(figures, checks)));
    }
    sections.extend(list("Cost of sampling", sentences::sampling(figures)));
    sections.extend(provenance(figures));
    sections.join("\n\n") + "\n"
}

fn heading(figures: &RunFigures) -> String {
    let title = markdown(&figures.subject.title);
    let mut text = format!("# {title}: VM exits by reason");
    if !figures.subject.facts.is_empty() {
        let facts: Vec<String> = figures.subject.facts.iter().map(|f| markdown(f)).collect();
        text += &format!("\n\n{}", facts.join(" · "));
    }
    text
}

fn drawn(grid: Grid) -> String {
    let total = grid.total.iter().map(|cell| match markdown(cell) {
        cell if cell.is_empty() => cell,
        cell => format!("**{cell}**"),
    });
    let mut rows: Vec<Vec<String>> = grid.rows.iter().map(|row| harmless(row)).collect();
    rows.push(total.collect());
    lined_up(&harmless(&grid.titles), &grid.text, &rows)
}

/// What each phase caused, if workloads ran; the counts follow under a title of their own.
fn phases(table: &CountTable) -> Option<String> {
    let grid = drawn(grid::phases(table)?);
    let lengths = grid::lengths(table);
    let lengths = lengths.map_or(String::new(), |text| format!("{}\n\n", markdown(&text)));
    Some(format!(
        "## Exits in each phase\n\n{grid}\n\n{lengths}## Counts at each sample"
    ))
}

/// Where the time went, if cycles were counted.
fn spent(figures: &RunFigures) -> Option<String> {
    let spent = figures.time.as_ref()?;
    let table = drawn(time::full(spent, figures.table.isa));
    let below = [
        time::explanations(spent),
        time::observations(spent, figures),
    ]
    .concat();
    Some(format!(
        "## {}\n\n{table}\n\n{}",
        time::TITLE,
        items(&below)
    ))
}

/// A part of what lies below the reasons, if it was counted.
fn below(figures: &RunFigures, part: Part) -> Option<String> {
    let found = part.of(figures.details.as_ref()?)?;
    let details::Top { titles, text, rows } = details::top(figures, found, part, (TOP, false));
    let table = aligned(&titles, &text, &rows);
    let below = items(&details::explanations(found, part));
    Some(format!("## {}\n\n{table}\n\n{below}", part.title()))
}

/// How long exits took, if that was taken: all phases, then each.
fn took(figures: &RunFigures) -> Option<String> {
    let found = figures.durations.as_ref()?;
    let mut sections = vec![format!("## {}", durations::TITLE)];
    let (whole, phases): (Vec<_>, Vec<_>) = found.spans.iter().partition(|span| span.is_whole());
    for span in whole.into_iter().chain(phases) {
        let details::Top { titles, text, rows } =
            durations::table(figures, span, usize::MAX, false);
        let title = markdown(&durations::span_title(figures, span));
        sections.push(format!("### {title}\n\n{}", aligned(&titles, &text, &rows)));
    }
    sections.push(items(&durations::explanations(found)));
    Some(sections.join("\n\n"))
}

/// When each sample was taken, if the clock is known.
fn clocks(table: &CountTable) -> Option<String> {
    let shown = grid::shown(table.columns.len()).into_iter();
    let moments = shown.map(|sample| {
        Some(format!(
            "{} at {:.3} s",
            markdown(&grid::sample_title(table, sample)),
            table.columns[sample].guest_s?
        ))
    });
    let moments: Vec<String> = moments.collect::<Option<_>>()?;
    (!moments.is_empty()).then(|| format!("Guest uptime: {}.", moments.join(" · ")))
}

/// Reasons that never happened, out of the way but not hidden.
fn folded(table: &CountTable) -> Option<String> {
    let never: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| row.never_happened())
        .collect();
    let group = |title, status| {
        let rows = never.iter().filter(|row| row.status == status);
        let names: Vec<String> = rows.map(|row| member(row, table.isa)).collect();
        (!names.is_empty()).then(|| format!("{title} ({}): {}.", names.len(), names.join(" · ")))
    };
    let groups = [
        group("Never happened", None),
        group("Enabled, never happened", Some(ReasonStatus::Enabled)),
        group("Not enabled", Some(ReasonStatus::NotEnabled)),
        group("Undefined", Some(ReasonStatus::Undefined)),
    ];
    let groups: Vec<String> = groups.into_iter().flatten().collect();
    (!groups.is_empty()).then(|| {
        let count = counted(never.len(), "reason number");
        let groups = groups.join("\n\n");
        format!("<details>\n<summary>{count} without exits</summary>\n\n{groups}\n\n</details>")
    })
}

fn member(row: &Row, isa: Isa) -> String {
    match row.status {
        Some(ReasonStatus::Undefined) => isa.label(row.reason),
        _ => markdown(&format!("{} {}", isa.label(row.reason), row.name)),
    }
}

fn list(title: &str, items: Vec<String>) -> Option<String> {
    (!items.is_empty()).then(|| format!("## {title}\n\n{}", self::items(&items)))
}

/// A list, an item a line.
pub(super) fn items(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| markdown(item)).collect();
    format!("- {}", items.join("\n- "))
}

fn provenance(figures: &RunFigures) -> Option<String> {
    let facts = &figures.subject.provenance;
    let rows: Vec<_> = facts
        .iter()
        .map(|(name, value)| vec![name.clone(), value.clone()])
        .collect();
    let titles = ["what", "which"].map(str::to_owned);
    (!rows.is_empty()).then(|| {
        format!(
            "## Provenance\n\n{}",
            aligned(&titles, &[true, true], &rows)
        )
    })
}

/// A Markdown table whose columns stand under one another; texts to the left, numbers
/// to the right.
pub(crate) fn aligned(titles: &[String], text: &[bool], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| harmless(row)).collect();
    lined_up(&harmless(titles), text, &rows)
}

/// Cells whose words are only seen.
fn harmless(cells: &[String]) -> Vec<String> {
    cells.iter().map(|cell| markdown(cell)).collect()
}

/// The same of cells that are Markdown already.
fn lined_up(titles: &[String], text: &[bool], rows: &[Vec<String>]) -> String {
    let lines = || std::iter::once(titles).chain(rows.iter().map(Vec::as_slice));
    let width = |at: usize| {
        lines()
            .map(|line| line[at].chars().count())
            .fold(3, usize::max)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .zip(text)
            .map(|((cell, &width), &is_text)| {
                if is_text {
                    format!(" {cell:<width$} ")
                } else {
                    format!(" {cell:>width$} ")
                }
            });
        format!("|{}|", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().zip(text).map(|(&width, &is_text)| {
        let dashes = "-".repeat(width + 1);
        if is_text {
            format!(":{dashes}")
        } else {
            format!("{dashes}:")
        }
    });
    let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
    let mut text = vec![line(titles), rule];
    text.extend(rows.iter().map(|row| line(row)));
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Subject, fixture};
    use exitlab_model::reasons::ReasonTable;

    #[test]
    fn table_of_a_run() {
        insta::assert_snapshot!(table_md(&RunFigures::of_record(
            &fixture::record(),
            ReasonTable::vmx()
        )));
    }

    #[test]
    fn table_with_cycles() {
        let record = fixture::record_of(Isa::Svm, true);
        insta::assert_snapshot!(table_md(&RunFigures::of_record(
            &record,
            ReasonTable::svm()
        )));
    }

    #[test]
    fn table_of_the_reference() {
        let subject = Subject {
            title: "original".to_owned(),
            ..Subject::default()
        };
        insta::assert_snapshot!(table_md(&RunFigures::of_table(
            subject,
            fixture::reference()
        )));
    }

    /// A heading is a place to link to.
    #[test]
    fn no_two_headings_are_equal() {
        let mut alike = fixture::timed();
        let last = alike.samples.last().unwrap().clone();
        for sample in &mut alike.samples {
            (sample.phase, sample.label) = (last.phase.clone(), last.label.clone());
        }
        let phases = fixture::record();
        for record in [alike, fixture::timed(), fixture::detailed(), phases] {
            let text = table_md(&RunFigures::of_record(&record, ReasonTable::vmx()));
            let headings: Vec<&str> = text.lines().filter(|l| l.starts_with('#')).collect();
            let different: std::collections::BTreeSet<_> = headings.iter().collect();
            assert_eq!(different.len(), headings.len(), "{headings:?}");
        }
    }

    #[test]
    fn cells_cannot_break_the_table() {
        let rows = [vec!["a\\|b".to_owned(), "1\n2".to_owned()]];
        let text = aligned(&["x".to_owned(), "y".to_owned()], &[true, false], &rows);
        let table = r"
            | x          |   y |
            |:-----------|----:|
            | a\\&#124;b | 1 2 |";
        let lines: Vec<&str> = table.lines().skip(1).map(str::trim).collect();
        assert_eq!(text, lines.join("\n"));
    }
}
