//! Where two sequences of exits part, and where they meet again.

use std::collections::HashMap;
use std::ops::Range;

/// So many equal exits in a row are no accident: there two sequences meet again.
const MEETING: usize = 8;

/// How far a meeting is looked for, exits of either side; if there is none, farther.
const WINDOWS: [usize; 2] = [1 << 12, 1 << 16];

/// A stretch of which each side has its own; before and after it both have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// Exits of the base.
    pub base: Range<usize>,
    /// Exits of the head.
    pub head: Range<usize>,
    /// How many both have just before it.
    pub common: usize,
    /// Whether they meet again after it.
    pub meets: bool,
}

/// What exits are to the search.
pub trait Exits {
    /// Equal for exits that are alike once the sides have parted.
    fn alike(&self, exit: u32) -> u32;

    /// Whether it comes when the host has something to do: after a parting it comes elsewhere, and
    /// says nothing of where the sides meet.
    fn is_the_hosts(&self, exit: u32) -> bool;
}

/// The partings of two sequences, at most so many. At first everything must be equal; once they
/// have parted only what is alike.
pub fn partings(base: &[u32], head: &[u32], exits: &impl Exits, most: usize) -> Vec<Parting> {
    let mut found: Vec<Parting> = Vec::new();
    let (mut at, mut of_head) = (0, 0);
    while found.len() < most {
        let (rest, rest_of_head) = (&base[at..], &head[of_head..]);
        let pairs = rest.iter().zip(rest_of_head);
        let strict = found.is_empty();
        let equal = pairs.take_while(|(one, other)| match strict {
            true => one == other,
            false => exits.alike(**one) == exits.alike(**other),
        });
        let common = equal.count();
        let (rest, rest_of_head) = (&rest[common..], &rest_of_head[common..]);
        if rest.is_empty() && rest_of_head.is_empty() {
            break;
        }
        let met = meeting(rest, rest_of_head, exits);
        let (one, other) = met.unwrap_or((rest.len(), rest_of_head.len()));
        (at, of_head) = (at + common, of_head + common);
        found.push(Parting {
            base: at..at + one,
            head: of_head..of_head + other,
            common,
            meets: met.is_some(),
        });
        (at, of_head) = (at + one, of_head + other);
        if met.is_none() {
            break;
        }
    }
    found
}

/// The nearest place where both go on alike: how far it is on each side.
fn meeting(base: &[u32], head: &[u32], exits: &impl Exits) -> Option<(usize, usize)> {
    let mut all = WINDOWS.iter();
    all.find_map(|window| {
        let (one, other) = (
            Near::of(base, *window, exits),
            Near::of(head, *window, exits),
        );
        let ends = base.len().max(head.len()) <= window + MEETING;
        let met = nearest(&one, &other);
        met.or_else(|| ends.then(|| at_the_end(base, head, exits)).flatten())
    })
}

/// The next exits of a side that are the guest's doing.
struct Near {
    exits: Vec<u32>,
    /// How far each is.
    far: Vec<usize>,
}

impl Near {
    fn of(side: &[u32], window: usize, exits: &impl Exits) -> Near {
        let side = side.iter().take(window + MEETING).enumerate();
        let own = side.filter(|(_, exit)| !exits.is_the_hosts(**exit));
        let (far, own) = own.map(|(at, exit)| (at, exits.alike(*exit))).unzip();
        Near { exits: own, far }
    }

    fn runs(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.far.iter().copied().zip(self.exits.windows(MEETING))
    }
}

fn nearest(base: &Near, head: &Near) -> Option<(usize, usize)> {
    let mut first: HashMap<&[u32], usize> = HashMap::new();
    for (at, run) in head.runs() {
        first.entry(run).or_insert(at);
    }
    let mut best: Option<(usize, usize)> = None;
    let sum = |(one, other): (usize, usize)| one + other;
    for (at, run) in base.runs() {
        if best.is_some_and(|best| sum(best) <= at) {
            break;
        }
        if let Some(&other) = first.get(run)
            && best.is_none_or(|best| at + other < sum(best))
        {
            best = Some((at, other));
        }
    }
    best
}

