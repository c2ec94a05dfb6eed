//! How large a change is, and how well that is known: the relative change of the mean with
//! a bootstrap interval (Efron 1979; Efron & Tibshirani 1993, chapter 13: percentiles).

use super::random::Random;

/// Resamples. Both percentiles of a 95 % interval then rest on 100 of them.
const RESAMPLES: usize = 4_000;

/// A confidence interval of a relative change; 0.05 is +5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The interval of `mean(head) / mean(base) - 1` that covers it with `1 - level`. `None`
/// with fewer than two repeats on a side, or where a resampled base has no exits: then
/// there is no relative change.
pub fn relative_interval(base: &[u64], head: &[u64], level: f64) -> Option<Interval> {
    if base.len() < 2 || head.len() < 2 {
        return None;
    }
    let mut random = Random::of("exitlab: bootstrap");
    let mut mean = |values: &[u64]| {
        let drawn = (0..values.len()).map(|_| values[random.below(values.len())] as f64);
        drawn.sum::<f64>() / values.len() as f64
    };
    let mut changes = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let (base, head) = (mean(base), mean(head));
        if base == 0.0 {
            return None;
        }
        changes.push(head / base - 1.0);
    }
    changes.sort_by(f64::total_cmp);
    // As many are left out below as above.
    let outside = (RESAMPLES as f64 * level / 2.0) as usize;
    Some(Interval {
        low: changes[outside],
        high: changes[RESAMPLES - 1 - outside],
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_change_and_shrinks_with_repeats() {
        let noisy = |count: u64, about: u64| -> Vec<u64> {
            (0..count).map(|n| about + n * 37 % 41).collect()
        };
        let few = relative_interval(&noisy(5, 1000), &noisy(5, 1100), 0.05).unwrap();
        let many = relative_interval(&noisy(40, 1000), &noisy(40, 1100), 0.05).unwrap();
        for interval in [few, many] {
            assert!(interval.low < 0.1 && 0.1 < interval.high, "{interval:?}");
        }
        assert!(many.high - many.low < few.high - few.low);
        assert_eq!(relative_interval(&[1], &[2], 0.05), None);
        assert_eq!(relative_interval(&[0, 0], &[2, 3], 0.05), None);
    }
}
