//! A logarithmic scale for counts: from 1 to a power of ten, the same for all bars that are
//! to be compared.

/// Where a bar ends that stands for 1, or little more: it shall be seen, percent.
const STUB: f64 = 1.5;

/// From 1 to 10^`decades`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    decades: u32,
}

impl Scale {
    /// The shortest scale that reaches `most`.
    pub fn reaching(most: u128) -> Scale {
        let fits = |decades: &u32| 10u128.checked_pow(*decades).is_none_or(|end| end >= most);
        Scale {
            decades: (1..=39).find(fits).unwrap_or(39),
        }
    }

    /// Where a count lies, percent of the scale's length. Nothing is 0, and only nothing is.
    pub fn at(self, count: u128) -> f64 {
        match count {
            0 => 0.0,
            count => {
                let part = (count as f64).log10() / f64::from(self.decades) * 100.0;
                part.clamp(STUB, 100.0)
            }
        }
    }

    /// Where its powers of ten lie, percent.
    pub fn grid(self) -> impl Iterator<Item = f64> {
        let decades = self.decades;
        (0..=decades).map(move |decade| f64::from(decade) / f64::from(decades) * 100.0)
    }

    /// Its ends in words: `1` and `10,000`.
    pub fn ends(self) -> (String, String) {
        let end = 10u128.checked_pow(self.decades).unwrap_or(u128::MAX);
        ("1".to_owned(), exitlab_analysis::export::grouped(end))
    }
}

/// A logarithmic scale for times: from one power of ten to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decades {
    from: u32,
    to: u32,
}

impl Decades {
    /// The shortest scale that has both.
    pub fn holding(least: u64, most: u64) -> Decades {
        let from = least.max(1).ilog10();
        let to = (from + 1..20).find(|to| 10u128.pow(*to) >= u128::from(most));
        Decades {
            from,
            to: to.unwrap_or(20),
        }
    }

    /// Its lower end.
    pub fn from(self) -> u128 {
        10u128.pow(self.from)
    }

    /// Its upper end.
    pub fn to(self) -> u128 {
        10u128.pow(self.to)
    }

    /// Where a number lies, percent of the scale's length; what is beyond an end is there.
    pub fn at(self, number: u64) -> f64 {
        let length = f64::from(self.to - self.from);
        let decades = (number.max(1) as f64).log10() - f64::from(self.from);
        (decades / length * 100.0).clamp(0.0, 100.0)
    }

    /// Where its powers of ten lie, percent.
    pub fn grid(self) -> impl Iterator<Item = f64> {
        let decades = self.to - self.from;
        (0..=decades).map(move |decade| f64::from(decade) / f64::from(decades) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_scale_reaches_what_it_must() {
        let ends = [0, 1, 10, 11, 6_677, 10_000, 10_001].map(|most| Scale::reaching(most).decades);
        assert_eq!(ends, [1, 1, 1, 2, 4, 4, 5]);
        let scale = Scale::reaching(10_000);
        let at: Vec<f64> = [0, 1, 10, 100, 10_000, u128::MAX]
            .into_iter()
            .map(|count| scale.at(count))
            .collect();
        assert_eq!(at, [0.0, 1.5, 25.0, 50.0, 100.0, 100.0]);
        assert_eq!(
            scale.grid().collect::<Vec<_>>(),
            [0.0, 25.0, 50.0, 75.0, 100.0]
        );
        assert_eq!(Scale::reaching(u128::MAX).decades, 39);
    }

    #[test]
    fn a_scale_of_times_has_what_it_must() {
        let of = |least, most| {
            let scale = Decades::holding(least, most);
            (scale.from(), scale.to())
        };
        assert_eq!(of(0, 0), (1, 10));
        assert_eq!(of(950, 1_000), (100, 1_000));
        assert_eq!(of(1_000, 1_001), (1_000, 10_000));
        assert_eq!(of(7, u64::MAX), (1, 10u128.pow(20)));
        let scale = Decades::holding(100, 10_000);
        let at = [0, 100, 1_000, 10_000, u64::MAX].map(|ns| scale.at(ns));
        assert_eq!(at, [0.0, 0.0, 50.0, 100.0, 100.0]);
    }

    proptest! {
        #[test]
        fn more_is_never_shorter(one: u128, other: u128, most: u128) {
            let (less, more) = (one.min(other), one.max(other));
            let scale = Scale::reaching(most);
            prop_assert!(scale.at(less) <= scale.at(more));
        }
    }
}
