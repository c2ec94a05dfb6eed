//! The verdict as KTAP: a test for each cell, in it one for each rule and phase. What is
//! undecided came to no result.

use std::collections::BTreeMap;

use super::judgement::{Case, Judgement, Outcome};
use crate::export::{KtapResult, KtapTest};

/// The tests of a judgement.
pub fn ktap_tests(judgement: &Judgement) -> Vec<KtapTest> {
    let mut cells: BTreeMap<&str, Vec<KtapTest>> = BTreeMap::new();
    for case in &judgement.cases {
        cells.entry(&case.cell).or_default().push(test(case));
    }
    let cells = cells.into_iter();
    cells
        .map(|(name, cases)| KtapTest::of(name, cases))
        .collect()
}

fn test(case: &Case) -> KtapTest {
    let place = format!("{}: {} counts judged", case.place, case.counts);
    KtapTest {
        name: format!("{} · {}", case.rule, case.phase),
        result: match case.outcome {
            Outcome::Passed => KtapResult::Ok,
            Outcome::Failed => KtapResult::NotOk,
            Outcome::Undecided => KtapResult::Error("undecided".to_owned()),
        },
        details: [vec![place], case.details.clone()].concat(),
        inner: Vec::new(),
    }
}
