//! Whether a count keeps to a limit: exactly where counts repeat, else by two one-sided
//! tests of the same kind as `compare`'s for each end that the limit has.
//!
//! With the base moved to the end (`base · (1 + limit)`, `base + limit`), the hypothesis "at
//! most so much more" is one about equal means. If the head is significantly beyond it, the
//! limit is broken; if it is significantly within, this end is kept; else neither is known.
//! Holm's correction is made over all tests of each kind.

use super::amount::Amount;
use super::count::Count;
use super::rules::Limit;
use crate::compare::{Tail, Tested, Tests};

/// What came of one count, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No(String),
    Unknown(String),
}

/// One end of what a limit lets a count become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    More(Amount),
    Fewer(Amount),
}

impl Limit {
    /// The ends that a limit on the change has.
    fn ends(self) -> Vec<End> {
        match self {
            Limit::MaxIncrease(most) => vec![End::More(most)],
            Limit::MaxDecrease(most) => vec![End::Fewer(most)],
            Limit::MaxChange(most) => vec![End::More(most), End::Fewer(most)],
            Limit::Exact | Limit::MaxExits(_) => Vec::new(),
        }
    }

    /// Whether it is about a change of a count that need not be none: on noisy platforms, a
    /// question for tests.
    pub(super) fn is_of_a_change(self) -> bool {
        !self.ends().is_empty()
    }
}

impl End {
    /// Whether a count is beyond it.
    fn is_passed(self, base: u64, head: u64) -> bool {
        match self {
            End::More(most) => most.is_exceeded(base, head),
            End::Fewer(most) => most.is_undercut(base, head),
        }
    }

    /// Of two numbers of repeats, those that are the furthest apart in this direction.
    fn furthest(self, base: [u64; 2], head: [u64; 2]) -> (u64, u64) {
        match self {
            End::More(_) => (base[0], head[1]),
            End::Fewer(_) => (base[1], head[0]),
        }
    }

    /// Those that are the nearest.
    fn nearest(self, base: [u64; 2], head: [u64; 2]) -> (u64, u64) {
        match self {
            End::More(_) => (base[1], head[0]),
            End::Fewer(_) => (base[0], head[1]),
        }
    }

    /// `more than 2% more`
    fn words(self) -> String {
        match self {
            End::More(most) => format!("more than {most} more"),
            End::Fewer(most) => format!("more than {most} fewer"),
        }
    }
}

/// Judges a count where every exit counts. Where repeats differ although they must not,
/// the limit is broken only if no repeat keeps it, and kept only if each does.
pub(super) fn exact(count: &Count, limit: Limit) -> Kept {
    let range = |values: &[u64]| {
        let least = values.iter().min().copied().unwrap_or(0);
        [least, values.iter().max().copied().unwrap_or(0)]
    };
    let (base, head) = (range(&count.base), range(&count.head));
    let say = |what: &str| format!("{}: {}{what}", count.label, count.change());
    match limit {
        Limit::Exact if head[0] != head[1] => Kept::No(say(": the repeats of the head differ")),
        Limit::Exact if base[0] != base[1] => {
            Kept::Unknown(say(": the repeats of the base differ"))
        }
        Limit::Exact if base[0] == head[0] => Kept::Yes,
        Limit::Exact => Kept::No(say("")),
        Limit::MaxExits(exits) if head[1] > exits => Kept::No(say(&format!(": more than {exits}"))),
        Limit::MaxExits(_) => Kept::Yes,
        limit => {
            let ends = limit.ends();
            let passed = |by: fn(End, [u64; 2], [u64; 2]) -> (u64, u64)| {
                ends.iter().find(|end| {
                    let (base, head) = by(**end, base, head);
                    end.is_passed(base, head)
                })
            };
            match (passed(End::nearest), passed(End::furthest)) {
                (Some(end), _) => Kept::No(say(&format!(": {}", end.words()))),
                (None, Some(_)) => Kept::Unknown(say(": some repeats keep the limit, some do not")),
                (None, None) => Kept::Yes,
            }
        }
    }
}

/// One test of a count: whether the head is beyond an end.
struct Test<'a> {
    count: &'a Count,
    end: End,
    base: Vec<f64>,
    head: Vec<f64>,
}

impl Test<'_> {
    fn of(count: &Count, end: End) -> Test<'_> {
        let moved = |&exits: &u64| match end {
            End::More(most) => most.above(exits),
            End::Fewer(most) => most.below(exits),
        };
        Test {
            count,
            end,
            base: count.base.iter().map(moved).collect(),
            head: count.head.iter().map(|&exits| exits as f64).collect(),
        }
    }

    /// Where the head is if it is beyond the end.
    fn beyond(&self) -> Tail {
        match self.end {
            End::More(_) => Tail::Upper,
            End::Fewer(_) => Tail::Lower,
        }
    }

    /// Where it is if it keeps to it.
    fn within(&self) -> Tail {
        match self.end {
            End::More(_) => Tail::Lower,
            End::Fewer(_) => Tail::Upper,
        }
    }

    fn outcome(&self, tests: &Tests, level: f64, beyond: &Tested, within: &Tested) -> Kept {
        let count = self.count;
        let say = |what: String| format!("{}: {}: {what}", count.label, count.change());
        let (base, head) = (count.base.len(), count.head.len());
        if let Err(needs) = tests.decidable(base, head, Tail::Upper) {
            let repeats = base.min(head);
            return Kept::Unknown(say(format!(
                "undecided: repeats each: {repeats}, needs at least {needs}"
            )));
        }
        if beyond.adjusted <= level {
            let words = self.end.words();
            return Kept::No(say(format!("{words} (p = {:.4})", beyond.adjusted)));
        }
        if within.adjusted <= level {
            return Kept::Yes;
        }
        let end = match self.end {
            End::More(most) => format!("+{most}"),
            End::Fewer(most) => format!("−{most}"),
        };
        Kept::Unknown(say(format!(
            "neither above nor below {end} for certain (p = {:.3} and {:.3}): more repeats or a \
             wider limit",
            beyond.adjusted, within.adjusted
        )))
    }
}

