//! What came of the checks, in words: a sentence for each law that held, and for each breach
//! of one.

mod details;
mod durations;
mod log;
mod possible;
mod trace;

use super::line::{every, law, listed};
use super::numbers::{counted, grouped, signed};
use crate::figures::{
    Checks, Disagreement, Law, Quantity, ReadingCost, Rise, RunFigures, Unbracketed,
};
use exitlab_model::record::Channel;

/// What came of the checks: laws that held in a line each, broken ones with what broke them.
pub fn checks(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let lines = [
        possible::plan(checks),
        possible::clocks(checks),
        possible::counts(checks),
        agreement(figures, checks),
        reading(figures, checks),
        sums(checks),
        monotony(figures, checks),
        totals(checks),
        overruns(figures, checks),
        trace::tracepoint(figures, checks),
        details::details(figures, checks),
        durations::durations(figures, checks),
        log::log(figures, checks),
    ];
    lines.into_iter().flatten().collect()
}

fn agreement(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let held = format!(
        "stats ≤ cpuid ≤ stats-after held for all {}{} in {}.",
        counted(checks.compared_reasons, "reason number"),
        if checks.compared_cycles {
            ", cycles too,"
        } else {
            ""
        },
        every(checks.compared_samples, "sample"),
    );
    let bound = |count: Option<u64>| count.map_or("not read".to_owned(), |n| grouped(n.into()));
    let sentence = |broken: &Disagreement| {
        format!(
            "stats ≤ cpuid ≤ stats-after is broken by {} in sample {}: {} ≤ {} ≤ {}{}.",
            figures.reason_label(broken.reason),
            broken.sample,
            bound(broken.before),
            grouped(broken.cpuid.into()),
            bound(broken.after),
            unit(broken.quantity),
        )
    };
    let broken = listed(&checks.disagreements, sentence);
    law(checks.compared_samples, held, Law::Agreement, broken)
}

fn reading(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let costs = &checks.reading_costs;
    let leaves: Vec<u64> = costs.iter().map(|cost| cost.leaves).collect();
    let exact = match leaves.first() {
        Some(first) if leaves.iter().all(|n| n == first) => {
            format!(
                "exactly {} CPUID exits, as many as leaves read",
                grouped((*first).into())
            )
        }
        _ => "as many CPUID exits as leaves read".to_owned(),
    };
    let held = format!("Reading cost {exact}, in {}.", every(costs.len(), "sample"));
    let sentence = |cost: &&ReadingCost| {
        let most = match cost.leaves < cost.numbers {
            true => format!(" of {} numbers", grouped(cost.numbers.into())),
            false => String::new(),
        };
        format!(
            "Reading sample {} cost {} CPUID exits for {} leaves{most} ({}); all that rose: {}.",
            cost.sample,
            grouped(cost.exits.into()),
            grouped(cost.leaves.into()),
            signed(cost.difference()),
            rises(figures, &cost.rises),
        )
    };
    let off = |is: fn(&ReadingCost) -> bool| {
        let costs: Vec<&ReadingCost> = costs.iter().filter(|cost| is(cost)).collect();
        listed(&costs, sentence)
    };
    let impossible = off(ReadingCost::is_impossible);
    let dearer = off(ReadingCost::is_dearer);
    let mut lines = Vec::new();
    if !impossible.is_empty() {
        lines = law(costs.len(), held.clone(), Law::LeastPrice, impossible);
    }
    if lines.is_empty() || !dearer.is_empty() {
        lines.extend(law(costs.len(), held, Law::Price, dearer));
    }
    lines
}

fn sums(checks: &Checks) -> Vec<String> {
    let readings = every(checks.summed_readings, "stats reading");
    let held = match checks.emulated {
        None => format!("All reasons together are KVM's own count of exits, in {readings}."),
        Some(rounds) => format!(
            "All reasons together are at most KVM's own count of exits, in {readings}. The other \
             {} at the end are no VM exits: KVM emulated the guest instead of entering it, which \
             real mode needs without unrestricted guest mode.",
            grouped(rounds)
        ),
    };
    let broken = listed(&checks.sum_mismatches, |broken| {
        format!(
            "All reasons together are not KVM's own count of exits in sample {} ({}): {} against {} ({}).",
            broken.sample,
            if broken.after { "stats-after" } else { "stats" },
            grouped(broken.sum),
            grouped(broken.exits.into()),
            signed(broken.sum as i128 - i128::from(broken.exits)),
        )
    });
    law(checks.summed_readings, held, Law::Sum, broken)
}

