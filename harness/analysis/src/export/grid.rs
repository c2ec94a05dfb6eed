//! The table for people as a grid of texts: what `table.md` and the terminal share.

use super::numbers::{decimal, grouped, percent, signed};
use crate::figures::{CountTable, Row, rate};
use exitlab_model::reasons::Isa;
use exitlab_model::record::ReasonStatus;

/// What one column of the grid shows. Samples and intervals count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Reason number.
    Reason,
    /// Reason name.
    Name,
    /// What KVM says of the reason.
    Status,
    /// The count at one sample.
    Count(usize),
    /// Part of all exits up to the first sample.
    BootShare,
    /// New exits of one interval.
    Delta(usize),
    /// New exits per second of one interval.
    Rate(usize),
    /// Exits from the sample before to this one, or from power-on to the first.
    Phase(usize),
}

impl Figure {
    /// True for texts, which stand to the left.
    fn is_text(self) -> bool {
        matches!(self, Figure::Name | Figure::Status)
    }
}

/// A table of texts.
pub(super) struct Grid {
    /// True for each column of texts, which stand to the left.
    pub(super) text: Vec<bool>,
    /// One title for each column.
    pub(super) titles: Vec<String>,
    /// One row for each reason that happened.
    pub(super) rows: Vec<Vec<String>>,
    /// The sum over all reasons.
    pub(super) total: Vec<String>,
}

/// More samples than a table of people has columns for.
const MANY: usize = 12;

/// The samples, counted from 0, that are shown: all, or of many as many as stand well beside
/// each other, from the first to the last at equal distances.
pub(super) fn shown(samples: usize) -> Vec<usize> {
    const FEW: usize = 7;
    match samples {
        0..=MANY => (0..samples).collect(),
        _ => (0..FEW).map(|n| n * (samples - 1) / (FEW - 1)).collect(),
    }
}

/// That not every sample is shown, if that is so.
pub(super) fn left_out(samples: usize) -> Option<String> {
    let shown = shown(samples).len();
    (shown < samples).then(|| {
        format!("{shown} of {samples} samples are shown; `counts.csv` and `samples.csv` have all.")
    })
}

/// Every figure that is known; with many samples, the counts of some, and what happened in the
/// last interval.
pub(super) fn full(table: &CountTable) -> Grid {
    let samples = table.columns.len();
    let seconds = table.seconds();
    let mut figures = vec![Figure::Reason, Figure::Name];
    if table.rows.iter().any(|row| row.status.is_some()) {
        figures.push(Figure::Status);
    }
    figures.extend(shown(samples).into_iter().map(Figure::Count));
    if samples > 0 {
        figures.push(Figure::BootShare);
    }
    let first = match samples {
        0..=MANY => 0,
        _ => seconds.len() - 1,
    };
    figures.extend((first..seconds.len()).map(Figure::Delta));
    let timed = seconds.iter().enumerate().skip(first);
    let timed = timed.filter(|(_, length)| length.is_some());
    figures.extend(timed.map(|(interval, _)| Figure::Rate(interval)));
    grid(table, figures)
}

/// The figures for which a terminal has room: up to four counts, else the first and the
/// last, and what happened in the last interval.
pub(super) fn compact(table: &CountTable) -> Grid {
    let samples = table.columns.len();
    let mut figures = vec![Figure::Reason, Figure::Name];
    if samples <= 4 {
        figures.extend((0..samples).map(Figure::Count));
    } else {
        figures.extend([Figure::Count(0), Figure::Count(samples - 1)]);
    }
    match table.seconds().last() {
        None if samples > 0 => figures.push(Figure::BootShare),
        None => {}
        Some(length) => {
            figures.push(Figure::Delta(samples - 2));
            figures.extend(length.map(|_| Figure::Rate(samples - 2)));
        }
    }
    grid(table, figures)
}

