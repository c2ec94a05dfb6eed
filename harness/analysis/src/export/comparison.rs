//! A comparison for people and for programs. What the sides were made of comes first.

mod columns;
mod data;

pub use columns::{Column, columns};

use super::markdown::{aligned, items as list_items};
use super::moved;
use super::numbers::{counted, decimal};
use super::reasons::reason_title;
use super::terminal::ruled;
use crate::compare::{CellComparison, Comparison, Difference, Finding, Verdict};
use exitlab_base::foreign;
use exitlab_model::reasons::Isa;

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonFormat {
    /// For people.
    Table,
    /// For people, in a browser.
    Markdown,
    /// For spreadsheets: one line for each reason of each phase.
    Csv,
    /// For programs.
    Json,
}

/// Longest piece of a fact that a line shows; digests are told apart by less.
const FACT_CHARS: usize = 60;

/// The whole comparison. Tables show what is not equal; with `all` also what is.
pub fn comparison(comparison: &Comparison, format: ComparisonFormat, all: bool) -> String {
    match format {
        ComparisonFormat::Table => document(comparison, all, false),
        ComparisonFormat::Markdown => document(comparison, all, true),
        ComparisonFormat::Csv => data::csv(comparison),
        ComparisonFormat::Json => data::json(comparison),
    }
}

fn document(comparison: &Comparison, all: bool, markdown: bool) -> String {
    let [base, head] = &comparison.names;
    let mut sections = vec![match markdown {
        true => {
            let (base, head) = (foreign::markdown(base), foreign::markdown(head));
            format!("# VM exits: {base} against {head}\n\nBase: {base}. Head: {head}.")
        }
        false => {
            let (base, head) = (foreign::line(base), foreign::line(head));
            format!("base: {base}\nhead: {head}")
        }
    }];
    sections.extend(list("Not compared", &comparison.notes, markdown));
    for cell in &comparison.cells {
        sections.extend(cell_sections(cell, comparison, all, markdown));
    }
    sections.push(verdict(comparison));
    sections.join("\n\n") + "\n"
}

fn cell_sections(
    cell: &CellComparison,
    comparison: &Comparison,
    all: bool,
    markdown: bool,
) -> Vec<String> {
    let [base, head] = cell.repeats;
    let title = format!(
        "{}, channel {}: {} against {head}",
        cell.key,
        cell.channel,
        counted(base, "repeat")
    );
    let mut sections = vec![match markdown {
        true => format!("## {}", foreign::markdown(&title)),
        false => foreign::line(&title),
    }];
    let differences: Vec<String> = cell.differences.iter().map(difference).collect();
    sections.extend(list("Provenance differs", &differences, markdown));
    if differences.is_empty() {
        sections.push("Provenance is the same.".to_owned());
    }
    sections.extend(list("Note", &cell.notes, markdown));
    let shown: Vec<&Finding> = cell
        .findings
        .iter()
        .filter(|finding| all || !matches!(finding.verdict, Verdict::Same | Verdict::TooFew))
        .collect();
    if !shown.is_empty() {
        let columns = columns(cell, &shown);
        let titles: Vec<String> = columns.iter().map(|c| c.title.to_owned()).collect();
        let text: Vec<bool> = columns.iter().map(|c| c.text).collect();
        let rows: Vec<Vec<String>> = shown
            .iter()
            .flat_map(|finding| rows(finding, &columns, cell.isa))
            .collect();
        sections.push(match markdown {
            true => aligned(&titles, &text, &rows),
            false => ruled(titles, &text, rows.into_iter()).join("\n"),
        });
    }
    sections.extend((!all).then(|| left_out(cell, comparison)).flatten());
    let aside: Vec<String> = match all {
        true => Vec::new(),
        false => moved_within(cell),
    };
    sections.extend(list("Moved below counts that are equal", &aside, markdown));
    sections
}

