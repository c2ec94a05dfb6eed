//! All rows as one JSON object, for programs.

use serde::Serialize;

use exitlab_base::error::{Error, Result};
use exitlab_model::rule::Rule;

use super::points::{Points, Score};
use super::row::Row;

/// Version of `grades.json`.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Summary<'a> {
    schema: u32,
    exitlab: &'static str,
    rules: Vec<RuleWords>,
    kernels: Vec<Kernel<'a>>,
}

#[derive(Serialize)]
struct RuleWords {
    rule: &'static str,
    mistake: Option<u8>,
    demand: &'static str,
    points: Option<f64>,
}

#[derive(Serialize)]
struct Kernel<'a> {
    #[serde(flatten)]
    row: &'a Row,
    score: Option<Score>,
}

/// The table for programs.
pub fn json(rows: &[Row], rules: &[Rule], points: Option<&Points>) -> Result<String> {
    let rules = rules.iter().map(|rule| RuleWords {
        rule: rule.name(),
        mistake: rule.mistake(),
        demand: rule.demand(),
        points: points.map(|points| points.worth(rule.name())),
    });
    let kernels = rows.iter().map(|row| Kernel {
        row,
        score: points.map(|points| points.of(row)),
    });
    let summary = Summary {
        schema: SCHEMA,
        exitlab: env!("CARGO_PKG_VERSION"),
        rules: rules.collect(),
        kernels: kernels.collect(),
    };
    let text = serde_json::to_string_pretty(&summary).map_err(Error::json("write", "grades"))?;
    Ok(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn programs_find_everything() {
        let text = json(&fixture::rows(), &Rule::ALL, Some(&fixture::points())).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("its own JSON");
        let ada = &value["kernels"][0];
        assert_eq!(ada["image"], "hand-in/ada/bzImage");
        assert_eq!(ada["findings"][1]["mistake"], 7);
        assert_eq!(ada["findings"][1]["verdict"], "broken");
        assert_eq!(ada["score"]["of"], 12.5);
        assert_eq!(value["kernels"][1]["hindered"]["kind"], "truncated");
        assert_eq!(value["rules"][0]["rule"], "present");
    }
}
