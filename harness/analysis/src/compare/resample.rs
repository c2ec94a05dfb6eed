//! How good the verdicts are on real noise: repeats of one cell are dealt to two sides, at
//! random, again and again. Equal sides must not be told apart; a planted increase must be
//! found.

use std::collections::BTreeMap;

use super::comparison::compare_without_intervals;
use super::counts::CellCounts;
use super::pair::Side;
use super::random::Random;
use super::verdict::{Settings, Verdict};
use exitlab_base::error::{Error, Result};

/// What came of many comparisons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Benchmark {
    /// Repeats on each side.
    pub repeats: usize,
    /// Comparisons of equal sides.
    pub comparisons: usize,
    /// Of these, how many found any difference.
    pub false_alarms: usize,
    /// Of these, how many could not decide.
    pub undecided: usize,
    /// Tests that were made in them, altogether.
    pub tests: usize,
    /// By phase and reason: in how many of the comparisons the increase that was planted
    /// there was found.
    pub found: BTreeMap<(String, u32), usize>,
}

/// Compares `comparisons` times `repeats` of the cell's repeats with as many others; then
/// each time with every exit count of one reason in one phase multiplied by `1 + plant` on
/// the head's side. Reasons with at least `plant_least` exits on average are planted.
///
/// # Errors
///
/// [`Error::Config`] if there are fewer than twice as many repeats.
pub fn benchmark(
    cell: &CellCounts,
    repeats: usize,
    comparisons: usize,
    plant: f64,
    plant_least: u64,
    settings: &Settings,
) -> Result<Benchmark> {
    if cell.repeats < 2 * repeats {
        return Err(Error::Config {
            message: format!(
                "{} has {} repeats: two sides of {repeats} need {}",
                cell.key,
                cell.repeats,
                2 * repeats
            ),
            cure: "make more repeats, or choose fewer for a side".to_owned(),
        });
    }
    let places = places(cell, plant_least);
    let mut result = Benchmark {
        repeats,
        comparisons,
        found: places.iter().map(|place| (place.clone(), 0)).collect(),
        ..Benchmark::default()
    };
    let mut random = Random::of("exitlab: benchmark of verdicts");
    let mut order: Vec<usize> = (0..cell.repeats).collect();
    for _ in 0..comparisons {
        random.choose(&mut order, 2 * repeats);
        let base = side("base", cell.select(&order[..repeats]));
        let head = side("head", cell.select(&order[repeats..2 * repeats]));
        let equal = compare_without_intervals(&base, &head, settings)?;
        result.tests += equal.tests;
        result.false_alarms += usize::from(equal.count(|v| v == Verdict::Differs) > 0);
        let undecided = equal.count(|v| matches!(v, Verdict::Undecided { .. }));
        result.undecided += usize::from(undecided > 0);
        for place in &places {
            let planted = planted(&head, place, plant);
            let found = usize::from(is_found(
                &compare_without_intervals(&base, &planted, settings)?,
                place,
            ));
            *result.found.entry(place.clone()).or_default() += found;
        }
    }
    Ok(result)
}

fn side(name: &str, cell: CellCounts) -> Side {
    Side {
        name: name.to_owned(),
        cells: vec![cell],
        left_out: Vec::new(),
    }
}

fn places(cell: &CellCounts, least: u64) -> Vec<(String, u32)> {
    let phases = cell.phases.iter().flat_map(|phase| {
        let many = phase
            .reasons
            .iter()
            .filter(|(_, series)| series.mean() >= least as f64);
        many.map(|(&reason, _)| (phase.name.clone(), reason))
    });
    phases.collect()
}

fn planted(head: &Side, (phase, reason): &(String, u32), plant: f64) -> Side {
    let mut head = head.clone();
    let phases = head.cells.iter_mut().flat_map(|cell| &mut cell.phases);
    for phase in phases.filter(|own| own.name == *phase) {
        if let Some(series) = phase.reasons.get_mut(reason) {
            for exits in &mut series.exits {
                *exits = (*exits as f64 * (1.0 + plant)).round() as u64;
            }
        }
    }
    head
}

fn is_found(comparison: &super::Comparison, (phase, reason): &(String, u32)) -> bool {
    let mut findings = comparison.cells.iter().flat_map(|cell| &cell.findings);
    findings.any(|f| f.phase == *phase && f.reason == *reason && f.verdict == Verdict::Differs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::compare::fixture::noisy;

    const MEANS: [f64; 6] = [200.0, 900.0, 30_000.0, 1_100.0, 5_000.0, 25.0];

    fn judged(spread: f64, repeats: usize, comparisons: usize, plant_least: u64) -> Benchmark {
        let cell = noisy("exitlab: verdicts on noise", &MEANS, spread, 40);
        let settings = Settings::default();
        benchmark(&cell, repeats, comparisons, 0.05, plant_least, &settings).unwrap()
    }

    /// Standard deviations of 1 to 20 % of the mean: Poisson, and wider than it.
    const SPREADS: [f64; 2] = [0.0, 0.0001];

    #[test]
    fn equal_sides_raise_no_more_false_alarms_than_stated() {
        for spread in SPREADS {
            let result = judged(spread, 6, 1000, u64::MAX);
            assert_eq!((result.undecided, result.found.len()), (0, 0));
            // 50 are stated; two standard deviations of a share of 1000 are 14 more.
            assert!(result.false_alarms <= 64, "{result:?}");
            assert!(
                result.false_alarms > 0,
                "a test that never alarms tests nothing"
            );
        }
    }

    #[test]
    fn five_percent_more_are_found() {
        for spread in SPREADS {
            let result = judged(spread, 8, 100, 4_000);
            assert_eq!(result.found.len(), 2);
            let found = result.found.values().all(|&found| found >= 95);
            assert!(found, "{result:?}");
        }
    }

    #[test]
    fn with_too_few_repeats_nothing_is_claimed() {
        let cell = noisy("exitlab: few", &MEANS, 0.0, 8);
        let result = benchmark(&cell, 3, 5, 0.05, 4_000, &Settings::default()).unwrap();
        assert_eq!((result.false_alarms, result.undecided), (0, 5));
        assert!(benchmark(&cell, 5, 5, 0.05, 4_000, &Settings::default()).is_err());
    }
}
