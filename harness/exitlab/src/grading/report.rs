//! The table as KTAP: a test for each kernel, in it one for each rule that was judged, and one
//! for what hindered the trial.

use exitlab_analysis::export::{KtapResult, KtapTest, ktap};

use super::row::{Judged, Mark, Row};

/// The document.
pub fn ktap_of(rows: &[Row]) -> String {
    ktap(&rows.iter().map(kernel).collect::<Vec<_>>())
}

fn kernel(row: &Row) -> KtapTest {
    let mut tests: Vec<KtapTest> = row.findings.iter().map(rule).collect();
    tests.extend(row.hindered.as_ref().map(|hindered| KtapTest {
        name: "tried to the end".to_owned(),
        result: KtapResult::Error(format!("{}: {}", hindered.kind.name(), hindered.seen)),
        details: vec![format!("cure: {}", hindered.cure)],
        inner: Vec::new(),
    }));
    KtapTest::of(row.name.clone(), tests)
}

fn rule(judged: &Judged) -> KtapTest {
    let mut details = vec![judged.demand.clone()];
    let result = match judged.verdict {
        Mark::Holds => KtapResult::Ok,
        Mark::Broken => KtapResult::NotOk,
        Mark::NotJudged => KtapResult::Skipped(judged.evidence.clone()),
    };
    if judged.verdict != Mark::NotJudged {
        details.push(judged.evidence.clone());
    }
    details.extend(
        judged
            .looks_like
            .iter()
            .map(|like| format!("looks like: {like}")),
    );
    KtapTest {
        name: judged.rule.clone(),
        result,
        details,
        inner: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_kernel_and_rule_is_a_test() {
        let rows = fixture::rows();
        let text = ktap_of(&rows);
        assert!(text.starts_with(&format!(
            "KTAP version 1\n1..{}\n  KTAP version 1\n  # Subtest: ada\n",
            rows.len()
        )));
        let is_bad = |row: &&Row| row.hindered.is_some() || row.broken().next().is_some();
        let bad = text.lines().filter(|line| line.starts_with("not ok"));
        assert_eq!(bad.count(), rows.iter().filter(is_bad).count());
        assert!(text.contains("\nnot ok 1 ada\n"), "{text}");
        assert!(
            text.contains(" tried to the end # ERROR truncated: "),
            "{text}"
        );
    }
}