fn monotony(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    let pairs = counted(checks.followed_readings, "pair");
    let held = format!("No count ever decreased, over {pairs} of consecutive readings.");
    let broken = listed(&checks.decreases, |broken| {
        let channel = match broken.channel {
            Channel::Cpuid => "cpuid",
            Channel::Stats => "stats",
            Channel::Trace => "trace",
        };
        format!(
            "{} decreased in sample {} ({channel}): {} → {}{}.",
            figures.reason_label(broken.reason),
            broken.sample,
            grouped(broken.from.into()),
            grouped(broken.to.into()),
            unit(broken.quantity),
        )
    });
    law(checks.followed_readings, held, Law::Monotony, broken)
}

/// The totals around the single reasons.
fn totals(checks: &Checks) -> Vec<String> {
    let seen = &checks.totals;
    let exact = match seen.exact {
        0 => String::new(),
        n => format!(", exact in {n}"),
    };
    let held = format!(
        "The sum over reasons lay between the totals around it in {}{exact}.",
        every(seen.readings, "sample")
    );
    let sentence = |broken: &Unbracketed| {
        format!(
            "The sum over reasons does not lie between the totals in sample {}: {} above \
             the one before (at least {}), {} below the one after (at least {}){}.",
            broken.sample,
            signed(broken.above.into()),
            signed(broken.least_above.into()),
            signed(broken.below.into()),
            signed(broken.least_below.into()),
            unit(broken.quantity),
        )
    };
    let broken = listed(&seen.unbracketed, sentence);
    law(seen.readings, held, Law::Totals, broken)
}

/// Nothing is said of runs in which no cycles were counted.
fn overruns(figures: &RunFigures, checks: &Checks) -> Vec<String> {
    if figures.time.is_none() {
        return Vec::new();
    }
    let held = format!(
        "The cycles of all reasons fitted into the time that had passed in {}.",
        every(checks.timed_samples, "sample")
    );
    let broken = listed(&checks.overruns, |broken| {
        format!(
            "The cycles of all reasons do not fit into the time that had passed at sample {}: \
             {} of {}.",
            broken.sample,
            grouped(broken.cycles),
            grouped(broken.passed),
        )
    });
    law(checks.timed_samples, held, Law::Time, broken)
}

fn unit(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Count => "",
        Quantity::Cycles => " cycles",
    }
}

/// What rose, each with how much.
pub(super) fn rises(figures: &RunFigures, rises: &[Rise]) -> String {
    if rises.is_empty() {
        return "none".to_owned();
    }
    let text = |rise: &Rise| {
        format!(
            "{} {}",
            figures.reason_label(rise.reason),
            signed(rise.exits.into())
        )
    };
    rises.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;
    use exitlab_model::reasons::ReasonTable;
    use exitlab_model::record::TraceReading;

    #[test]
    fn broken_laws_are_told_with_their_numbers() {
        let mut record = fixture::record();
        let sample = &mut record.samples[1];
        sample.cpuid.as_mut().unwrap().counts[48] = 8671;
        sample.stats_after.as_mut().unwrap().counts[10] += 4;
        sample.stats_before.as_mut().unwrap().counts[54] = 1;
        let totals = sample.cpuid.as_mut().unwrap().totals.as_mut().unwrap();
        totals.after.count -= 20;
        let stats = record.samples[2].stats_before.clone().unwrap();
        let mut counts = stats.counts.clone();
        counts[30] -= 3;
        record.samples[2].trace = Some(TraceReading {
            counts,
            other: 0,
            dropped: 0,
            stats: Some(stats),
            ..TraceReading::default()
        });
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        insta::assert_snapshot!(checks(&figures, figures.checks.as_ref().unwrap()).join("\n"));
    }

    #[test]
    fn long_lists_are_cut() {
        let lines = listed(&[0; 25], |n| n.to_string());
        assert_eq!((lines.len(), &*lines[10]), (11, "… and 15 more."));
    }

    #[test]
    fn without_readings_nothing_is_claimed() {
        let mut record = fixture::record();
        record.samples.clear();
        record.plan = fixture::plan(serde_json::Value::Null);
        let figures = RunFigures::of_record(&record, ReasonTable::vmx());
        let lines = checks(&figures, figures.checks.as_ref().unwrap());
        assert!(
            lines.len() == 7 && lines.iter().all(|line| line.starts_with('–')),
            "{lines:?}"
        );
    }
}
