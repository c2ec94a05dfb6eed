//! What a table says of each finding.

use crate::compare::{CellComparison, Finding, Series, UNKNOWN_REASON, Verdict};
use crate::export::moved::change;
use crate::export::numbers::{counted, decimal, grouped};
use crate::export::reasons::reason_title;
use exitlab_model::reasons::{Isa, ReasonTable};

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
        figure("change", |f, _| change(f.change())),
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
