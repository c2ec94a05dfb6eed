//! The permutation test of a difference in means, and what it can reach at all.
//!
//! If both sides come from one distribution, every way to deal the measured numbers to the
//! two sides is as likely as the one that was seen (Fisher 1935; Pitman 1937). So the
//! p-value is the share of all ways whose difference is at least as large. It needs no
//! distribution and no variance. Where there are too many ways, a random sample of them
//! stands for all, and the way that was seen counts as one of the sample:
//! p = (b + 1) / (B + 1), which never is 0 (Davison & Hinkley 1997; Phipson & Smyth 2010).

use super::random::Random;

/// Up to so many ways every one is looked at.
const EXACT_WAYS: f64 = 50_000.0;

/// The least number of random ways.
const LEAST_DRAWN: usize = 9_999;

/// The most.
const MOST_DRAWN: usize = 199_999;

/// Which differences count as at least as large as the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Those as far from zero, on either side.
    Both,
    /// Those in which the head is as much larger.
    Upper,
    /// Those in which the head is as much smaller.
    Lower,
}

/// The p-value of a difference between the means of `base` and `head`. `tests` is how many
/// p-values are corrected together, at `level`: it decides how fine a random sample must
/// be. 1 if a side is empty.
pub fn permutation_p(base: &[f64], head: &[f64], tail: Tail, tests: usize, level: f64) -> f64 {
    if base.is_empty() || head.is_empty() {
        return 1.0;
    }
    let scene = Scene::of(base, head, tail);
    if ways(base.len(), head.len()) <= EXACT_WAYS {
        return scene.exact();
    }
    scene.drawn(drawn(tests, level))
}

/// How many random ways are drawn: twenty for each that a corrected level lets exceed.
fn drawn(tests: usize, level: f64) -> usize {
    let wanted = (20.0 * tests as f64 / level) as usize;
    wanted.clamp(LEAST_DRAWN, MOST_DRAWN)
}

/// What is the same for all ways.
struct Scene {
    all: Vec<f64>,
    heads: usize,
    /// What the head's sum is on average over all ways.
    centre: f64,
    /// The head's sum that was seen.
    seen: f64,
    tail: Tail,
    /// Sums that differ by less are the same: the order of adding changes their last bits.
    tolerance: f64,
}

impl Scene {
    /// With fixed sizes the difference of means is a linear function of the head's sum, so
    /// that the sum orders the ways in the same manner.
    fn of(base: &[f64], head: &[f64], tail: Tail) -> Scene {
        let all: Vec<f64> = head.iter().chain(base).copied().collect();
        let total: f64 = all.iter().sum();
        let magnitude: f64 = all.iter().map(|value| value.abs()).sum();
        Scene {
            heads: head.len(),
            centre: total * head.len() as f64 / all.len() as f64,
            seen: head.iter().sum(),
            tail,
            tolerance: magnitude * 1e-12,
            all,
        }
    }

    fn extreme(&self, sum: f64) -> bool {
        let (here, seen) = (sum - self.centre, self.seen - self.centre);
        match self.tail {
            Tail::Both => here.abs() >= seen.abs() - self.tolerance,
            Tail::Upper => here >= seen - self.tolerance,
            Tail::Lower => here <= seen + self.tolerance,
        }
    }

    /// Looks at every way to choose the head's numbers.
    fn exact(&self) -> f64 {
        let (mut extreme, mut all) = (0u64, 0u64);
        let mut chosen: Vec<usize> = (0..self.heads).collect();
        loop {
            let sum = chosen.iter().map(|&at| self.all[at]).sum();
            extreme += u64::from(self.extreme(sum));
            all += 1;
            if !advance(&mut chosen, self.all.len()) {
                return extreme as f64 / all as f64;
            }
        }
    }

    fn drawn(&self, count: usize) -> f64 {
        let mut random = Random::of("exitlab: permutation test");
        let mut values = self.all.clone();
        let extreme = (0..count)
            .filter(|_| {
                random.choose(&mut values, self.heads);
                self.extreme(values[..self.heads].iter().sum())
            })
            .count();
        (extreme + 1) as f64 / (count + 1) as f64
    }
}

/// The next choice of positions in lexical order; false after the last.
fn advance(chosen: &mut [usize], of: usize) -> bool {
    let count = chosen.len();
    let Some(at) = (0..count).rev().find(|&at| chosen[at] < of - count + at) else {
        return false;
    };
    chosen[at] += 1;
    for next in at + 1..count {
        chosen[next] = chosen[next - 1] + 1;
    }
    true
}

