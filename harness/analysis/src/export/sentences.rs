//! Observations and the cost of sampling, in words.

use super::laws::rises;
use super::line::listed;
use super::numbers::{decimal, grouped, percent, signed};
use crate::figures::{Observations, RunFigures};

/// What stands out, one sentence each.
pub(super) fn observations(figures: &RunFigures) -> Vec<String> {
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
        let (from, new) = (last - 1, signed(grown.new));
        format!(
            "Most new exits from count {from} to {last}: {}, {new}.",
            figures.reason_label(grown.reason)
        )
    });
    let relative = seen.fastest_relative.as_ref().map(|grown| {
        let percent = decimal(grown.percent);
        format!(
            "Fastest relative growth from count 1 to {last}: {}, +{percent} %.",
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
    all.into_iter().flatten().collect()
}

fn unchanged(figures: &RunFigures) -> Option<String> {
    let unchanged = figures.observations.unchanged.iter();
    let numbers: Vec<String> = unchanged.map(|&n| figures.table.isa.label(n)).collect();
    (!numbers.is_empty()).then(|| format!("Unchanged since boot: {}.", numbers.join(", ")))
}

fn sums_of_columns(seen: &Observations) -> Option<String> {
    let totals: Vec<String> = seen.totals.iter().map(|&total| grouped(total)).collect();
    (!totals.is_empty()).then(|| format!("All reasons together: {}.", totals.join(" → ")))
}

/// Exits while each sample was read.
pub(super) fn sampling(figures: &RunFigures) -> Vec<String> {
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
    fn without_samples_nothing_stands_out() {
        let mut record = fixture::record();
        record.samples.clear();
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        assert!(observations(&figures).is_empty());
    }
}
