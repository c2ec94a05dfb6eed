//! The table as CSV: wide for a teacher's own sheet, long with all that was found.

use exitlab_base::foreign;
use exitlab_model::rule::Rule;

use super::points::Points;
use super::row::{Judged, Row};

/// A line for each kernel, a column for each rule.
pub fn grades(rows: &[Row], rules: &[Rule], points: Option<&Points>) -> String {
    let mut sheet = Sheet::default();
    let mut head = words(&["kernel", "image", "digest", "release", "platform", "tried"]);
    head.extend(rules.iter().map(|rule| rule.name().to_owned()));
    head.extend(words(&["broken", "mistakes", "reason"]));
    if points.is_some() {
        head.extend(words(&["points", "points_not_judged", "points_of"]));
    }
    sheet.line(head);
    for row in rows {
        let mut line = first(row);
        line.push(tried(row));
        line.extend(rules.iter().map(|rule| {
            let judged = row.finding(rule.name());
            judged.map_or("", |judged| judged.verdict.word()).to_owned()
        }));
        let broken: Vec<&str> = row.broken().map(|judged| judged.rule.as_str()).collect();
        let mistakes = row.broken().filter_map(|judged| judged.mistake);
        let mistakes: Vec<String> = mistakes.map(|number| number.to_string()).collect();
        line.push(broken.join(" "));
        line.push(mistakes.join(" "));
        line.push(
            row.hindered
                .as_ref()
                .map_or(String::new(), |h| h.seen.clone()),
        );
        if let Some(points) = points {
            let score = points.of(row);
            line.extend([score.points, score.not_judged, score.of].map(|n| n.to_string()));
        }
        sheet.line(line);
    }
    sheet.text()
}

/// A line for each kernel and rule, and one for each kernel that was not tried to the end.
pub fn findings(rows: &[Row], points: Option<&Points>) -> String {
    let mut sheet = Sheet::default();
    let mut head = words(&["kernel", "image", "digest", "release", "platform"]);
    head.extend(words(&["rule", "mistake", "demand", "verdict", "evidence"]));
    head.push("looks_like".to_owned());
    head.extend(points.map(|_| "points".to_owned()));
    sheet.line(head);
    for row in rows {
        for judged in &row.findings {
            let mut line = first(row);
            line.extend(rest(judged));
            line.extend(points.map(|points| points.worth(&judged.rule).to_string()));
            sheet.line(line);
        }
        if let Some(hindered) = &row.hindered {
            let mut line = first(row);
            line.extend(words(&[
                "",
                "",
                "",
                hindered.kind.name(),
                &hindered.seen,
                "",
            ]));
            line.extend(points.map(|_| String::new()));
            sheet.line(line);
        }
    }
    sheet.text()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn first(row: &Row) -> Vec<String> {
    let image = row.image.as_ref();
    vec![
        row.name.clone(),
        image.map_or(String::new(), |image| image.display().to_string()),
        row.digest.clone(),
        row.kernel.clone(),
        row.platform.clone(),
    ]
}

/// `yes`, or what hindered it.
fn tried(row: &Row) -> String {
    let hindered = row.hindered.as_ref();
    hindered
        .map_or("yes", |hindered| hindered.kind.name())
        .to_owned()
}

fn rest(judged: &Judged) -> Vec<String> {
    let number = judged.mistake;
    vec![
        judged.rule.clone(),
        number.map_or(String::new(), |number| number.to_string()),
        judged.demand.clone(),
        judged.verdict.word().to_owned(),
        judged.evidence.clone(),
        judged.looks_like.clone().unwrap_or_default(),
    ]
}

/// Lines of cells, none of which is a formula.
#[derive(Default)]
struct Sheet(Vec<Vec<String>>);

impl Sheet {
    fn line(&mut self, cells: Vec<String>) {
        let cells = cells.iter().map(|cell| foreign::csv(cell));
        self.0.push(cells.collect());
    }

    fn text(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for line in &self.0 {
            // Into memory, and all lines have the head's length: it cannot fail.
            let _ = writer.write_record(line);
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::row::rules;
    use super::*;

    #[test]
    fn a_sheet_with_a_line_for_each_kernel() {
        let rows = fixture::rows();
        insta::assert_snapshot!(grades(&rows, &rules(&rows), Some(&fixture::points())));
    }

    #[test]
    fn a_sheet_with_a_line_for_each_finding() {
        insta::assert_snapshot!(findings(&fixture::rows(), None));
    }

    #[test]
    fn every_line_has_the_heads_length_and_none_is_a_formula() {
        let rows = fixture::rows();
        let points = fixture::points();
        let sheets = [
            grades(&rows, &Rule::ALL, None),
            grades(&rows, &Rule::ALL, Some(&points)),
            findings(&rows, None),
            findings(&rows, Some(&points)),
        ];
        for sheet in sheets {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(sheet.as_bytes());
            let lines: Vec<csv::StringRecord> = reader
                .records()
                .map(|line| line.expect("equal lengths"))
                .collect();
            assert!(lines.len() > rows.len());
            for cell in lines.iter().flatten() {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?}");
            }
        }
    }
}
