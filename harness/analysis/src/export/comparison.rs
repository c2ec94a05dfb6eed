//! A comparison for people and for programs. What the sides were made of comes first.

mod data;

use super::markdown::{aligned, items as list_items};
use super::numbers::{counted, decimal, grouped};
use super::reasons::reason_title;
use super::terminal::ruled;
use crate::compare::{
    CellComparison, Comparison, Difference, Finding, Series, UNKNOWN_REASON, Verdict,
};
use exitlab_base::foreign;
use exitlab_model::reasons::{Isa, ReasonTable};

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
        let row = |f: &&Finding| columns.iter().map(|c| (c.cell)(f, cell.isa)).collect();
        let rows: Vec<Vec<String>> = shown.iter().map(row).collect();
        sections.push(match markdown {
            true => aligned(&titles, &text, &rows),
            false => ruled(titles, &text, rows.into_iter()).join("\n"),
        });
    }
    sections.extend((!all).then(|| left_out(cell, comparison)).flatten());
    sections
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

/// One column of a table of findings.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// Whether it holds texts, which stand to the left.
    pub text: bool,
    /// What it says of a finding.
    pub cell: fn(&Finding, Isa) -> String,
}

/// What a table says of each finding of a cell.
pub fn columns(cell: &CellComparison, shown: &[&Finding]) -> Vec<Column> {
    let text = |title, cell| Column {
        title,
        text: true,
        cell,
    };
    let figure = |title, cell| Column {
        title,
        text: false,
        cell,
    };
    let mut columns = vec![
        text("phase", |f, _| f.phase.clone()),
        figure("#", |f, isa| match f.reason {
            UNKNOWN_REASON => String::new(),
            reason => isa.label(reason),
        }),
        text("exit reason", |f, isa| match f.reason {
            UNKNOWN_REASON => reason_title(f.reason, isa),
            reason => ReasonTable::of(isa).name(reason).to_owned(),
        }),
        figure("base", |f, _| number(&f.base)),
        figure("head", |f, _| number(&f.head)),
        figure("change", |f, _| change(f)),
        figure("relative", |f, _| relative(f)),
    ];
    if !cell.key.repeatable() {
        columns.push(figure("interval", |f, _| match f.interval {
            None => String::new(),
            Some(of) => format!("{} to {}", signed_percent(of.low), signed_percent(of.high)),
        }));
        columns.push(figure("p (Holm)", |f, _| {
            f.tested
                .map_or(String::new(), |tested| p_text(tested.adjusted))
        }));
    }
    let has_cycles = |f: &&Finding| !f.base.cycles.is_empty() || !f.head.cycles.is_empty();
    if shown.iter().any(has_cycles) {
        columns.push(figure("cycles/exit", |f, _| each(&f.base)));
        columns.push(figure("→ head", |f, _| each(&f.head)));
    }
    columns.push(text("verdict", |f, _| words(f)));
    columns
}

/// The count, or the mean of counts.
fn number(series: &Series) -> String {
    match series.exits.as_slice() {
        [first, others @ ..] if others.iter().all(|other| other == first) => {
            grouped(u128::from(*first))
        }
        _ => decimal(series.mean()),
    }
}

fn change(finding: &Finding) -> String {
    let change = finding.change();
    let sign = if change > 0.0 { "+" } else { "" };
    let text = match change.fract() == 0.0 {
        true if change < 0.0 => format!("−{}", grouped(change.abs() as u128)),
        true => grouped(change as u128),
        false => decimal(change),
    };
    format!("{sign}{text}")
}

fn relative(finding: &Finding) -> String {
    match finding.relative() {
        Some(change) => signed_percent(change),
        None => "new".to_owned(),
    }
}

fn signed_percent(part: f64) -> String {
    let sign = if part > 0.0 { "+" } else { "" };
    format!("{sign}{} %", decimal(part * 100.0))
}

fn each(series: &Series) -> String {
    series
        .cycles_per_exit()
        .map_or(String::new(), |cycles| grouped(cycles.round() as u128))
}

fn p_text(p: f64) -> String {
    match p {
        p if p < 0.0001 => "<0.0001".to_owned(),
        p => format!("{p:.4}"),
    }
}

fn words(finding: &Finding) -> String {
    match finding.verdict {
        Verdict::Differs if finding.base.mean() == 0.0 => "differs: new".to_owned(),
        Verdict::Differs if finding.head.mean() == 0.0 => "differs: gone".to_owned(),
        Verdict::Differs => "differs".to_owned(),
        Verdict::NotRepeatable => {
            format!(
                "repeats differ: {:?} and {:?}",
                finding.base.exits, finding.head.exits
            )
        }
        Verdict::Undecided { repeats, needs } => format!(
            "undecided: {} each, needs at least {needs}",
            counted(repeats, "repeat")
        ),
        Verdict::BelowFloor => "differs by less than matters".to_owned(),
        Verdict::Same if finding.tested.is_none() => "equal".to_owned(),
        Verdict::Same => "no difference found".to_owned(),
        Verdict::TooFew => "too few exits".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{cell, noisy, side};
    use crate::compare::{Settings, compare};

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
