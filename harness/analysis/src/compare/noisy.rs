//! Platforms on a real clock: which differences are more than noise.

use super::counts::mean;
use super::permutation::{Tail, least_p, least_repeats, permutation_p};
use super::verdict::{Settings, Verdict};

/// The tests of one comparison, corrected together.
#[derive(Debug, Clone)]
pub struct Tests {
    /// Probability of at least one false alarm among all of them.
    level: f64,
    count: usize,
}

/// One reason of one phase, tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The p-value by itself.
    pub p: f64,
    /// After Holm's correction: compare it with the level.
    pub adjusted: f64,
}

impl Tests {
    /// `count` tests at `level`.
    pub fn new(count: usize, level: f64) -> Tests {
        Tests { level, count }
    }

    /// Whether sides of so many repeats can reach the level at all.
    ///
    /// # Errors
    ///
    /// The least number of repeats on each side that can.
    pub fn decidable(&self, base: usize, head: usize, tail: Tail) -> Result<(), usize> {
        let least = least_p(base, head, tail, self.count, self.level);
        if least <= self.level / self.count.max(1) as f64 {
            return Ok(());
        }
        Err(least_repeats(tail, self.count, self.level))
    }

    /// The p-value of one of the tests, not corrected.
    pub fn p(&self, base: &[f64], head: &[f64], tail: Tail) -> f64 {
        permutation_p(base, head, tail, self.count, self.level)
    }

    /// Holm's correction (1979): the k-th smallest of m p-values is multiplied by
    /// m - k + 1, and none becomes smaller than one before it.
    pub fn holm(&self, p_values: &[f64]) -> Vec<Tested> {
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
        let mut tested: Vec<Tested> = p_values
            .iter()
            .map(|&p| Tested { p, adjusted: p })
            .collect();
        let mut largest: f64 = 0.0;
        for (rank, &at) in order.iter().enumerate() {
            let factor = self.count.max(p_values.len()) - rank;
            largest = largest.max((p_values[at] * factor as f64).min(1.0));
            tested[at].adjusted = largest;
        }
        tested
    }
}

/// Whether one reason of one phase is tested: only where there are exits enough to matter.
/// The mean over both sides decides, which is the same however the numbers are dealt to
/// them: such a choice leaves the tests' levels true (Bourgon, Gentleman & Huber 2010).
pub(super) fn is_tested(base: &[u64], head: &[u64], settings: &Settings) -> bool {
    let all: Vec<u64> = base.iter().chain(head).copied().collect();
    mean(&all) >= settings.least_exits as f64
}

/// The verdict on a test.
pub(super) fn verdict(tested: Tested, relative: Option<f64>, settings: &Settings) -> Verdict {
    if tested.adjusted > settings.level {
        return Verdict::Same;
    }
    match relative {
        Some(change) if change.abs() < settings.floor => Verdict::BelowFloor,
        _ => Verdict::Differs,
    }
}

/// Counts as numbers that can be added and scaled.
pub(super) fn floats(values: &[u64]) -> Vec<f64> {
    values.iter().map(|&value| value as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_by_hand() {
        let tests = Tests::new(4, 0.05);
        let tested = tests.holm(&[0.01, 0.04, 0.03, 0.005]);
        let adjusted: Vec<f64> = tested
            .iter()
            .map(|t| (t.adjusted * 1e6).round() / 1e6)
            .collect();
        assert_eq!(adjusted, [0.03, 0.06, 0.06, 0.02]);
        // Tests that were counted but not made still cost.
        let alone = tests.holm(&[0.01]);
        assert_eq!(alone[0].adjusted, 0.04);
    }

    #[test]
    fn it_is_known_when_no_result_could_be_significant() {
        let tests = Tests::new(60, 0.05);
        assert_eq!(tests.decidable(5, 5, Tail::Both), Err(7));
        assert_eq!(tests.decidable(7, 7, Tail::Both), Ok(()));
        assert_eq!(tests.decidable(1, 200, Tail::Both), Err(7));
    }
}