/// In how many ways numbers can be dealt to two sides of these sizes.
fn ways(base: usize, head: usize) -> f64 {
    (1..=head).fold(1.0, |ways, n| ways * (base + n) as f64 / n as f64)
}

/// The smallest p-value that sides of these sizes can reach with `tests` tests: for both
/// tails and equal sizes two ways of all are the most extreme, else one.
pub fn least_p(base: usize, head: usize, tail: Tail, tests: usize, level: f64) -> f64 {
    let ways = ways(base, head);
    let most_extreme = match tail {
        Tail::Both if base == head => 2.0,
        _ => 1.0,
    };
    if base == 0 || head == 0 {
        1.0
    } else if ways <= EXACT_WAYS {
        (most_extreme / ways).min(1.0)
    } else {
        let drawn = 1.0 / (drawn(tests, level) + 1) as f64;
        drawn.max(most_extreme / ways)
    }
}

/// The least number of repeats on each side with which the smallest of `tests` p-values
/// can fall to `level` after Holm's correction.
pub fn least_repeats(tail: Tail, tests: usize, level: f64) -> usize {
    let enough = |&n: &usize| least_p(n, n, tail, tests, level) <= level / tests.max(1) as f64;
    (1..=64).find(enough).unwrap_or(64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn p(base: &[f64], head: &[f64], tail: Tail) -> f64 {
        permutation_p(base, head, tail, 1, 0.05)
    }

    #[test]
    fn p_values_by_hand() {
        // 3 and 3: 20 ways, the two most extreme of which are the seen one and its mirror.
        let (low, high) = ([1.0, 2.0, 3.0], [10.0, 11.0, 12.0]);
        assert_eq!(p(&low, &high, Tail::Both), 0.1);
        assert_eq!(p(&low, &high, Tail::Upper), 0.05);
        assert_eq!(p(&low, &high, Tail::Lower), 1.0);
        // Head 2, 4 of 1, 2, 3, 4: sums 3 4 5 5 6 7; 6 or more: 2; as far from 5: 4.
        assert_eq!(p(&[1.0, 3.0], &[2.0, 4.0], Tail::Upper), 2.0 / 6.0);
        assert_eq!(p(&[1.0, 3.0], &[2.0, 4.0], Tail::Both), 4.0 / 6.0);
        assert_eq!(
            p(&[5.0, 5.0], &[5.0, 5.0], Tail::Both),
            1.0,
            "ties are no evidence"
        );
    }

    #[test]
    fn random_ways_agree_with_all_ways() {
        let base: Vec<f64> = (0..8).map(|n| f64::from(n * n % 13)).collect();
        let head: Vec<f64> = (0..8).map(|n| f64::from(n * n % 11 + 4)).collect();
        let scene = Scene::of(&base, &head, Tail::Both);
        let (all, some) = (scene.exact(), scene.drawn(20_000));
        assert!((all - some).abs() < 0.01, "{all} and {some}");
    }

    #[test]
    fn too_few_repeats_are_known_beforehand() {
        // 2 / C(2n, n): 0.1 with 3, 0.029 with 4.
        assert_eq!(least_repeats(Tail::Both, 1, 0.05), 4);
        // 60 tests at 5 %: below 1/1200; 2/C(12,6) = 1/462, 2/C(14,7) = 1/1716.
        assert_eq!(least_repeats(Tail::Both, 60, 0.05), 7);
        assert_eq!(least_p(3, 3, Tail::Both, 1, 0.05), 0.1);
        assert_eq!(least_p(3, 4, Tail::Both, 1, 0.05), 1.0 / 35.0);
        assert!(least_p(30, 30, Tail::Both, 100, 0.05) <= 0.05 / 100.0 / 10.0);
    }

    proptest! {
        #[test]
        fn a_p_value_is_one_of_a_test(base in prop::collection::vec(0u32..50, 1..7),
                                      head in prop::collection::vec(0u32..50, 1..7)) {
            let floats = |values: &[u32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
            let (base, head) = (floats(&base), floats(&head));
            let both = p(&base, &head, Tail::Both);
            prop_assert!(both > 0.0 && both <= 1.0);
            prop_assert!(both >= least_p(base.len(), head.len(), Tail::Both, 1, 0.05) - 1e-12);
            prop_assert!((both - p(&head, &base, Tail::Both)).abs() < 1e-12, "symmetric");
            let (up, down) = (p(&base, &head, Tail::Upper), p(&base, &head, Tail::Lower));
            prop_assert!(up + down >= 1.0, "the seen way is in both tails");
        }
    }
}
