//! The table kernels × rules for a terminal.

use comfy_table::{CellAlignment, Table, presets};

use exitlab_base::foreign::cell;
use exitlab_model::rule::Rule;

use super::points::Points;
use super::row::{Mark, Row};

/// What stands for a rule that has no verdict: of a kernel that was not tried.
const NOTHING: &str = "·";

/// A line for each kernel, a column for each rule, and what each column is.
pub fn terminal(rows: &[Row], rules: &[Rule], points: Option<&Points>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut head = vec!["kernel".to_owned()];
    head.extend((0..rules.len()).map(letter));
    head.extend(points.map(|_| "points".to_owned()));
    head.push("broken, or why not tried".to_owned());
    table.set_header(head);
    for row in rows {
        let mut line = vec![cell(&row.name)];
        line.extend(rules.iter().map(|rule| sign(row, *rule).to_owned()));
        line.extend(points.map(|points| points.of(row).to_string()));
        line.push(cell(&row.in_short()));
        table.add_row(line);
    }
    if points.is_some()
        && let Some(column) = table.column_mut(rules.len() + 1)
    {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for column in table.column_iter_mut().skip(1).take(rules.len()) {
        column.set_padding((0, 1));
    }
    format!("{}\n\n{}", table.trim_fmt(), legend(rules))
}

fn sign(row: &Row, rule: Rule) -> &'static str {
    row.finding(rule.name())
        .map_or(NOTHING, |judged| judged.verdict.sign())
}

/// `a` to `z`, then `A` and so on.
fn letter(at: usize) -> String {
    let letters = ('a'..='z').chain('A'..='Z');
    let mut letters = letters.skip(at);
    letters.next().unwrap_or('?').to_string()
}

/// What signs and columns mean.
fn legend(rules: &[Rule]) -> String {
    let signs = [Mark::Holds, Mark::Broken, Mark::NotJudged];
    let signs: Vec<String> = signs
        .iter()
        .map(|mark| format!("{} {}", mark.sign(), mark.word()))
        .collect();
    let mut text = format!("{}, {NOTHING} not tried\n", signs.join(", "));
    for (at, rule) in rules.iter().enumerate() {
        let number = rule.mistake();
        let number = number.map_or(String::new(), |number| format!(" (mistake {number})"));
        let (letter, name, demand) = (letter(at), rule.name(), rule.demand());
        text += &format!("{letter} {name:<13} {demand}{number}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::row::rules;
    use super::*;

    #[test]
    fn a_line_for_each_kernel() {
        let rows = fixture::rows();
        let points = fixture::points();
        insta::assert_snapshot!(terminal(&rows, &rules(&rows), Some(&points)));
    }

    #[test]
    fn words_of_kernels_move_no_cursor() {
        let text = terminal(&fixture::rows(), &Rule::ALL, None);
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
    }
}
