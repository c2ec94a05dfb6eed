//! What came of the log of single exits, in words.

use super::super::line::{every, law, listed};
use super::super::numbers::{grouped, signed};
use crate::figures::{Checks, Law, LogMismatch, RunFigures, Unlogged};

/// Nothing is said where no log was kept.
pub(super) fn log(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let seen = &checks.log;
    if seen.samples == 0 {
        return Vec::new();
    }
    let held = format!(
        "The log has every exit, {} of them: as many of each reason as were counted, in {}.",
        grouped(seen.exits.into()),
        every(seen.samples, "sample"),
    );
    let broken = listed(&seen.mismatches, |broken| wrong(figures, broken));
    // What is not in it by its limit is told by the law of that.
    let held = match seen.left_out {
        0 => held,
        _ => format!(
            "The log saw every exit: as many of each reason as were counted, in {}.",
            every(seen.samples, "sample")
        ),
    };
    let mut lines = law(seen.samples, held, Law::Log, broken);
    if seen.left_out > 0 {
        let sentence = format!(
            "The log ends after {} exits, its limit (sampling.log_limit); {} came after them.",
            grouped(seen.exits.into()),
            grouped(seen.left_out.into()),
        );
        lines.extend(law(1, String::new(), Law::WholeLog, vec![sentence]));
    }
    lines
}

fn wrong(figures: &RunFigures, broken: &LogMismatch) -> String {
    let sample = broken.sample;
    match broken.what {
        Unlogged::Lost(lost) => format!(
            "The kernel had no room for {} events of the log up to sample {sample}: raise \
             sampling.log_buffer.",
            grouped(lost.into()),
        ),
        Unlogged::Exits(reason, log, counted) => {
            let what = match reason {
                Some(reason) => figures.reason_label(reason),
                None => "undefined reasons".to_owned(),
            };
            format!(
                "The log has {} exits of {what} up to sample {sample}, the tracepoint counted {} \
                 ({}).",
                grouped(log.into()),
                grouped(counted.into()),
                signed(i128::from(log) - i128::from(counted)),
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::log::LogReading;
    use exitlab_model::reasons::ReasonTable;
    use exitlab_model::record::RunRecord;

    fn logged() -> RunRecord {
        let mut record = fixture::detailed();
        for sample in &mut record.samples {
            let trace = sample.trace.as_mut().unwrap();
            trace.log = Some(LogReading {
                counts: trace.counts.clone(),
                ..LogReading::default()
            });
        }
        record
    }

    fn lines(record: &RunRecord) -> Vec<String> {
        let figures = RunFigures::of_record(record, ReasonTable::vmx());
        log(&figures, figures.checks.as_ref().unwrap())
    }

    #[test]
    fn a_log_that_has_every_exit_holds() {
        let lines = lines(&logged());
        assert!(
            lines[0].starts_with("✓ The log has every exit, "),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 1);
        assert_eq!(super::tests::lines(&fixture::detailed()), [""; 0]);
    }

    #[test]
    fn what_the_log_lacks_is_a_broken_promise_and_its_limit_is_not() {
        let mut record = logged();
        let log = |record: &mut RunRecord, at: usize| {
            let sample = &mut record.samples[at];
            sample.trace.as_mut().unwrap().log.take().unwrap()
        };
        for at in [1, 2] {
            let mut reading = log(&mut record, at);
            reading.lost = 12;
            reading.left_out = 100;
            if at == 2 {
                reading.counts[10] -= 3;
                reading.other = 1;
            }
            record.samples[at].trace.as_mut().unwrap().log = Some(reading);
        }
        insta::assert_snapshot!(lines(&record).join("\n"), @r"
        ✗ The kernel had no room for 12 events of the log up to sample 2: raise sampling.log_buffer.
        ✗ The log has 1,145 exits of 10 CPUID up to sample 3, the tracepoint counted 1,148 (−3).
        ✗ The log has 1 exits of undefined reasons up to sample 3, the tracepoint counted 0 (+1).
        △ The log ends after 45,606 exits, its limit (sampling.log_limit); 100 came after them.
        ");
    }
}
