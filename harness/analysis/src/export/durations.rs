//! How long exits took: `times.csv`, and tables of it for people.

use super::csv::csv_text;
use super::details::Top;
use super::grid;
use super::numbers::{counted, grouped};
use crate::figures::{Bounds, DurationRow, Durations, RunFigures, Span, Spread};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::RunRecord;

/// What its tables are called.
pub(super) const TITLE: &str = "How long exits took";

/// Shares of the exits that are no longer than what a column says.
const PERCENTILES: [u64; 3] = [50, 90, 99];

const BEGIN: [&str; 11] = [
    "cell", "sample", "phase", "since", "reason", "name", "halting", "exits", "count", "sum_ns",
    "mean_ns",
];

/// What `times.csv` calls the phase from the first instruction to the last sample.
const WHOLE: &str = "all";

/// `times.csv`: for each phase, and for all of them together, a line for each reason and one
/// for all in which the guest works and all by which it waits. Each of the figures of a
/// distribution is at least, and at most, so many nanoseconds.
pub fn times_csv(
    durations: &Durations,
    record: &RunRecord,
    reasons: &ReasonTable,
) -> Option<String> {
    durations.whole()?;
    let mut header = BEGIN.map(str::to_owned).to_vec();
    let figures = PERCENTILES.map(|percent| format!("p{percent}"));
    let figures = [
        vec!["min".to_owned()],
        figures.to_vec(),
        vec!["max".to_owned()],
    ]
    .concat();
    header.extend(
        figures
            .iter()
            .flat_map(|name| ["least", "most"].map(|bound| format!("{name}_{bound}_ns"))),
    );
    let mut lines = vec![header];
    for span in &durations.spans {
        let sample = record.samples.get(span.to)?;
        let phase = match span.is_whole() {
            true => WHOLE,
            false => &sample.phase,
        };
        let begin = |reason: String, name: &str| {
            let (number, since) = (sample.number.to_string(), span.since.to_string());
            let begin = ["1".to_owned(), number, phase.to_owned(), since];
            [&begin[..], &[reason, name.to_owned()]].concat()
        };
        for row in &span.rows {
            let of = |reason: u32| (reason.to_string(), reasons.name(reason));
            let (reason, name) = row.reason.map_or((String::new(), "undefined"), of);
            lines.push([begin(reason, name), values(row)].concat());
        }
        for (waits, name) in [(false, "working"), (true, "halting")] {
            let all = span.all(waits);
            lines.extend(all.map(|row| [begin(String::new(), name), values(&row)].concat()));
        }
    }
    Some(csv_text(&lines))
}

fn values(row: &DurationRow) -> Vec<String> {
    let spread = &row.spread;
    let mean = spread.mean().map_or(String::new(), |ns| format!("{ns:.1}"));
    let mut values = vec![
        row.waits.to_string(),
        row.exits.to_string(),
        spread.count().to_string(),
        spread.sum().to_string(),
        mean,
    ];
    for bounds in distribution(spread) {
        let of = |ns: Option<u64>| ns.map_or(String::new(), |ns| ns.to_string());
        values.extend([of(bounds.map(|b| b.0)), of(bounds.map(|b| b.1))]);
    }
    values
}

/// Least, percentiles, most.
fn distribution(spread: &Spread) -> Vec<Option<Bounds>> {
    let percentiles = PERCENTILES.map(|percent| spread.percentile(percent));
    [&[spread.least()], &percentiles[..], &[spread.most()]].concat()
}

