//! Cells for tests: real counts of a small run, and noisy ones drawn from distributions.

use std::collections::BTreeMap;

use super::counts::{CellCounts, CellKey, PhaseCounts, Series};
use super::random::Random;
use super::{Facts, Side};
use crate::figures::fixture::record_of;
use exitlab_model::reasons::Isa;
use exitlab_model::record::Channel;

/// The counts of a real run.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn cell(isa: Isa, cycles: bool) -> CellCounts {
    let mut record = record_of(isa, cycles);
    record.platform = match isa {
        Isa::Vmx => "bochs-vmx".to_owned(),
        Isa::Svm => "tcg-svm".to_owned(),
    };
    CellCounts::of_record(&record, BTreeMap::new(), Channel::Stats, "run").unwrap()
}

/// The counts of a record of that fixture.
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(crate) fn cell_of(record: &exitlab_model::record::RunRecord) -> CellCounts {
    CellCounts::of_record(record, BTreeMap::new(), Channel::Stats, "run").unwrap()
}

/// A side of one cell.
pub(crate) fn side(name: &str, cell: CellCounts) -> Side {
    Side {
        name: name.to_owned(),
        cells: vec![cell],
        left_out: Vec::new(),
    }
}

/// A cell of an experiment of that name whose plan says this and nothing else.
pub(crate) fn planned(experiment: &str, plan: &[(&str, &str)]) -> CellCounts {
    let mut cell = cell(Isa::Vmx, false);
    cell.key.experiment = experiment.to_owned();
    cell.facts.0.retain(|name, _| !name.starts_with("plan "));
    let facts = plan
        .iter()
        .map(|(key, value)| (format!("plan {key}"), (*value).to_owned()));
    cell.facts.0.extend(facts);
    cell
}

/// Repeats of a noisy cell: reason `n` has `means[n]` exits in phase `boot` on average,
/// with variance `mean * (1 + spread * mean)`: Poisson with spread 0, else negative
/// binomial, as a mixture of Poisson over gamma.
pub(crate) fn noisy(name: &str, means: &[f64], spread: f64, repeats: usize) -> CellCounts {
    let mut random = Random::of(name);
    let reasons = means.iter().enumerate().map(|(reason, &mean)| {
        let draw = |_| {
            let mean = mean * gamma_mean_one(&mut random, spread);
            poisson(&mut random, mean)
        };
        let exits = (0..repeats).map(draw).collect();
        (
            reason as u32,
            Series {
                exits,
                cycles: Vec::new(),
            },
        )
    });
    CellCounts {
        key: CellKey {
            platform: "nested".to_owned(),
            experiment: "synthetic".to_owned(),
            values: BTreeMap::new(),
        },
        isa: Isa::Vmx,
        channel: Channel::Stats,
        sources: vec![name.to_owned()],
        repeats,
        facts: Facts::default(),
        told: Default::default(),
        phases: vec![PhaseCounts {
            name: "boot".to_owned(),
            reasons: reasons.collect(),
            below: Default::default(),
        }],
    }
}

fn unit(random: &mut Random) -> f64 {
    (random.below(1 << 30) as f64 + 0.5) / (1u32 << 30) as f64
}

fn normal(random: &mut Random) -> f64 {
    // Box and Muller.
    let (radius, angle) = (unit(random), unit(random));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// A factor of mean 1 and variance `spread` (Marsaglia & Tsang 2000; `spread` below 1).
fn gamma_mean_one(random: &mut Random, spread: f64) -> f64 {
    if spread == 0.0 {
        return 1.0;
    }
    let d = 1.0 / spread - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && unit(random).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v * spread;
        }
    }
}

/// Knuth's way for small means, the normal approximation for large ones.
fn poisson(random: &mut Random, mean: f64) -> u64 {
    if mean > 50.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0) as u64;
    }
    let limit = (-mean).exp();
    let (mut count, mut product) = (0, unit(random));
    while product > limit {
        count += 1;
        product *= unit(random);
    }
    count
}