/// Behind the last parting there may be fewer than it takes to meet: what both end with.
fn at_the_end(base: &[u32], head: &[u32], exits: &impl Exits) -> Option<(usize, usize)> {
    let pairs = base.iter().rev().zip(head.iter().rev());
    let same = pairs.take_while(|(one, other)| exits.alike(**one) == exits.alike(**other));
    let same = same.count();
    (same > 0).then(|| (base.len() - same, head.len() - same))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Exits are alike by their last two digits; those from 9,000 on are the host's.
    struct Digits;

    impl Exits for Digits {
        fn alike(&self, exit: u32) -> u32 {
            exit % 100
        }

        fn is_the_hosts(&self, exit: u32) -> bool {
            exit >= 9000
        }
    }

    fn of(base: &[u32], head: &[u32]) -> Vec<Parting> {
        partings(base, head, &Digits, 9)
    }

    /// A CPUID more, and the host's timer comes a little later: the parting is the CPUID's alone.
    #[test]
    fn interrupts_of_the_host_do_not_hide_where_sides_meet() {
        let mut base: Vec<u32> = (0..50).collect();
        let mut head = base.clone();
        head.insert(20, 77);
        base.insert(23, 9001);
        head.insert(28, 9001);
        let found = of(&base, &head);
        let own: Vec<_> = found
            .iter()
            .map(|parting| (parting.base.clone(), parting.head.clone()))
            .collect();
        assert_eq!(own, [(20..20, 20..21), (23..24, 24..24), (28..28, 28..29)]);
        assert!(found.iter().all(|parting| parting.meets));
    }

    #[test]
    fn what_only_one_side_has_is_found_and_what_follows_is_common() {
        let base: Vec<u32> = (0..100).collect();
        assert_eq!(of(&base, &base), []);
        let mut head = base.clone();
        head.insert(40, 7);
        head.splice(60..63, [1000, 1001]);
        let found = of(&base, &head);
        assert_eq!(
            found,
            [
                Parting {
                    base: 40..40,
                    head: 40..41,
                    common: 40,
                    meets: true
                },
                Parting {
                    base: 59..62,
                    head: 60..62,
                    common: 19,
                    meets: true
                },
            ]
        );
        // Fewer than it takes to meet, but both end there.
        let found = of(&[1, 2, 3, 4], &[1, 9, 3, 4]);
        assert_eq!((found[0].base.clone(), found[0].meets), (1..2, true));
        let found = of(&[1, 2], &[1]);
        assert_eq!((found[0].base.clone(), found[0].meets), (1..2, false));
        assert_eq!(of(&[], &[5]).len(), 1);
    }

    #[test]
    fn what_is_alike_counts_as_equal_only_after_the_first_parting() {
        let base: Vec<u32> = (0..40).collect();
        let mut head = base.clone();
        (head[5], head[20]) = (105, 120);
        let found = of(&base, &head);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].base.clone(), found[0].meets), (5..5, true));
    }

    proptest! {
        #[test]
        fn partings_and_what_is_between_them_are_all_there_is(
            base in prop::collection::vec(prop_oneof![0..6_u32, Just(9007)], 0..80),
            head in prop::collection::vec(prop_oneof![0..6_u32, Just(9007)], 0..80),
        ) {
            let found = partings(&base, &head, &Digits, usize::MAX);
            let (mut one, mut other) = (0, 0);
            for parting in &found {
                prop_assert_eq!(&base[one..parting.base.start], &head[other..parting.head.start]);
                (one, other) = (parting.base.end, parting.head.end);
            }
            prop_assert_eq!(&base[one..], &head[other..]);
        }
    }
}