/// The row of a finding, and what moved below it.
fn rows(finding: &Finding, columns: &[Column], isa: Isa) -> Vec<Vec<String>> {
    let own = columns.iter().map(|c| (c.cell)(finding, isa)).collect();
    let below = moved::rows(&finding.moved).into_iter();
    let below = below.map(|[what, base, head, change]| {
        let cell = |column: &Column| match column.title {
            "exit reason" => what.clone(),
            "base" => base.clone(),
            "head" => head.clone(),
            "change" => change.clone(),
            _ => String::new(),
        };
        columns.iter().map(cell).collect()
    });
    std::iter::once(own).chain(below).collect()
}

/// What moved where every exit counts, and the sum did not: a line for each reason.
pub fn moved_within(cell: &CellComparison) -> Vec<String> {
    let equal = cell.findings.iter().filter(|finding| {
        finding.verdict == Verdict::Same && cell.key.repeatable() && !finding.moved.is_empty()
    });
    let line = |finding: &Finding| {
        let title = reason_title(finding.reason, cell.isa);
        let moved = moved::moved_lines(&finding.moved).join("; ");
        format!("{}, {title}: {moved}", finding.phase)
    };
    equal.map(line).collect()
}

/// How many are left out of a table that does not show what is equal.
pub fn left_out(cell: &CellComparison, comparison: &Comparison) -> Option<String> {
    let count = |verdict| {
        cell.findings
            .iter()
            .filter(|f| f.verdict == verdict)
            .count()
    };
    let (same, few) = (count(Verdict::Same), count(Verdict::TooFew));
    let noun = if same + few < cell.findings.len() {
        "more count"
    } else {
        "count"
    };
    let mut parts = Vec::new();
    if same > 0 {
        parts.push(match cell.key.repeatable() {
            true => format!("{} equal", counted(same, noun)),
            false => format!(
                "{} without a difference that was found",
                counted(same, noun)
            ),
        });
    }
    if few > 0 {
        let least = comparison.settings.least_exits;
        parts.push(format!(
            "{} below {least} exits, not tested",
            counted(few, noun)
        ));
    }
    (!parts.is_empty()).then(|| format!("Not shown: {}.", parts.join("; ")))
}

/// What came of all of it, in one sentence or two.
pub fn verdict(comparison: &Comparison) -> String {
    let all = comparison.count(|_| true);
    let differs = comparison.count(|v| v == Verdict::Differs);
    let unequal = comparison.count(|v| v == Verdict::NotRepeatable);
    let open = comparison.count(|v| matches!(v, Verdict::Undecided { .. }));
    let mut sentences = vec![match differs {
        0 if open + unequal > 0 => "Verdict: no verdict".to_owned(),
        0 => format!("Verdict: no difference in {}", counted(all, "count")),
        n => format!(
            "Verdict: {n} of {} differ{}",
            counted(all, "count"),
            if n == 1 { "s" } else { "" }
        ),
    }];
    if unequal > 0 {
        sentences.push(format!("{unequal} differ between the repeats of one side"));
    }
    if open > 0 {
        sentences.push(format!("{open} are undecided: too few repeats"));
    }
    if comparison.tests > 0 {
        let level = comparison.settings.level * 100.0;
        sentences.push(format!(
            "{}, corrected by Holm's method at {} % for all of them together",
            counted(comparison.tests, "test"),
            decimal(level)
        ));
    }
    sentences.join(". ") + "."
}

fn list(title: &str, items: &[String], markdown: bool) -> Option<String> {
    if items.is_empty() {
        return None;
    }
    if markdown {
        return Some(format!("{title}:\n\n{}", list_items(items)));
    }
    let items = items
        .iter()
        .map(|item| format!("\n  {}", foreign::line(item)));
    Some(format!("{title}:{}", items.collect::<String>()))
}

