//! Tables for programs.

use crate::figures::{Column, CountTable, Row};
use exitlab_base::foreign;
use exitlab_model::record::ReasonStatus;

/// `counts.csv`: one line for each row, one count for each column, and the cycles after
/// them if they were counted. The header says which sample a column is, when it was taken, and
/// in what it is counted: `count_2 +5s at 5.939 s [exits]`.
pub fn counts_csv(table: &CountTable) -> String {
    let fixed = ["reason", "name", "status"].map(str::to_owned);
    let titles = |name: &str, unit: &str| -> Vec<String> {
        let columns = table.columns.iter().zip(1..);
        let title = |(column, number)| title(&format!("{name}_{number}"), column, unit);
        columns.map(title).collect()
    };
    let counts = titles("count", "exits");
    let cycles = match table.has_cycles() {
        true => titles("cycles", "cycles"),
        false => Vec::new(),
    };
    let header = fixed.into_iter().chain(counts).chain(cycles).collect();
    let lines: Vec<_> = std::iter::once(header)
        .chain(table.rows.iter().map(count_line))
        .collect();
    csv_text(&lines)
}

/// The title of a column; of a source that does not say what its samples are, the bare name.
fn title(name: &str, column: &Column, unit: &str) -> String {
    let words = match (column.label.as_str(), column.guest_s.or(column.host_s)) {
        ("", _) => return name.to_owned(),
        (label, Some(seconds)) => format!("{label} at {seconds:.3} s"),
        (label, None) => label.to_owned(),
    };
    format!("{name} {words} [{unit}]")
}

fn status_word(status: ReasonStatus) -> &'static str {
    match status {
        ReasonStatus::Undefined => "undefined",
        ReasonStatus::NotEnabled => "not-enabled",
        ReasonStatus::Enabled => "enabled",
    }
}

fn count_line(row: &Row) -> Vec<String> {
    let status = row.status.map_or("", status_word);
    let fixed = [row.reason.to_string(), row.name.clone(), status.to_owned()];
    fixed
        .into_iter()
        .chain(row.counts.iter().chain(&row.cycles).map(u64::to_string))
        .collect()
}

/// Lines of fields as CSV, none of which is a formula; they are quoted where they must be.
pub(crate) fn csv_text(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for line in lines {
        let fields: Vec<String> = line
            .iter()
            .map(|field| quoted(&foreign::csv(field)))
            .collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::figures::{Column, fixture};
    use exitlab_model::reasons::{Isa, ReasonTable};
    use exitlab_model::record::ReasonStatus;

    fn head(text: &str, lines: usize) -> String {
        text.lines().take(lines).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn counts_of_a_run() {
        let table = CountTable::from_record(&fixture::record(), ReasonTable::vmx());
        let text = counts_csv(&table);
        assert_eq!(text.lines().count(), 1 + 86);
        insta::assert_snapshot!(head(&text, 14));
        assert!(text.contains("\n35,(undefined),undefined,0,0,0\n"));
    }

    #[test]
    fn counts_with_cycles() {
        let record = fixture::record_of(Isa::Svm, true);
        let text = counts_csv(&CountTable::from_record(&record, ReasonTable::svm()));
        let lines = text.lines().filter(|line| {
            ["reason", "114,", "1024,", "4294967295,"]
                .iter()
                .any(|start| line.starts_with(start))
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn counts_of_the_reference() {
        insta::assert_snapshot!(head(&counts_csv(&fixture::reference()), 14));
    }

    /// Columns of counts, and as many of cycles or none.
    fn sizes() -> impl Strategy<Value = (usize, usize)> {
        (1usize..5, any::<bool>()).prop_map(|(n, cycles)| (n, if cycles { n } else { 0 }))
    }

    fn rows((columns, cycles): (usize, usize)) -> impl Strategy<Value = Vec<Row>> {
        let status = prop::option::of(prop::sample::select(vec![
            ReasonStatus::Undefined,
            ReasonStatus::NotEnabled,
            ReasonStatus::Enabled,
        ]));
        let fields = (
            ".{0,20}",
            status,
            prop::collection::vec(any::<u64>(), columns),
            prop::collection::vec(any::<u64>(), cycles),
        );
        prop::collection::btree_map(any::<u32>(), fields, 1..20).prop_map(|rows| {
            let row = |(reason, (name, status, counts, cycles))| Row {
                reason,
                name,
                status,
                counts,
                cycles,
            };
            rows.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn counts_come_back(rows in sizes().prop_flat_map(rows)) {
            let columns = vec![Column::default(); rows[0].counts.len()];
            let table = CountTable { isa: Isa::Vmx, columns, rows };
            let mut shown = table.clone();
            for row in &mut shown.rows {
                row.name = foreign::csv(&row.name);
            }
            prop_assert_eq!(fixture::table(&counts_csv(&table)), shown);
        }
    }
}
