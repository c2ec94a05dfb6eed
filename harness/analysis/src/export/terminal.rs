//! The table for standard output: the reasons that happened, then the observations.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, TableStyle};

use super::grid::{self, Grid};
use super::{details, durations, laws, sentences, time};
use crate::figures::RunFigures;
use exitlab_base::foreign::{cell, line};

/// So many details of a reason are shown.
const TOP: usize = 3;

/// So many reasons are shown with how long they took.
const LONGEST: usize = 8;

/// Table, observations, and what came of the checks. No colour, and the same for
/// every terminal.
pub fn terminal_table(figures: &RunFigures) -> String {
    let mut sections = match grid::phases(&figures.table) {
        Some(phases) => {
            let lengths = grid::lengths(&figures.table);
            let lengths = lengths.map(|lengths| line(&lengths));
            std::iter::once(drawn(phases)).chain(lengths).collect()
        }
        None => vec![drawn(grid::compact(&figures.table))],
    };
    let never = figures
        .table
        .rows
        .iter()
        .filter(|row| row.never_happened())
        .count();
    if never > 0 {
        sections.push(format!("{never} reason numbers had no exits."));
    }
    if let Some(spent) = &figures.time {
        let below = lines(&time::explanations(spent));
        let grid = drawn(time::compact(spent, figures.table.isa));
        sections.push(format!("{}\n\n{grid}\n\n{below}", time::TITLE));
    }
    sections.extend(took(figures));
    for part in details::Part::ALL {
        let Some(found) = figures.details.as_ref().and_then(|found| part.of(found)) else {
            continue;
        };
        let details::Top { titles, text, rows } = details::top(figures, found, part, (TOP, true));
        let top = ruled(titles, &text, rows.into_iter()).join("\n");
        let below = details::explanations(found, part);
        sections.push(format!("{}\n\n{top}\n\n{}", part.title(), lines(&below)));
    }
    let mut observations = sentences::observations(figures);
    observations.extend(
        figures
            .time
            .iter()
            .flat_map(|t| time::observations(t, figures)),
    );
    sections.push(lines(&observations));
    let checks = figures.checks.as_ref();
    sections.extend(checks.map(|checks| lines(&laws::checks(figures, checks))));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

/// How long exits took, if that was taken.
fn took(figures: &RunFigures) -> Option<String> {
    let found = figures.durations.as_ref()?;
    let below = durations::explanations(found);
    let table = found.whole().map(|span| {
        let details::Top { titles, text, rows } = durations::table(figures, span, LONGEST, true);
        ruled(titles, &text, rows.into_iter()).join("\n") + "\n\n"
    });
    let table = table.unwrap_or_default();
    Some(format!("{}\n\n{table}{}", durations::TITLE, lines(&below)))
}

/// Sentences, a line each, whatever names of phases and commands are in them.
fn lines(sentences: &[String]) -> String {
    let lines: Vec<String> = sentences.iter().map(|words| line(words)).collect();
    lines.join("\n")
}

fn drawn(grid: Grid) -> String {
    let rows = grid.rows.into_iter().chain([grid.total]);
    let mut lines = ruled(grid.titles, &grid.text, rows);
    // The rule under the titles also sets the total apart.
    if let Some(rule) = lines.get(1).cloned() {
        lines.insert(lines.len() - 1, rule);
    }
    lines.join("\n")
}

/// Titles, a rule, and rows, without colour and without wrapping; `text` columns stand to
/// the left. A cell is short, and does nothing but show.
pub(super) fn ruled(
    titles: Vec<String>,
    text: &[bool],
    rows: impl Iterator<Item = Vec<String>>,
) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(UTF8_HORIZONTAL_ONLY.top_border))
        .set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    let row = |cells: Vec<String>| -> Vec<Cell> {
        let cells = cells.into_iter().zip(text);
        cells
            .map(|(words, text)| Cell::new(cell(&words)).set_alignment(alignment(*text)))
            .collect()
    };
    table.set_header(row(titles));
    for cells in rows {
        table.add_row(row(cells));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn alignment(text: bool) -> CellAlignment {
    if text {
        CellAlignment::Left
    } else {
        CellAlignment::Right
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Subject, fixture};
    use exitlab_model::reasons::{Isa, ReasonTable};

    #[test]
    fn terminal_of_a_run() {
        let figures = RunFigures::of_record(&fixture::record(), ReasonTable::vmx());
        insta::assert_snapshot!(terminal_table(&figures));
    }

    #[test]
    fn terminal_with_cycles() {
        for isa in [Isa::Vmx, Isa::Svm] {
            let record = fixture::record_of(isa, true);
            let text = terminal_table(&RunFigures::of_record(&record, ReasonTable::of(isa)));
            // Sentences wrap; tables must not.
            let rules = text.lines().filter(|line| line.starts_with('─'));
            assert!(
                rules.map(|line| line.chars().count()).all(|n| n <= 100),
                "{text}"
            );
            insta::assert_snapshot!(isa.name(), text);
        }
    }

    #[test]
    fn terminal_of_the_reference() {
        let figures = RunFigures::of_table(Subject::default(), fixture::reference());
        insta::assert_snapshot!(terminal_table(&figures));
    }
}