/// In what the provenance of two sides differs, in a line.
pub fn difference(difference: &Difference) -> String {
    let short = |value: &Option<String>| match value {
        None => "(none)".to_owned(),
        // A digest: its beginning tells it apart.
        Some(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{}…", &text[..12])
        }
        Some(text) if text.chars().count() > FACT_CHARS => {
            text.chars().take(FACT_CHARS).collect::<String>() + "…"
        }
        Some(text) => text.clone(),
    };
    format!(
        "{}: {} → {}",
        difference.name,
        short(&difference.base),
        short(&difference.head)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::compare::fixture::{cell, cell_of, noisy, side};
    use crate::compare::{Settings, compare};
    use crate::figures::fixture::detailed;

    #[test]
    fn what_moved_stands_below_its_reason() {
        let (base, mut head) = (cell_of(&detailed()), cell_of(&detailed()));
        let boot = &mut head.phases[0];
        for (spelling, more) in [("write port 0x3f8", 8_723), ("read port 0x3fd", 9_550)] {
            let mut items = boot.below.0.iter_mut();
            let (_, tally) = items.find(|(item, _)| item.spelling == spelling).unwrap();
            tally.counts[0] += more;
            boot.reasons.get_mut(&30).unwrap().exits[0] += more;
        }
        // One leaf more, another less, and two that the kernel told nothing of.
        let mut leaves = boot.below.0.iter_mut();
        let mut leaves = leaves.by_ref().filter(|(item, _)| item.reason == 10);
        leaves.next().unwrap().1.counts[0] += 3;
        leaves.next().unwrap().1.counts[0] -= 3;
        boot.reasons.get_mut(&1).unwrap().exits[0] += 2;
        let found = compared(base, head);
        let table = comparison(&found, ComparisonFormat::Table, false);
        let (_, table) = table.split_once("Provenance is the same.").unwrap();
        insta::assert_snapshot!("moved", table);
        let markdown = comparison(&found, ComparisonFormat::Markdown, false);
        assert!(markdown.contains("· write port 0x3f8 (COM1)"), "{markdown}");
        let json = comparison(&found, ComparisonFormat::Json, false);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        insta::assert_snapshot!(
            "moved_json",
            format!("{:#}", json["cells"][0]["findings"][0]["below"])
        );
    }

    fn compared(base: crate::compare::CellCounts, head: crate::compare::CellCounts) -> Comparison {
        let compared = compare(&side("a", base), &side("b", head), &Settings::default());
        compared.expect("two cells of one platform")
    }

    #[test]
    fn one_exit_more_on_a_repeatable_platform() {
        let (base, mut head) = (cell(Isa::Vmx, false), cell(Isa::Vmx, false));
        let more = head.phases[0].reasons.get_mut(&10);
        more.expect("the fixture counts it").exits[0] += 1;
        head.facts
            .0
            .insert("guest image".to_owned(), "ab".repeat(32));
        let compared = compared(base, head);
        insta::assert_snapshot!(comparison(&compared, ComparisonFormat::Table, false));
        insta::assert_snapshot!(
            "markdown",
            comparison(&compared, ComparisonFormat::Markdown, false)
        );
        let csv = comparison(&compared, ComparisonFormat::Csv, false);
        assert_eq!(csv.lines().count(), 1 + compared.count(|_| true));
        insta::assert_snapshot!("csv", csv.lines().take(3).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn nothing_differs_and_repeats_that_do() {
        let equal = compared(cell(Isa::Svm, true), cell(Isa::Svm, true));
        insta::assert_snapshot!(comparison(&equal, ComparisonFormat::Table, false));
        let mut unequal = cell(Isa::Svm, true);
        let mut other = cell(Isa::Svm, true);
        let series = other.phases[1].reasons.get_mut(&0x72);
        series.expect("the fixture counts it").exits[0] += 2;
        unequal.absorb(other);
        let text = comparison(
            &compared(cell(Isa::Svm, true), unequal),
            ComparisonFormat::Table,
            false,
        );
        insta::assert_snapshot!("repeats", text);
    }

    #[test]
    fn noise() {
        let means = [400.0, 5_000.0, 8.0, 30_000.0];
        let more = [400.0, 5_500.0, 8.0, 30_050.0];
        let text = |repeats| {
            let base = noisy("a", &means, 0.0001, repeats);
            let compared = compared(base, noisy("b", &more, 0.0001, repeats));
            comparison(&compared, ComparisonFormat::Table, repeats > 5)
        };
        insta::assert_snapshot!("noise_decided", text(8));
        insta::assert_snapshot!("noise_undecided", text(2));
    }
}
