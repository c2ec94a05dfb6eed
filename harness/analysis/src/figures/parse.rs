//! Reads a wide CSV of counts: exitlab's own `counts.csv`, or any file with the
//! columns `reason,count_1,count_2,…`, and as many `cycles_1,cycles_2,…` or none.

use std::collections::BTreeMap;

use csv::StringRecord;

use super::{Column, CountTable, Row};
use exitlab_base::error::{Error, Result};
use exitlab_model::reasons::{ReasonTable, UNDEFINED_NAME};
use exitlab_model::record::ReasonStatus;

/// A status as the CSV spells it; unknown is empty.
pub(crate) const STATUS_WORDS: [(Option<ReasonStatus>, &str); 4] = [
    (None, ""),
    (Some(ReasonStatus::Undefined), "undefined"),
    (Some(ReasonStatus::NotEnabled), "not-enabled"),
    (Some(ReasonStatus::Enabled), "enabled"),
];

impl CountTable {
    /// Reads the text of a CSV: `reason`, optionally `name` and `status`, then `count_1`
    /// and so on; then, if cycles were counted, `cycles_1` and so on. `source` names the file in errors. Only reasons that the file holds
    /// get a row; a file without names takes them from `reasons`.
    pub fn from_csv(source: &str, text: &str, reasons: &ReasonTable) -> Result<CountTable> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| unreadable(source, text, &error))?;
        let layout = Layout::of(source, header)?;
        let mut rows = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| unreadable(source, text, &error))?;
            let line = Line {
                source,
                text,
                record,
            };
            let row = layout.row(&line, reasons)?;
            if let Some(Row { reason, .. }) = rows.insert(row.reason, row) {
                let cure = "keep one row for each reason";
                return Err(line.wrong("reason", &format!("{reason} a second time"), cure));
            }
        }
        if rows.is_empty() {
            return Err(Error::Config {
                message: format!("{source}: line 2: no rows follow the header"),
                cure: "give one row for each exit reason".to_owned(),
            });
        }
        Ok(CountTable {
            isa: reasons.isa(),
            columns: vec![Column::default(); layout.counts],
            rows: rows.into_values().collect(),
        })
    }
}

/// Which columns a file has.
struct Layout {
    name: Option<usize>,
    status: Option<usize>,
    first_count: usize,
    counts: usize,
    /// As many as `counts`, or none.
    cycles: usize,
}

impl Layout {
    fn of(source: &str, header: &StringRecord) -> Result<Layout> {
        let titles: Vec<&str> = header.iter().map(str::trim).collect();
        let mut at = 0;
        let mut take = |title| {
            let here = (titles.get(at) == Some(&title)).then_some(at);
            at += usize::from(here.is_some());
            here
        };
        let (reason, name, status) = (take("reason"), take("name"), take("status"));
        let first_count = at;
        let columns = &titles[first_count..];
        let counts = numbered(columns, "count_");
        let cycles = numbered(&columns[counts..], "cycles_");
        let next = columns.get(counts + cycles);
        let what = match (reason, next) {
            (None, _) => "column `reason` is not the first".to_owned(),
            (_, Some(title)) if cycles > 0 => {
                format!(
                    "column `{title}` stands where `cycles_{}` belongs",
                    cycles + 1
                )
            }
            (_, Some(title)) => {
                format!(
                    "column `{title}` stands where `count_{}` belongs",
                    counts + 1
                )
            }
            _ if counts == 0 => "column `count_1` is missing".to_owned(),
            _ if cycles > 0 && cycles != counts => {
                format!("{counts} columns of counts, but {cycles} of cycles")
            }
            _ => {
                return Ok(Layout {
                    name,
                    status,
                    first_count,
                    counts,
                    cycles,
                });
            }
        };
        Err(Error::Config {
            message: format!("{source}: line 1: {what}"),
            cure: "make the header `reason,count_1,count_2,…`, \
                   optionally with `name,status` after `reason` and as many \
                   `cycles_1,cycles_2,…` at the end"
                .to_owned(),
        })
    }

    fn row(&self, line: &Line, reasons: &ReasonTable) -> Result<Row> {
        let reason: u32 = line.number(0, "reason")?;
        let named = self.name.map_or("", |at| line.field(at));
        let name = if named.is_empty() {
            reasons.name(reason)
        } else {
            named
        };
        let status = match self.status {
            Some(at) => line.status(at)?,
            None => (name == UNDEFINED_NAME).then_some(ReasonStatus::Undefined),
        };
        let count = |n| line.number(self.first_count + n, &format!("count_{}", n + 1));
        let counts = (0..self.counts).map(count).collect::<Result<_>>()?;
        let first_cycles = self.first_count + self.counts;
        let cycles = |n| line.number(first_cycles + n, &format!("cycles_{}", n + 1));
        let cycles = (0..self.cycles).map(cycles).collect::<Result<_>>()?;
        Ok(Row {
            reason,
            name: name.to_owned(),
            status,
            counts,
            cycles,
        })
    }
}

