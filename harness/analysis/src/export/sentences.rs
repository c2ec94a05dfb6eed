//! Observations and the cost of sampling, in words.

use super::grid;
use super::laws::rises;
use super::line::listed;
use super::numbers::{decimal, grouped, percent, signed};
use crate::figures::{Observations, RunFigures};
use exitlab_model::plan::LeftBehind;
use exitlab_model::record::Remainder;

/// What stands out, one sentence each.
pub fn observations(figures: &RunFigures) -> Vec<String> {
    let seen = &figures.observations;
    let last = figures.table.columns.len();
    let total = seen.totals.last().copied().unwrap_or(0);
    let highest = seen.highest.as_ref().map(|top| {
        let part = percent(top.count.into(), total);
        let count = grouped(top.count.into());
        format!(
            "Highest at the end: {}, {count} ({part} of all exits).",
            figures.reason_label(top.reason)
        )
    });
    let fewest = seen.fewest.as_ref().map(|few| {
        let count = grouped(few.count.into());
        format!(
            "Fewest but not zero: {}, {count}.",
            figures.reason_label(few.reason)
        )
    });
    let fastest = seen.fastest.as_ref().map(|grown| {
        let interval = grid::interval_title(&figures.table, last - 1);
        let (label, new) = (figures.reason_label(grown.reason), signed(grown.new));
        format!("Most new exits in {interval}: {label}, {new}.")
    });
    let relative = seen.fastest_relative.as_ref().map(|grown| {
        let percent = decimal(grown.percent);
        format!(
            "Fastest relative growth from {} to {}: {}, +{percent} %.",
            grid::sample_words(&figures.table, 0),
            grid::sample_words(&figures.table, last - 1),
            figures.reason_label(grown.reason)
        )
    });
    let all = [
        highest,
        fewest,
        fastest,
        relative,
        unchanged(figures),
        sums_of_columns(seen),
    ];
    let left_behind = figures.left_behind.iter().map(left_behind);
    all.into_iter().flatten().chain(left_behind).collect()
}

/// What a phase left running, and what became of it.
pub fn left_behind(left: &Remainder) -> String {
    let (noun, were) = match left.processes {
        1 => ("process", "was"),
        _ => ("processes", "were"),
    };
    let fate = match left.fate {
        LeftBehind::Wait => "waited for",
        LeftBehind::End => "ended",
        LeftBehind::Refuse => "refused",
    };
    format!(
        "Phase {} left {} {noun} behind, which {were} {fate}: {}.",
        left.phase,
        left.processes,
        left.commands.join("; ")
    )
}

fn unchanged(figures: &RunFigures) -> Option<String> {
    let unchanged = figures.observations.unchanged.iter();
    let numbers: Vec<String> = unchanged.map(|&n| figures.table.isa.label(n)).collect();
    let first = grid::sample_words(&figures.table, 0);
    (!numbers.is_empty()).then(|| format!("Unchanged since {first}: {}.", numbers.join(", ")))
}

fn sums_of_columns(seen: &Observations) -> Option<String> {
    let shown = grid::shown(seen.totals.len());
    let arrow = match shown.len() == seen.totals.len() {
        true => " → ",
        false => " → … → ",
    };
    let totals: Vec<String> = shown.iter().map(|&n| grouped(seen.totals[n])).collect();
    (!totals.is_empty()).then(|| format!("All reasons together: {}.", totals.join(arrow)))
}

/// Exits while each sample was read.
pub fn sampling(figures: &RunFigures) -> Vec<String> {
    listed(&figures.sampling, |cost| {
        let total = grouped(cost.total.into());
        format!(
            "Sample {}: {total} exits: {}.",
            cost.sample,
            rises(figures, &cost.rises)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;

    #[test]
    fn what_a_phase_left_behind_is_said() {
        let mut record = fixture::record();
        record.left_behind = vec![Remainder {
            phase: "server".to_owned(),
            processes: 2,
            commands: vec!["sleep 100".to_owned(), "nc -l".to_owned()],
            fate: LeftBehind::End,
        }];
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        assert_eq!(
            observations(&figures).last().map(String::as_str),
            Some("Phase server left 2 processes behind, which were ended: sleep 100; nc -l.")
        );
    }

    #[test]
    fn without_samples_nothing_stands_out() {
        let mut record = fixture::record();
        record.samples.clear();
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        assert!(observations(&figures).is_empty());
    }
}
