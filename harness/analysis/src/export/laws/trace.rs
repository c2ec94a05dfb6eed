//! What the tracepoint and KVM's own statistics say of the same exits, in words.

use super::super::line::{every, law, listed};
use super::super::numbers::{grouped, signed};
use crate::figures::{Checks, Law, RunFigures, TraceMismatch, Traced};

/// Nothing is said where the tracepoint was not asked for.
pub(super) fn tracepoint(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let seen = &checks.trace;
    if seen.samples == 0 {
        return Vec::new();
    }
    let samples = every(seen.samples, "sample");
    let held = if seen.reasons > 0 {
        format!(
            "The kernel's tracepoint counted the same, reason by reason: {}{}, in {samples}.",
            every(seen.reasons, "reason number"),
            match checks.emulated {
                None => " and KVM's own count of exits",
                Some(_) => "",
            },
        )
    } else {
        format!(
            "The kernel's tracepoint counted {} KVM's own count of exits, in {}.",
            match checks.emulated {
                None => "every exit: all reasons together are",
                Some(_) => "no exit twice: all reasons together are at most",
            },
            every(seen.own, "sample"),
        )
    };
    let broken = listed(&seen.mismatches, |broken| wrong(figures, broken));
    let mut lines = Vec::new();
    // A part of the exits is missing, and the law is broken by none of the others.
    if seen.missed.is_empty() || !broken.is_empty() {
        let compared = seen
            .own
            .max(if seen.reasons > 0 { seen.samples } else { 0 });
        lines = law(compared, held, Law::Tracepoint, broken);
    }
    let all = seen.missed.iter().rev();
    let last = all.clone().find(|missed| missed.what == Traced::All);
    if let Some(missed) = last.or(all.clone().next()) {
        let sentence = format!(
            "The kernel's tracepoint missed {} of {} exits up to sample {}: on SVM before Linux \
             6.10 it does not see those that KVM handles in its innermost loop.",
            grouped(missed.stats - missed.trace),
            grouped(missed.stats),
            missed.sample,
        );
        lines.extend(law(seen.own, String::new(), Law::Unseen, vec![sentence]));
    }
    lines
}

fn wrong(figures: &RunFigures, broken: &TraceMismatch) -> String {
    let what = match broken.what {
        Traced::Reason(reason) => figures.reason_label(reason),
        Traced::Other => "all undefined reasons".to_owned(),
        Traced::All => "all reasons together".to_owned(),
        Traced::Dropped => {
            return format!(
                "The histogram of the kernel's tracepoint had no room for {} exits in sample {}.",
                grouped(broken.trace),
                broken.sample,
            );
        }
    };
    format!(
        "The kernel's tracepoint counted {} of {what} in sample {}, KVM {} ({}).",
        grouped(broken.trace),
        broken.sample,
        grouped(broken.stats),
        signed(broken.trace as i128 - broken.stats as i128),
    )
}