/// One column for each phase, if workloads ran and there are not too many: the exits that it
/// caused.
pub(super) fn phases(table: &CountTable) -> Option<Grid> {
    const MOST: usize = 40;
    (table.has_workloads() && table.columns.len() <= MOST).then(|| {
        let mut figures = vec![Figure::Reason, Figure::Name];
        figures.extend((0..table.columns.len()).map(Figure::Phase));
        grid(table, figures)
    })
}

/// How long each phase after the first took, if there is one.
pub(super) fn lengths(table: &CountTable) -> Option<String> {
    let clock = match table.columns.iter().all(|column| column.guest_s.is_some()) {
        true => "guest",
        false => "host",
    };
    let seconds = table.seconds();
    let lengths = seconds.iter().enumerate().map(|(interval, length)| {
        let length = length.map_or("unknown".to_owned(), |s| format!("{s:.3} s"));
        format!("{} {length}", phase_title(table, interval + 1))
    });
    let lengths: Vec<String> = lengths.collect();
    (!lengths.is_empty()).then(|| format!("Time on the {clock}'s clock: {}.", lengths.join(" · ")))
}

fn grid(table: &CountTable, figures: Vec<Figure>) -> Grid {
    let (totals, seconds) = (table.totals(), table.seconds());
    let cells = |line: &Line| {
        figures
            .iter()
            .map(|f| line.cell(*f, &totals, &seconds))
            .collect()
    };
    let happened = table.rows.iter().filter(|row| !row.never_happened());
    let total = Line {
        reason: String::new(),
        name: "total",
        status: "",
        counts: totals.clone(),
    };
    Grid {
        titles: figures.iter().map(|figure| title(*figure, table)).collect(),
        rows: happened
            .map(|row| cells(&Line::of(row, table.isa)))
            .collect(),
        total: cells(&total),
        text: figures.iter().map(|figure| figure.is_text()).collect(),
    }
}

/// One line of the table: a reason, or the total.
struct Line<'a> {
    reason: String,
    name: &'a str,
    status: &'a str,
    counts: Vec<u128>,
}

impl Line<'_> {
    fn of(row: &Row, isa: Isa) -> Line<'_> {
        let status = match row.status {
            None => "unknown",
            Some(ReasonStatus::Undefined) => "undefined",
            Some(ReasonStatus::NotEnabled) => "not enabled",
            Some(ReasonStatus::Enabled) => "enabled",
        };
        let counts = row.counts.iter().map(|&count| u128::from(count)).collect();
        Line {
            reason: isa.label(row.reason),
            name: &row.name,
            status,
            counts,
        }
    }

    fn cell(&self, figure: Figure, totals: &[u128], seconds: &[Option<f64>]) -> String {
        let count = |sample: usize| self.counts.get(sample).copied().unwrap_or(0);
        // Sums of 64-bit counts are far from 2^127, so the difference cannot overflow.
        let delta = |interval: usize| count(interval + 1) as i128 - count(interval) as i128;
        match figure {
            Figure::Reason => self.reason.clone(),
            Figure::Name => self.name.to_owned(),
            Figure::Status => self.status.to_owned(),
            Figure::Count(sample) => grouped(count(sample)),
            Figure::Phase(0) => grouped(count(0)),
            Figure::Phase(sample) => match delta(sample - 1) {
                fewer @ ..0 => signed(fewer),
                new => grouped(new as u128),
            },
            Figure::BootShare => percent(count(0), totals.first().copied().unwrap_or(0)),
            Figure::Delta(interval) => signed(delta(interval)),
            Figure::Rate(interval) => {
                let length = seconds.get(interval).copied().flatten();
                rate(delta(interval), length).map_or("unknown".to_owned(), decimal)
            }
        }
    }
}

