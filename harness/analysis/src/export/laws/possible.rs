//! Whether a run can be what it says: its samples, its clocks, and how many exits there were.

use super::super::line::{every, law, listed};
use super::super::numbers::grouped;
use crate::figures::{Bound, Checks, ClockBreach, Law, Reading};

/// Samples against the plan. Nothing is said where the plan is not known.
pub(super) fn plan(checks: &Checks) -> Vec<String> {
    let Some(planned) = checks.planned else {
        return Vec::new();
    };
    let held = format!("{planned} of {planned} samples of the plan were taken, in its order.");
    let broken = checks.unplanned.iter().map(|(expected, came)| {
        format!("Samples are not those of the plan: expected {expected}, came {came}.")
    });
    law(planned, held, Law::Plan, broken.collect())
}

/// The clocks of host and guest.
pub(super) fn clocks(checks: &Checks) -> Vec<String> {
    let seen = &checks.clocks;
    let held = format!(
        "Clocks ran forwards and reached each planned moment, in {}.",
        every(seen.samples, "sample")
    );
    let sentence = |broken: &ClockBreach| {
        let (sample, clock) = (broken.sample, broken.clock);
        let shows = reading(broken.shows);
        let bound = match broken.bound {
            Bound::NotBefore(then) => format!("after it showed {}", reading(then)),
            Bound::After(then) => format!("and must be more than {}", reading(then)),
            Bound::Planned(moment) => format!("before the planned {}", reading(moment)),
            Bound::AtMost(most) => format!("and can be at most {}", reading(most)),
        };
        format!("The {clock} cannot be true in sample {sample}: it shows {shows}, {bound}.")
    };
    let broken = listed(&seen.breaches, sentence);
    law(seen.samples, held, Law::Clocks, broken)
}

fn reading(reading: Reading) -> String {
    match reading {
        Reading::Seconds(seconds) => format!("{seconds:.6} s"),
        Reading::Cycles(cycles) => format!("{} cycles", grouped(cycles.into())),
    }
}

/// Exits against the time in which they can have happened.
pub(super) fn counts(checks: &Checks) -> Vec<String> {
    let held = format!(
        "There were fewer exits than cycles, in {}.",
        every(checks.possible_samples, "sample")
    );
    let broken = listed(&checks.excesses, |broken| {
        format!(
            "There cannot be so many exits in sample {}: {} in {} cycles.",
            broken.sample,
            grouped(broken.exits),
            grouped(broken.passed),
        )
    });
    law(checks.possible_samples, held, Law::Possible, broken)
}