/// Judges many noisy counts together: for each, what came of each end of its limit.
pub(super) fn noisy(counts: &[(&Count, Limit)], level: f64) -> Vec<Vec<Kept>> {
    let ends: Vec<Vec<End>> = counts.iter().map(|(_, limit)| limit.ends()).collect();
    let all: Vec<Test> = counts
        .iter()
        .zip(&ends)
        .flat_map(|((count, _), ends)| ends.iter().map(|end| Test::of(count, *end)))
        .collect();
    let tests = Tests::new(all.len(), level);
    let corrected = |tail: &dyn Fn(&Test) -> Tail| {
        let p = |test: &Test| tests.p(&test.base, &test.head, tail(test));
        tests.holm(&all.iter().map(p).collect::<Vec<_>>())
    };
    let (beyond, within) = (
        corrected(&|test| test.beyond()),
        corrected(&|test| test.within()),
    );
    let tested = all.iter().zip(beyond.iter().zip(&within));
    let mut outcomes =
        tested.map(|(test, (beyond, within))| test.outcome(&tests, level, beyond, within));
    ends.iter()
        .map(|ends| outcomes.by_ref().take(ends.len()).collect())
        .collect()
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
            why: Vec::new(),
        }
    }

    fn percent(text: &str) -> Amount {
        Amount::Part(text.parse().unwrap())
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
    fn what_becomes_less_or_vanishes_is_a_change_too() {
        let judge = |base: &[u64], head: &[u64], limit| exact(&count(base, head), limit);
        for (limit, more, fewer) in [
            (Limit::MaxIncrease(percent("2%")), [102, 103], None),
            (Limit::MaxIncrease(Amount::Exits(3)), [103, 104], None),
            (
                Limit::MaxDecrease(percent("2%")),
                [900, 901],
                Some([98, 97]),
            ),
            (
                Limit::MaxDecrease(Amount::Exits(3)),
                [900, 901],
                Some([97, 96]),
            ),
            (Limit::MaxChange(percent("2%")), [102, 103], Some([98, 97])),
            (
                Limit::MaxChange(Amount::Exits(3)),
                [103, 104],
                Some([97, 96]),
            ),
        ] {
            let keeps = |head: u64| judge(&[100], &[head], limit) == Kept::Yes;
            assert!(keeps(more[0]) && keeps(100), "{limit:?}");
            let bounded = !matches!(limit, Limit::MaxDecrease(_));
            assert_eq!(!keeps(more[1]), bounded, "{limit:?}");
            match fewer {
                Some([least, less]) => assert!(keeps(least) && !keeps(less), "{limit:?}"),
                None => assert!(keeps(0), "{limit:?}"),
            }
        }
        let gone = judge(&[7], &[0], Limit::MaxDecrease(percent("50%")));
        let words = "10 CPUID: 7 → 0, -7, -100.00 %: more than 50% fewer";
        assert_eq!(gone, Kept::No(words.to_owned()));
        let some = judge(&[100], &[98, 97], Limit::MaxChange(percent("2%")));
        assert!(matches!(some, Kept::Unknown(_)));
    }

    fn one(count: &Count, limit: Limit) -> Vec<Kept> {
        noisy(&[(count, limit)], 0.05).remove(0)
    }

    const BASE: [u64; 8] = [1000, 1010, 990, 1005, 995, 1002, 998, 1001];

    fn by(factor: f64) -> Count {
        count(&BASE, &BASE.map(|n| (n as f64 * factor) as u64))
    }

    #[test]
    fn noise_has_three_outcomes() {
        let judge = |count: &Count, limit| one(count, Limit::MaxIncrease(percent(limit))).remove(0);
        assert_eq!(judge(&by(1.0), "5%"), Kept::Yes);
        assert!(matches!(judge(&by(1.1), "5%"), Kept::No(_)));
        assert!(matches!(judge(&by(1.05), "5%"), Kept::Unknown(_)));
        let few = count(&BASE[..2], &BASE[..2]);
        let Kept::Unknown(text) = judge(&few, "5%") else {
            panic!("two repeats decide nothing")
        };
        assert!(
            text.ends_with("repeats each: 2, needs at least 3"),
            "{text}"
        );
    }

    #[test]
    fn noise_may_not_fall_either() {
        let fewer = |factor| one(&by(factor), Limit::MaxDecrease(percent("5%"))).remove(0);
        assert_eq!(fewer(1.0), Kept::Yes);
        assert_eq!(fewer(1.3), Kept::Yes);
        assert!(matches!(fewer(0.9), Kept::No(_)));
        assert!(matches!(fewer(0.95), Kept::Unknown(_)));
        let change = |factor| one(&by(factor), Limit::MaxChange(Amount::Exits(50)));
        assert_eq!(change(1.0), [Kept::Yes, Kept::Yes]);
        assert!(matches!(&change(1.1)[..], [Kept::No(_), Kept::Yes]));
        assert!(matches!(&change(0.9)[..], [Kept::Yes, Kept::No(_)]));
        assert!(matches!(&change(0.0)[..], [Kept::Yes, Kept::No(_)]));
    }
}
