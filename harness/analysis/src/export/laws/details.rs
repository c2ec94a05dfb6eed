//! What came of the details of reasons, in words.

use super::super::line::{every, law, listed};
use super::super::numbers::{counted, grouped, signed};
use crate::figures::{Checks, DetailSum, Law, RunFigures};

/// What came of the check; nothing is said where no details were counted.
pub(super) fn details(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let Some(details) = &figures.details else {
        return Vec::new();
    };
    let samples = every(checks.trace.samples, "sample");
    let exact = details.sums.iter().filter(|sum| !sum.is_part());
    let (equal, other): (Vec<_>, Vec<_>) = exact.partition(|sum| {
        let mut samples = 0..sum.counts.len();
        samples.all(|at| sum.remainder(at) == 0)
    });
    let of = |sum: &&DetailSum| {
        let last = sum.counts.len().saturating_sub(1);
        let remainder = signed(-sum.remainder(last));
        format!(
            "{} {remainder} of {}",
            figures.reason_label(sum.reason),
            sum.kind.plural()
        )
    };
    let rest: Vec<String> = other.iter().map(of).collect();
    let rest = match rest.is_empty() {
        true => String::new(),
        false => format!(". The table explains the rest: {}", rest.join(", ")),
    };
    let held = format!(
        "Details come to the exits of their reason, of {} of {}, in {samples}{rest}.",
        equal.len(),
        counted(equal.len() + other.len(), "sum"),
    );
    let mut broken = listed(&details.wrong(), |(sum, at)| {
        format!(
            "The {} are not as many as the exits of {} in sample {}: {} against {} ({}).",
            sum.kind.plural(),
            figures.reason_label(sum.reason),
            at + 1,
            grouped(sum.counts[*at].into()),
            grouped(sum.exits[*at].into()),
            signed(-sum.remainder(*at)),
        )
    });
    broken.extend(listed(&details.lost, |(sample, what, lost)| {
        format!(
            "The histogram of {what} had no room for {} events in sample {sample}.",
            grouped((*lost).into()),
        )
    }));
    law(details.sums.len(), held, Law::Details, broken)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;

    #[test]
    fn what_was_lost_is_a_broken_promise() {
        let mut record = fixture::detailed();
        let trace = record.samples[2].trace.as_mut().unwrap();
        trace.details[1].dropped = 1234;
        trace.details[0].entries[1][2] += 5;
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        let lines = details(&figures, figures.checks.as_ref().unwrap());
        assert_eq!(
            lines,
            [
                "✗ The accesses to ports are not as many as the exits of 30 I/O instruction in \
                 sample 3: 30,794 against 30,789 (+5).",
                "✗ The histogram of CPUID leaves had no room for 1,234 events in sample 3.",
            ]
        );
    }
}