fn title(figure: Figure, table: &CountTable) -> String {
    match figure {
        Figure::Reason => "#".to_owned(),
        Figure::Name => "exit reason".to_owned(),
        Figure::Status => "status".to_owned(),
        Figure::Count(sample) => sample_title(table, sample),
        Figure::Phase(sample) => phase_title(table, sample),
        // A VM that ran already was not seen to boot.
        Figure::BootShare => match table.columns.first() {
            Some(column) if column.phase.starts_with("attached") => "share".to_owned(),
            _ => "of boot".to_owned(),
        },
        Figure::Delta(interval) => format!("{}→{}", interval + 1, interval + 2),
        Figure::Rate(interval) => format!("{}→{} /s", interval + 1, interval + 2),
    }
}

/// A phase as tables call it: its name, and of an idle one how long it is, too.
pub(super) fn phase_title(table: &CountTable, sample: usize) -> String {
    let column = &table.columns[sample];
    match (column.phase.as_str(), column.label.as_str()) {
        ("idle", label) => format!("idle {label}"),
        (phase, _) => phase.to_owned(),
    }
}

/// An interval that ends with a sample: `idle +5s (2→3)`.
pub(super) fn interval_title(table: &CountTable, sample: usize) -> String {
    let phase = phase_title(table, sample);
    match phase.trim() {
        "" => format!("{sample}→{}", sample + 1),
        phase => format!("{phase} ({sample}→{})", sample + 1),
    }
}

/// A sample in a sentence: `+5s (2)`, or `count 2` if it has no label.
pub(super) fn sample_words(table: &CountTable, sample: usize) -> String {
    match table.columns.get(sample) {
        Some(column) if !column.label.is_empty() => format!("{} ({})", column.label, sample + 1),
        _ => sample_title(table, sample),
    }
}

/// A sample as tables call it: `2 +5s`, or `count 2` if it has no label.
pub(super) fn sample_title(table: &CountTable, sample: usize) -> String {
    let number = sample + 1;
    match table.columns.get(sample) {
        Some(column) if !column.label.is_empty() => format!("{number} {}", column.label),
        _ => format!("count {number}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;

    #[test]
    fn of_many_samples_some_are_shown_the_first_and_the_last_among_them() {
        assert_eq!(shown(0), [0; 0]);
        assert_eq!(shown(12), (0..12).collect::<Vec<_>>());
        assert_eq!(shown(13), [0, 2, 4, 6, 8, 10, 12]);
        assert_eq!(shown(300), [0, 49, 99, 149, 199, 249, 299]);
        assert_eq!(left_out(12), None);
        let titles = (1..=300).map(|n| format!(",count_{n}")).collect::<String>();
        let counts = (1..=300).map(|n| format!(",{n}")).collect::<String>();
        let table = fixture::table(&format!("reason{titles}\n10{counts}\n"));
        let grid = full(&table);
        assert_eq!(grid.rows[0][2], "1");
        assert_eq!(grid.rows[0][8], "300");
        assert_eq!(grid.titles.len(), 2 + 7 + 2, "{:?}", grid.titles);
    }

    #[test]
    fn many_samples_fold_in_a_terminal() {
        let text = "reason,count_1,count_2,count_3,count_4,count_5\n10,1,2,3,4,6\n";
        let table = fixture::table(text);
        let grid = compact(&table);
        assert_eq!(
            grid.titles,
            ["#", "exit reason", "count 1", "count 5", "4→5"]
        );
        assert_eq!(grid.rows, [["10", "CPUID", "1", "6", "+2"]]);
    }

    #[test]
    fn one_sample_shows_what_boot_cost() {
        let mut record = fixture::record();
        record.samples.truncate(1);
        let table = CountTable::from_record(&record, ReasonTable::vmx());
        assert_eq!(
            compact(&table).titles,
            ["#", "exit reason", "1 boot", "of boot"]
        );
        assert_eq!(lengths(&table), None);
        record.samples[0].phase = "attached 1".to_owned();
        let attached = CountTable::from_record(&record, ReasonTable::vmx());
        assert_eq!(compact(&attached).titles[3], "share");
        record.samples.clear();
        let none = CountTable::from_record(&record, ReasonTable::vmx());
        assert_eq!(full(&none).titles, ["#", "exit reason", "status"]);
    }
}
