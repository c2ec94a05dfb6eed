//! Whether a count keeps to a limit: exactly where counts repeat, else by two one-sided
//! tests of the same kind as `compare`'s.
//!
//! With the base scaled by `1 + limit`, the hypothesis "at most so much more" is one about
//! equal means. If the head is significantly above, the limit is broken; if it is
//! significantly below, the limit is kept; else neither is known. Holm's correction is made
//! over all tests of each direction.

use super::count::Count;
use super::rules::Limit;
use crate::compare::{Percent, Tail, Tests};

/// What came of one count, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No(String),
    Unknown(String),
}

/// Judges a count where every exit counts. Where repeats differ although they must not,
/// the limit is broken only if no repeat keeps it, and kept only if each does.
pub(super) fn exact(count: &Count, limit: Limit) -> Kept {
    let ends = |values: &[u64]| {
        let least = values.iter().min().copied().unwrap_or(0);
        (least, values.iter().max().copied().unwrap_or(0))
    };
    let ((base_least, base_most), (least, most)) = (ends(&count.base), ends(&count.head));
    let say = |what: &str| format!("{}: {}{what}", count.label, count.change());
    match limit {
        Limit::Exact if least != most => Kept::No(say(": the repeats of the head differ")),
        Limit::Exact if base_least != base_most => {
            Kept::Unknown(say(": the repeats of the base differ"))
        }
        Limit::Exact if base_least == least => Kept::Yes,
        Limit::Exact => Kept::No(say("")),
        Limit::MaxIncrease(percent) if percent.is_exceeded(base_most, least) => {
            Kept::No(say(&format!(": more than {percent}")))
        }
        Limit::MaxIncrease(percent) if percent.is_exceeded(base_least, most) => {
            Kept::Unknown(say(": some repeats keep the limit, some do not"))
        }
        Limit::MaxExits(exits) if most > exits => Kept::No(say(&format!(": more than {exits}"))),
        Limit::MaxIncrease(_) | Limit::MaxExits(_) => Kept::Yes,
    }
}

/// Judges many noisy counts together.
pub(super) fn noisy(counts: &[(&Count, Percent)], level: f64) -> Vec<Kept> {
    let tests = Tests::new(counts.len(), level);
    let corrected = |tail| {
        let p = |(count, percent): &(&Count, Percent)| {
            let (base, head) = scaled(count, *percent);
            tests.p(&base, &head, tail)
        };
        tests.holm(&counts.iter().map(p).collect::<Vec<_>>())
    };
    let (above, below) = (corrected(Tail::Upper), corrected(Tail::Lower));
    let judge = |((count, percent), (above, below)): (&(&Count, Percent), (_, _))| {
        let (above, below): (&crate::compare::Tested, &crate::compare::Tested) = (above, below);
        let say = |what: String| format!("{}: {}: {what}", count.label, count.change());
        let (base, head) = (count.base.len(), count.head.len());
        if let Err(needs) = tests.decidable(base, head, Tail::Upper) {
            let repeats = base.min(head);
            return Kept::Unknown(say(format!(
                "undecided: repeats each: {repeats}, needs at least {needs}"
            )));
        }
        if above.adjusted <= level {
            return Kept::No(say(format!(
                "more than {percent} (p = {:.4})",
                above.adjusted
            )));
        }
        if below.adjusted <= level {
            return Kept::Yes;
        }
        Kept::Unknown(say(format!(
            "neither above nor below +{percent} for certain (p = {:.3} and {:.3}): more repeats \
             or a wider limit",
            above.adjusted, below.adjusted
        )))
    };
    counts
        .iter()
        .zip(above.iter().zip(&below))
        .map(judge)
        .collect()
}

fn scaled(count: &Count, percent: Percent) -> (Vec<f64>, Vec<f64>) {
    let factor = 1.0 + percent.fraction();
    let base = count.base.iter().map(|&n| n as f64 * factor).collect();
    (base, count.head.iter().map(|&n| n as f64).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn count(base: &[u64], head: &[u64]) -> Count {
        Count {
            label: "10 CPUID".to_owned(),
            base: base.to_vec(),
            head: head.to_vec(),
        }
    }

    fn percent(text: &str) -> Percent {
        text.parse().unwrap()
    }

    #[test]
    fn every_exit_counts_where_counts_repeat() {
        let judge = |base: &[u64], head: &[u64], limit| exact(&count(base, head), limit);
        assert_eq!(judge(&[888], &[888], Limit::Exact), Kept::Yes);
        let one_more = judge(&[888], &[889], Limit::Exact);
        assert_eq!(
            one_more,
            Kept::No("10 CPUID: 888 → 889, +1, +0.11 %".to_owned())
        );
        assert!(matches!(
            judge(&[888], &[888, 889], Limit::Exact),
            Kept::No(_)
        ));
        let two = Limit::MaxIncrease(percent("2%"));
        assert_eq!(judge(&[100], &[102], two), Kept::Yes);
        assert!(matches!(judge(&[100], &[103], two), Kept::No(_)));
        assert!(matches!(judge(&[0], &[1], two), Kept::No(_)));
        assert!(matches!(judge(&[100], &[102, 103], two), Kept::Unknown(_)));
        assert_eq!(judge(&[], &[50], Limit::MaxExits(50)), Kept::Yes);
        assert!(matches!(
            judge(&[], &[50, 51], Limit::MaxExits(50)),
            Kept::No(_)
        ));
    }

    #[test]
    fn noise_has_three_outcomes() {
        let base = [1000, 1010, 990, 1005, 995, 1002, 998, 1001];
        let by = |factor: f64| count(&base, &base.map(|n| (n as f64 * factor) as u64));
        let judge = |count: &Count, limit| noisy(&[(count, percent(limit))], 0.05).remove(0);
        assert_eq!(judge(&by(1.0), "5%"), Kept::Yes);
        assert!(matches!(judge(&by(1.1), "5%"), Kept::No(_)));
        assert!(matches!(judge(&by(1.05), "5%"), Kept::Unknown(_)));
        let few = count(&base[..2], &base[..2]);
        let Kept::Unknown(text) = judge(&few, "5%") else {
            panic!("two repeats decide nothing")
        };
        assert!(
            text.ends_with("repeats each: 2, needs at least 3"),
            "{text}"
        );
    }
}