/// A table of a span: the `most` reasons in which the guest worked that took the most time, the
/// others together, and all of them; then those by which it waited. `compact` leaves out what a
/// terminal has no room for.
pub(super) fn table(figures: &RunFigures, span: &Span, most: usize, compact: bool) -> Top {
    let mut titles = ["#", "exit reason", "times", "total ns", "mean ns"]
        .map(str::to_owned)
        .to_vec();
    let percentiles = PERCENTILES.map(|percent| format!("p{percent} ns"));
    titles.extend([vec!["min ns".to_owned()], percentiles.to_vec()].concat());
    titles.push("max ns".to_owned());
    let mut rows = Vec::new();
    for waits in [false, true] {
        let of = |row: &&DurationRow| row.waits == waits;
        let mut shown: Vec<&DurationRow> = span.rows.iter().filter(of).collect();
        let rest = match shown.len() > most.saturating_add(1) {
            true => shown.split_off(most),
            false => Vec::new(),
        };
        rows.extend(
            shown
                .iter()
                .map(|row| line(title(figures, row), &row.spread)),
        );
        if !rest.is_empty() {
            let title = (String::new(), counted(rest.len(), "other"));
            let spread = Spread::of_all(rest.iter().map(|row| &row.spread));
            rows.push(line(title, &spread));
        }
        let name = if waits { "all halting" } else { "all working" };
        let all = span.all(waits);
        rows.extend(all.map(|all| line((String::new(), name.to_owned()), &all.spread)));
    }
    let mut text = vec![false; titles.len()];
    text[1] = true;
    if compact {
        // The shortest, and one of the percentiles.
        for column in [7, 5] {
            titles.remove(column);
            text.remove(column);
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    Top { titles, text, rows }
}

/// Number and name of a reason.
fn title(figures: &RunFigures, row: &DurationRow) -> (String, String) {
    let Some(reason) = row.reason else {
        return (String::new(), "undefined".to_owned());
    };
    let number = figures.table.isa.label(reason);
    let label = figures.reason_label(reason);
    let name = label.strip_prefix(&number).unwrap_or(&label).trim();
    (number, name.to_owned())
}

fn line((number, name): (String, String), spread: &Spread) -> Vec<String> {
    let mean = spread.mean().unwrap_or(0.0).round();
    let mut cells = vec![
        number,
        name,
        grouped(spread.count().into()),
        grouped(spread.sum()),
        grouped(mean as u128),
    ];
    cells.extend(distribution(spread).into_iter().map(shown));
    cells
}

/// The middle, and how many percent of it both bounds are away from it at most.
fn shown(bounds: Option<Bounds>) -> String {
    match bounds {
        None => String::new(),
        Some((least, most)) if least == most => grouped(most.into()),
        Some((0, most)) => format!("≤{}", grouped(most.into())),
        Some((least, most)) => {
            let middle = u128::from(least).midpoint(most.into());
            let away = (u128::from(most) - middle) * 100;
            format!("{} ±{} %", grouped(middle), away.div_ceil(middle.max(1)))
        }
    }
}

/// What a span is called: like no other of the run, for it is a heading.
pub fn span_title(figures: &RunFigures, span: &Span) -> String {
    match (span.is_whole(), span.to) {
        (true, _) => "All phases".to_owned(),
        (false, 0) => grid::phase_title(&figures.table, 0),
        (false, to) => grid::interval_title(&figures.table, to),
    }
}

/// What must be known of the tables.
pub fn explanations(durations: &Durations) -> Vec<String> {
    if let Some(why) = &durations.lacks {
        return vec![format!("Not taken on this host: {why}.")];
    }
    [
        "From the tracepoint kvm_exit to the next kvm_entry of the same vCPU, by the host's trace \
         clock: what KVM and the VMM did for the exit, and what else the host ran meanwhile.",
        "Times, totals and means are exact. ± is what the kernel's buckets leave open: the true \
         figure is within it. All figures, with their bounds, are in times.csv.",
        "Halting: the guest waited (HLT, MWAIT, PAUSE), and the time is that until something \
         happened.",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::export::{tables, terminal_table};
    use crate::figures::fixture;

    #[test]
    fn the_terminal_shows_all_phases_with_halting_apart() {
        let figures = RunFigures::of_record(&fixture::timed(), ReasonTable::vmx());
        let text = terminal_table(&figures);
        let (_, times) = text.split_once(TITLE).unwrap();
        insta::assert_snapshot!(times.split("Highest").next().unwrap());
    }

    fn file(record: &RunRecord) -> Option<String> {
        let reasons = ReasonTable::vmx();
        times_csv(&Durations::of(record, reasons)?, record, reasons)
    }

    #[test]
    fn the_file_has_every_reason_of_every_phase() {
        let csv = file(&fixture::timed()).unwrap();
        insta::assert_snapshot!(csv);
        let files = tables(&fixture::timed());
        assert!(files.iter().any(|(name, _)| *name == "times.csv"));
        assert_eq!(file(&fixture::detailed()), None);
        let (_, table) = files.iter().find(|(name, _)| *name == "table.md").unwrap();
        for title in [
            "## How long exits took",
            "### All phases",
            "### idle +5s (1→2)",
        ] {
            assert!(table.contains(title), "no {title} in {table}");
        }
    }

    #[test]
    fn bounds_read_as_what_they_are() {
        let of = |least, most| shown(Some((least, most)));
        assert_eq!(
            [of(7, 7), of(0, 31), of(1024, 1151)],
            ["7", "≤31", "1,087 ±6 %"]
        );
        // The true figure is within what is shown.
        assert_eq!(of(100, 301), "200 ±51 %");
    }
}
