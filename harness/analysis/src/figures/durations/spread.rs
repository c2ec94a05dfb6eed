//! How long a number of exits took, as far as buckets tell it: exact sums, and bounds of what
//! stands where in their order.

use std::collections::BTreeMap;

/// Exits by stretches of durations that do not overlap: shortest and longest time of a stretch,
/// nanoseconds; how many exits, and their times together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread(BTreeMap<(u64, u64), Part>);

/// The exits of one stretch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    count: u64,
    sum: u64,
}

/// At least so many nanoseconds, and at most.
pub type Bounds = (u64, u64);

impl Spread {
    /// Adds `count` exits that took `least` to `most` each, `sum` together.
    pub fn add(&mut self, (least, most): (u64, u64), count: u64, sum: u64) {
        let part = self.0.entry((least, most)).or_default();
        part.count = part.count.saturating_add(count);
        part.sum = part.sum.saturating_add(sum);
    }

    /// Those of several.
    pub fn of_all<'a>(all: impl IntoIterator<Item = &'a Spread>) -> Spread {
        let mut spread = Spread::default();
        for (stretch, part) in all.into_iter().flat_map(|other| &other.0) {
            spread.add(*stretch, part.count, part.sum);
        }
        spread
    }

    /// Those that came after `before`, of which these are the continuation; none if they
    /// cannot be it, because something became less.
    pub fn since(&self, before: &Spread) -> Option<Spread> {
        let mut new = BTreeMap::new();
        for (stretch, then) in &before.0 {
            let now = self.0.get(stretch)?;
            now.count.checked_sub(then.count)?;
            now.sum.checked_sub(then.sum)?;
        }
        for (stretch, now) in &self.0 {
            let then = before.0.get(stretch).copied().unwrap_or_default();
            let count = now.count - then.count;
            if count > 0 {
                let sum = now.sum - then.sum;
                new.insert(*stretch, Part { count, sum });
            }
        }
        Some(Spread(new))
    }

    /// Whether each sum can be one of so many durations of its stretch.
    pub fn is_possible(&self) -> bool {
        self.0.iter().all(|((least, most), part)| {
            let of = |each: u64| u128::from(each) * u128::from(part.count);
            (of(*least)..=of(*most)).contains(&u128::from(part.sum))
        })
    }

    /// How many exits.
    pub fn count(&self) -> u64 {
        let counts = self.0.values().map(|part| part.count);
        counts.fold(0, u64::saturating_add)
    }

    /// Their times together, nanoseconds; exact.
    pub fn sum(&self) -> u128 {
        self.0.values().map(|part| u128::from(part.sum)).sum()
    }

    /// The mean, nanoseconds.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() as f64 / count as f64)
    }

    /// The shortest.
    pub fn least(&self) -> Option<Bounds> {
        self.nth(1)
    }

    /// The longest.
    pub fn most(&self) -> Option<Bounds> {
        self.nth(self.count())
    }

    /// The shortest for which `percent` of all are no longer than it: of `n`, in their order,
    /// that with the number `n · percent / 100`, rounded up.
    pub fn percentile(&self, percent: u64) -> Option<Bounds> {
        let number = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        self.nth(u64::try_from(number).ok()?.max(1))
    }

    /// The one with this number, from 1 on, in their order. It is in a stretch; and the sum
    /// says more: with the first `n` of `m` at most `x` and the rest at most the stretch's end,
    /// `n · x` and the rest come to at least the sum. So for the other side.
    fn nth(&self, number: u64) -> Option<Bounds> {
        let mut before = 0_u64;
        for ((least, most), part) in &self.0 {
            let through = before.saturating_add(part.count);
            if number > through {
                before = through;
                continue;
            }
            let n = i128::from(number.checked_sub(before)?);
            let (m, sum) = (i128::from(part.count), i128::from(part.sum));
            let (begin, end) = (i128::from(*least), i128::from(*most));
            let up_to_it = sum - (m - n) * end;
            let from_it_on = sum - (n - 1) * begin;
            // Of what is not negative, the mean rounded up; else the stretch's begin holds.
            let low = (up_to_it + n - 1).div_euclid(n.max(1)).max(begin);
            let high = from_it_on.div_euclid(m - n + 1).min(end);
            let bound = |ns: i128| u64::try_from(ns.clamp(begin, end)).ok();
            return Some((bound(low)?, bound(high)?));
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the agent's bands do it.
    fn stretch(ns: u64) -> (u64, u64) {
        let width = match ns {
            0..1024 => 32,
            _ => 128 << ((ns.ilog2() - 10) / 4 * 4),
        };
        (ns / width * width, ns / width * width + width - 1)
    }

    fn spread(all: &[u64]) -> Spread {
        let mut spread = Spread::default();
        all.iter().for_each(|ns| spread.add(stretch(*ns), 1, *ns));
        spread
    }

    fn durations() -> impl Strategy<Value = Vec<u64>> {
        let one = (0_u32..40, 0_u64..1 << 40).prop_map(|(bits, ns)| ns >> bits);
        // Some of them are alike, as those of a program's loop are.
        let alike = (one, 1_usize..20).prop_map(|(ns, times)| vec![ns; times]);
        prop::collection::vec(alike, 1..12).prop_map(|all| all.concat())
    }

    proptest! {
        #[test]
        fn bounds_hold_what_they_are_bounds_of(mut all in durations(), percent in 1_u64..=100) {
            let spread = spread(&all);
            all.sort_unstable();
            let within = |(least, most): Bounds, ns: u64| {
                let fine = most - least <= 31.max(ns / 8);
                (least..=most).contains(&ns) && fine
            };
            prop_assert!(within(spread.least().unwrap(), all[0]));
            prop_assert!(within(spread.most().unwrap(), all[all.len() - 1]));
            let number = (all.len() as u64 * percent).div_ceil(100).max(1) as usize;
            prop_assert!(within(spread.percentile(percent).unwrap(), all[number - 1]));
            prop_assert_eq!(spread.count(), all.len() as u64);
            prop_assert_eq!(spread.sum(), all.iter().map(|ns| u128::from(*ns)).sum::<u128>());
            prop_assert!(spread.is_possible());
        }

        #[test]
        fn what_came_later_is_what_is_there_less_what_was(first in durations(), then in durations()) {
            let both = spread(&[first.clone(), then.clone()].concat());
            prop_assert_eq!(both.since(&spread(&first)), Some(spread(&then)));
            prop_assert_eq!(Spread::of_all([&spread(&first), &spread(&then)]), both);
        }
    }

    #[test]
    fn what_is_alone_in_its_stretch_is_exact_and_what_became_less_is_nothing() {
        let one = spread(&[1_000_000, 3]);
        assert_eq!(one.most(), Some((1_000_000, 1_000_000)));
        assert_eq!(one.percentile(50), Some((3, 3)));
        assert_eq!(spread(&[3]).since(&one), None);
        assert_eq!(
            (Spread::default().most(), Spread::default().mean()),
            (None, None)
        );
        let mut impossible = Spread::default();
        impossible.add((1024, 1151), 2, 5000);
        assert!(!impossible.is_possible());
    }
}
