//! What tests of tables and pages work with.

use std::path::Path;

use super::points::Points;
use super::roster::{Pupil, Roster};
use super::row::{Hindered, Judged, Row, SCHEMA};
use exitlab_model::hindrance::Hindrance;
use exitlab_model::order::TrialOrder;
use exitlab_model::rule::{Finding, Rule, Verdict};

fn row(name: &str) -> Row {
    Row {
        schema: SCHEMA,
        name: name.to_owned(),
        image: Some(format!("hand-in/{name}/bzImage").into()),
        digest: "0123abcd".to_owned(),
        kernel: "6.12.1".to_owned(),
        platform: "tcg-svm".to_owned(),
        settings: Vec::new(),
        hindered: None,
        findings: Vec::new(),
    }
}

fn judged(rule: Rule, verdict: Verdict) -> Judged {
    Judged::of(&Finding { rule, verdict })
}

/// A kernel with one mistake.
pub fn ada() -> Row {
    let holds = Verdict::Holds {
        seen: "leaf map 1".to_owned(),
    };
    let broken = Verdict::Broken {
        seen: "the calm one of two VMs executed 12 CPUIDs, and reads 2012".to_owned(),
        looks_like: Some("counters that all VMs share, never reset".to_owned()),
        mistake: Some(7),
    };
    let open = Verdict::NotJudged {
        because: "rule 'per-vm' does not hold".to_owned(),
    };
    Row {
        settings: vec!["host.cpus=2".to_owned()],
        findings: vec![
            judged(Rule::Present, holds),
            judged(Rule::PerVm, broken),
            judged(Rule::Statistics, open),
        ],
        ..row("ada")
    }
}

/// A file that was cut.
pub fn bob() -> Row {
    Row {
        kernel: String::new(),
        hindered: Some(Hindered {
            kind: Hindrance::Truncated,
            seen: "it has 1000 bytes, and its header says 4400128".to_owned(),
            evidence: Vec::new(),
            cure: Hindrance::Truncated.cure().to_owned(),
        }),
        ..row("bob")
    }
}

/// A kernel that means ill: of the reader's terminal, Markdown and spreadsheet.
fn eve() -> Row {
    let ill = "=cmd|'/c calc'!A1 \u{1b}[2J<script>x</script> | [a](javascript:b)\n# heading";
    Row {
        image: Some(Path::new("hand-in").join(ill)),
        kernel: ill.to_owned(),
        hindered: Some(Hindered {
            kind: Hindrance::Panic,
            seen: format!("its kernel panicked: {ill}"),
            evidence: vec!["```".to_owned(), ill.to_owned()],
            cure: Hindrance::Panic.cure().to_owned(),
        }),
        findings: vec![judged(
            Rule::Present,
            Verdict::Broken {
                seen: ill.to_owned(),
                looks_like: None,
                mistake: None,
            },
        )],
        ..row("eve")
    }
}

/// All of them.
pub fn rows() -> Vec<Row> {
    vec![ada(), bob(), eve()]
}

/// Of 12.5 points.
pub fn points() -> Points {
    let points = r#"{"present": 0.5, "per-vm": 10, "statistics": 2}"#;
    serde_json::from_str(points).expect("points")
}

/// A roster with these names.
pub fn roster(names: &[&str]) -> Roster {
    let sets = ["platform=tcg-svm".to_owned()];
    let plan = exitlab_config::load(None, &sets, Path::new("/"), &[]).expect("a plan");
    let order: TrialOrder =
        serde_json::from_str(r#"{"leaf_map": 1, "sdm": null}"#).expect("an order");
    let pupil = |name: &&str| Pupil {
        name: (*name).to_owned(),
        image: Some("bzImage".into()),
        settings: Vec::new(),
        order: order.clone(),
        plan: plan.clone(),
    };
    Roster {
        schema: 1,
        exitlab: "0.1.0".to_owned(),
        agent: "00".to_owned(),
        points: Some(points()),
        kernels: names.iter().map(pupil).collect(),
    }
}
