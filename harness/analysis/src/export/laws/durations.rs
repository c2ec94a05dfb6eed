//! What came of the times of exits, in words.

use super::super::line::{every, law, listed};
use super::super::numbers::{decimal, grouped, signed};
use crate::figures::{Checks, Law, MOST_LONGER, Misfit, Open, RunFigures};

/// What came of the checks; nothing is said where no times were taken.
pub(super) fn durations(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let seen = &checks.durations;
    if seen.samples == 0 {
        return Vec::new();
    }
    let samples = every(seen.samples, "sample");
    let held = format!(
        "Each exit has a time, in {samples}, but {} that the guest had not come back from.",
        grouped(seen.open.unsigned_abs()),
    );
    let mut broken = listed(&seen.misfits, |misfit| wrong(figures, misfit));
    broken.extend(listed(&seen.lost, |(sample, lost)| {
        format!(
            "The histograms of times had no room for {} exits in sample {sample}.",
            grouped((*lost).into())
        )
    }));
    let mut lines = Vec::new();
    if seen.untimed.is_empty() || !broken.is_empty() {
        lines = law(seen.samples, held, Law::Durations, broken);
    }
    let untimed = listed(&seen.untimed, |open| {
        let why = "Before Linux 6.10 KVM enters a guest from its innermost loop untold.";
        format!("{} {why}", without(open))
    });
    if !untimed.is_empty() {
        lines.extend(law(seen.samples, String::new(), Law::Untimed, untimed));
    }
    lines.extend(clocked(figures, checks));
    lines
}

/// Nothing is said where no cycles were counted.
fn clocked(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let seen = &checks.durations;
    let longer = seen
        .longer
        .map_or("nothing".to_owned(), |ns| decimal(ns / 1e3) + " µs");
    if seen.clocked == 0 {
        return Vec::new();
    }
    let held = format!(
        "The times of each reason fit into its cycles, in {}; up to the first, cycles are longer \
         by {longer} for each exit.",
        every(seen.clocked, "sample"),
    );
    let mut broken = listed(&seen.overlong, |(sample, reason, ns, census)| {
        format!(
            "The times of {} do not fit into its cycles in sample {sample}: {} ns of {} ns.",
            name(figures, *reason),
            grouped(*ns),
            grouped(*census),
        )
    });
    if seen.is_far() {
        let most = decimal(MOST_LONGER / 1e3);
        broken.push(format!(
            "Up to the first sample, cycles are longer than times by {longer} for each exit, \
             which is more than {most} µs."
        ));
    }
    law(seen.clocked, held, Law::Clocked, broken)
}

fn name(figures: &RunFigures, reason: Option<u32>) -> String {
    reason.map_or("all undefined reasons".to_owned(), |r| {
        figures.reason_label(r)
    })
}

fn without(open: &Open) -> String {
    format!(
        "{} exits have no time in the phase before sample {}, of which only one of each vCPU may \
         have none ({}).",
        grouped(open.open.unsigned_abs()),
        open.sample,
        grouped(open.most.into()),
    )
}

fn wrong(figures: &RunFigures, misfit: &Misfit) -> String {
    match misfit {
        Misfit::Open(open) => without(open),
        Misfit::More(sample, reason, times, exits) => format!(
            "There are more times of {} than exits in the phase before sample {sample}: {} \
             against {} ({}).",
            name(figures, *reason),
            grouped((*times).into()),
            grouped((*exits).into()),
            signed(i128::from(*times) - i128::from(*exits)),
        ),
        Misfit::Impossible(sample, reason) => format!(
            "The times of {} cannot be those of sample {sample}: there are fewer than before, or \
             they come to another sum than so many can.",
            name(figures, *reason),
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;
    use exitlab_model::record::RunRecord;

    fn lines(record: &RunRecord) -> Vec<String> {
        let figures = RunFigures::of_record(record, ReasonTable::vmx());
        durations(&figures, figures.checks.as_ref().unwrap())
    }

    #[test]
    fn what_was_lost_or_cannot_be_is_a_broken_promise() {
        let mut record = fixture::timed();
        assert_eq!(
            lines(&record),
            [
                "✓ Each exit has a time, in all 3 samples, but 3 that the guest had not come back \
                 from.",
                "✓ The times of each reason fit into its cycles, in all 3 samples; up to the \
                 first, cycles are longer by 1.0 µs for each exit.",
            ]
        );
        let trace = record.samples[2].trace.as_mut().unwrap();
        let told = trace.durations.as_mut().unwrap();
        told.dropped = 1234;
        told.buckets[0].count += 5;
        trace.stats.as_mut().unwrap().cycles.as_mut().unwrap()[7] /= 3;
        let lines = lines(&record).join("\n");
        insta::assert_snapshot!(lines, @r"
        ✗ There are more times of 1 External interrupt than exits in the phase before sample 3: 100 against 95 (+5).
        ✗ The times of 1 External interrupt cannot be those of sample 3: there are fewer than before, or they come to another sum than so many can.
        ✗ The histograms of times had no room for 1,234 exits in sample 3.
        ✗ The times of 7 Interrupt window do not fit into its cycles in sample 3: 6,587,500 ns of 2,331,500 ns.
        ");
    }
}
