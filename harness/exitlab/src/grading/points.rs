//! Points for rules that hold: a small file of the teacher's, TOML (`per-vm = 10`) or CSV
//! (`per-vm,10`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::row::{Mark, Row};
use exitlab_base::error::{Error, Result};
use exitlab_base::toml::{Problem, Text, Wrong, as_error, nearest};
use exitlab_model::rule::Rule;

const MANUAL: &str = "docs/conformance.md";

/// More points than anybody gives for a rule.
const MOST: f64 = 1e6;

/// Points by rule. A rule without any counts nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Points(BTreeMap<String, f64>);

/// The points of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Of rules that hold.
    pub points: f64,
    /// Of rules that were not judged, for the teacher to decide.
    pub not_judged: f64,
    /// Of all rules.
    pub of: f64,
}

impl Points {
    /// Reads a file: CSV if it is called `.csv`, else TOML.
    pub fn read(file: &Path) -> Result<Points> {
        let content = std::fs::read_to_string(file).map_err(|e| Error::Config {
            message: format!("cannot read the points {}: {e}", file.display()),
            cure: format!("name a TOML file with lines such as per-vm = 10; see {MANUAL}"),
        })?;
        let name = file.display().to_string();
        let is_csv = file.extension().is_some_and(|end| end == "csv");
        let read = match is_csv {
            true => of_csv(&name, &content),
            false => of_toml(&Text::new(name, content)),
        };
        read.map_err(as_error)
    }

    /// What a kernel gets.
    pub fn of(&self, row: &Row) -> Score {
        let sum = |is: &dyn Fn(&str) -> bool| {
            let those = self.0.iter().filter(|(rule, _)| is(rule));
            rounded(those.map(|(_, points)| points).sum())
        };
        let has = |rule: &str, mark| row.finding(rule).is_some_and(|f| f.verdict == mark);
        Score {
            points: sum(&|rule| has(rule, Mark::Holds)),
            not_judged: sum(&|rule| row.finding(rule).is_none() || has(rule, Mark::NotJudged)),
            of: sum(&|_| true),
        }
    }

    /// What a rule is worth.
    pub fn worth(&self, rule: &str) -> f64 {
        self.0.get(rule).copied().unwrap_or_default()
    }
}

/// Without the dust of binary fractions.
fn rounded(points: f64) -> f64 {
    // The sum of nothing is -0.
    (points * 1000.0).round() / 1000.0 + 0.0
}

impl std::fmt::Display for Score {
    /// `31.5/40`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.points, self.of)
    }
}

fn of_toml(text: &Text) -> Result<Points, Vec<Problem>> {
    let given: BTreeMap<Spanned<String>, Spanned<toml::Value>> =
        text.parse(&[], MANUAL).map_err(|problem| vec![problem])?;
    let mut reading = Reading::default();
    // In the order in which they are written.
    let mut given: Vec<_> = given.iter().collect();
    given.sort_by_key(|(rule, _)| rule.span().start);
    for (rule, points) in given {
        let number = match points.get_ref() {
            toml::Value::Integer(number) => Some(*number as f64),
            toml::Value::Float(number) => Some(*number),
            _ => None,
        };
        let kept = reading.keep(rule.get_ref(), number);
        if let Err(wrong) = kept {
            let problem = text.problem(rule.get_ref(), points, wrong);
            reading.problems.push(problem);
        }
    }
    reading.end(text)
}

fn of_csv(name: &str, content: &str) -> Result<Points, Vec<Problem>> {
    let mut reading = Reading::default();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(content.as_bytes());
    for (at, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let wrong = Wrong::new(e.to_string(), "write a rule and its points on each line");
                return Err(vec![wrong.at(name, "")]);
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let (rule, points) = (record.get(0).unwrap_or(""), record.get(1).unwrap_or(""));
        if at == 0 && (rule, points) == ("rule", "points") {
            continue;
        }
        let kept = match record.len() {
            2 => reading.keep(rule, points.parse().ok()),
            others => Err(Wrong::new(
                format!("{others} fields"),
                "write a rule and its points on each line: per-vm,10",
            )),
        };
        if let Err(wrong) = kept {
            let place = format!("{name}:{line}: {rule} = {points}");
            reading.problems.push(wrong.at(place, rule));
        }
    }
    reading.end(&Text::new(name, content))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    points: BTreeMap<String, f64>,
    problems: Vec<Problem>,
}

impl Reading {
    fn keep(&mut self, rule: &str, points: Option<f64>) -> Result<(), Wrong> {
        let known = Rule::ALL.map(Rule::name);
        if !known.contains(&rule) {
            let what = match nearest(rule, &known).as_slice() {
                [] => "there is no such rule".to_owned(),
                meant => format!(
                    "there is no such rule: did you mean {}?",
                    meant.join(" or ")
                ),
            };
            return Err(Wrong::new(what, format!("rules are {}", known.join(", "))));
        }
        let points = points.filter(|points| (0.0..=MOST).contains(points));
        let points = points.ok_or_else(|| {
            let cure = "give a number of points, 0 or more: 10 or 2.5";
            Wrong::new("no number of points", cure)
        })?;
        match self.points.insert(rule.to_owned(), points) {
            None => Ok(()),
            Some(_) => Err(Wrong::new("a second time", "give each rule once")),
        }
    }

    fn end(mut self, text: &Text) -> Result<Points, Vec<Problem>> {
        if self.points.is_empty() && self.problems.is_empty() {
            let cure = format!("give each rule its points: per-vm = 10; see {MANUAL}");
            let none = Wrong::new("there are no points in it", cure);
            self.problems.push(text.whole(none));
        }
        match self.problems.is_empty() {
            true => Ok(Points(self.points)),
            false => Err(self.problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use exitlab_base::error::for_people;

    fn toml(content: &str) -> Result<Points, Vec<Problem>> {
        of_toml(&Text::new("points.toml", content))
    }

    #[test]
    fn points_are_read_from_either_form() {
        let one = toml("# of 12.5\nper-vm = 10\nrange = 2.5\n").expect("good points");
        let other = of_csv(
            "points.csv",
            "rule,points\n# of 12.5\nper-vm, 10\nrange,2.5\n",
        );
        assert_eq!(one, other.expect("good points"));
        assert!((one.worth("range") - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn what_holds_counts_and_what_was_not_judged_is_told_apart() {
        let points = toml("present = 0.1\nper-vm = 10\nstatistics = 0.2\n").expect("good points");
        let score = points.of(&fixture::ada());
        assert_eq!((score.points, score.not_judged, score.of), (0.1, 0.2, 10.3));
        assert_eq!(score.to_string(), "0.1/10.3");
        let nothing = points.of(&fixture::bob());
        assert_eq!((nothing.points, nothing.not_judged), (0.0, 10.3));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let files = [
            toml(""),
            toml("per-vm = 10\nper-wm = 1\n"),
            toml("range = 'ten'\nquiet = -1\ncycles = nan\n"),
            toml("range = 1\nrange = 2\n"),
            toml("range 1\n"),
            of_csv(
                "points.csv",
                "rule,points\nper-vm,10\n\nper-vm,10\nrange\nquiet,x\nall,1\n",
            ),
            of_csv("points.csv", "rule,points\n"),
        ];
        let told: Vec<String> = files
            .into_iter()
            .map(|read| match read {
                Ok(_) => "good\n".to_owned(),
                Err(problems) => for_people(&as_error(problems)),
            })
            .collect();
        insta::assert_snapshot!(told.concat());
    }
}