/// How many titles follow one another as `count_1`, `count_2`.
fn numbered(titles: &[&str], prefix: &str) -> usize {
    let good = titles.iter().zip(1..);
    good.take_while(|(title, n)| **title == format!("{prefix}{n}"))
        .count()
}

/// One line, with what an error must say about it.
struct Line<'a> {
    source: &'a str,
    text: &'a str,
    record: StringRecord,
}

impl Line<'_> {
    fn field(&self, at: usize) -> &str {
        self.record.get(at).unwrap_or("")
    }

    fn number<T: std::str::FromStr>(&self, at: usize, column: &str) -> Result<T> {
        let field = self.field(at);
        let cure = "give a whole number without separators, 0 or above";
        field
            .trim()
            .parse()
            .map_err(|_| self.wrong(column, field, cure))
    }

    fn status(&self, at: usize) -> Result<Option<ReasonStatus>> {
        let word = self.field(at).trim();
        let known = STATUS_WORDS.iter().find(|(_, name)| *name == word);
        match known {
            Some((status, _)) => Ok(*status),
            None => {
                let cure = "give `enabled`, `not-enabled` or `undefined`, or leave it empty";
                Err(self.wrong("status", word, cure))
            }
        }
    }

    fn wrong(&self, column: &str, field: &str, cure: &str) -> Error {
        let line = line_number(self.text, self.record.position());
        Error::Config {
            message: format!(
                "{}: line {line}: column `{column}`: got `{field}`",
                self.source
            ),
            cure: cure.to_owned(),
        }
    }
}

/// The line of a record as an editor numbers it: the reader's own position is that of
/// the blank lines before the record.
fn line_number(text: &str, position: Option<&csv::Position>) -> usize {
    let start = position.map_or(0, |position| position.byte() as usize);
    let (before, rest) = text.as_bytes().split_at(start.min(text.len()));
    let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    1 + before
        .iter()
        .chain(blank)
        .filter(|&&byte| byte == b'\n')
        .count()
}

fn unreadable(source: &str, text: &str, error: &csv::Error) -> Error {
    let line = line_number(text, error.position());
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("{len} columns, the header has {expected_len}")
        }
        _ => error.to_string(),
    };
    Error::Config {
        message: format!("{source}: line {line}: {what}"),
        cure: "give every line as many columns as the header has".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<CountTable> {
        CountTable::from_csv("counts.csv", text, ReasonTable::vmx())
    }

    #[test]
    fn rows_are_named_and_sorted() {
        let table = parse("reason,count_1,count_2\n12,3,4\n10, 1 ,2\n35,0,0\n").unwrap();
        let names: Vec<_> = table
            .rows
            .iter()
            .map(|row| (row.reason, &*row.name))
            .collect();
        assert_eq!(names, [(10, "CPUID"), (12, "HLT"), (35, "(undefined)")]);
        assert_eq!(table.rows[0].counts, [1, 2]);
        assert_eq!(table.rows[0].status, None);
        assert_eq!(table.rows[2].status, Some(ReasonStatus::Undefined));
        assert_eq!(table.columns.len(), 2);
    }

    #[test]
    fn errors_name_line_column_and_cure() {
        for (text, message) in [
            ("", "line 1: column `reason` is not the first"),
            ("reason\n1\n", "line 1: column `count_1` is missing"),
            (
                "reason,count_2\n1,1\n",
                "line 1: column `count_2` stands where `count_1` belongs",
            ),
            (
                "reason,count_1,cycles_2\n1,1,1\n",
                "line 1: column `cycles_2` stands where `count_2` belongs",
            ),
            (
                "reason,count_1,count_2,cycles_1\n1,1,1,1\n",
                "line 1: 2 columns of counts, but 1 of cycles",
            ),
            (
                "reason,count_1,cycles_1\n1,1,x\n",
                "line 2: column `cycles_1`: got `x`",
            ),
            ("reason,count_1\n", "line 2: no rows follow the header"),
            (
                "reason,count_1\n1,2\n\n3,x\n",
                "line 4: column `count_1`: got `x`",
            ),
            (
                "reason,count_1\n-1,2\n",
                "line 2: column `reason`: got `-1`",
            ),
            (
                "reason,count_1\n1,2,3\n",
                "line 2: 3 columns, the header has 2",
            ),
            (
                "reason,count_1\n1,2\n1,3\n",
                "line 3: column `reason`: got `1 a second time`",
            ),
            (
                "reason,status,count_1\n1,on,2\n",
                "line 2: column `status`: got `on`",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("counts.csv: {message}"));
            assert!(!error.cure().is_empty());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn text_that_nearly_fits_never_panics(
            body in "(reason|name|status|count_1|count_2|cycles_1|[0-9]{1,25}|[,\n\"-]){0,30}",
        ) {
            let _ = parse(&body);
            if let Ok(table) = parse(&format!("reason,count_1\n{body}")) {
                table.totals();
            }
        }
    }
}
