//! Stretches of a run: neighbouring samples of one phase. A run of three hundred idle samples
//! has two of them, `boot` and `idle`.

use exitlab_analysis::figures::{CountTable, Row};

/// Neighbouring samples of one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The phase's name.
    pub title: String,
    /// Its first sample, from 0.
    pub first: usize,
    /// Its last.
    pub last: usize,
    /// Seconds in which its rates were measured: between the sample before it, or its first
    /// one, and its last; `None` where clocks do not tell.
    pub seconds: Option<f64>,
}

/// All stretches, in order.
pub fn spans(table: &CountTable) -> Vec<Span> {
    let lengths = table.seconds();
    let mut spans: Vec<Span> = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        let phase = phase(&column.phase);
        match spans.last_mut() {
            Some(last) if last.title == phase => last.last = at,
            _ => spans.push(Span {
                title: phase.to_owned(),
                first: at,
                last: at,
                seconds: None,
            }),
        }
    }
    for span in &mut spans {
        let intervals = lengths.get(span.start()..span.last).unwrap_or_default();
        let all: Option<f64> = intervals.iter().copied().sum();
        span.seconds = all.filter(|&seconds| seconds > 0.0);
    }
    spans
}

/// A phase without the number of its sample: a VM that ran already has `attached 1`,
/// `attached 2`, …
fn phase(name: &str) -> &str {
    match name.rsplit_once(' ') {
        Some((attached, number)) if attached == "attached" && number.parse::<u32>().is_ok() => {
            attached
        }
        _ if name.is_empty() => "counted",
        _ => name,
    }
}

impl Span {
    /// The sample from which its rates count.
    fn start(&self) -> usize {
        self.first.saturating_sub(1)
    }

    /// Exits in it; those of the first span from power-on.
    pub fn exits(&self, row: &Row) -> i128 {
        let before = self.first.checked_sub(1).map_or(0, |at| row.count(at));
        i128::from(row.count(self.last)) - i128::from(before)
    }

    /// What it brought, of counts since power-on, one for each sample.
    pub fn grown(&self, counts: &[u64]) -> i128 {
        let count = |at: usize| counts.get(at).copied().map_or(0, i128::from);
        count(self.last) - self.first.checked_sub(1).map_or(0, count)
    }

    /// Exits per second, if its length is known.
    pub fn rate(&self, row: &Row) -> Option<f64> {
        let grown = i128::from(row.count(self.last)) - i128::from(row.count(self.start()));
        Some(grown as f64 / self.seconds?)
    }

    /// Cycles of one reason, of its cycles in each phase of a time table.
    pub fn cycles(&self, by_sample: &[i128]) -> i128 {
        let all = by_sample.get(self.first..=self.last);
        all.unwrap_or_default().iter().sum()
    }

    /// Whether the guest did nothing in it but what it does by itself.
    pub fn is_quiet(&self) -> bool {
        self.title == "idle" || self.title == "attached"
    }

    /// Its title, with how long it was.
    pub fn heading(&self) -> String {
        match self.seconds {
            Some(seconds @ 1.0..) => format!("{}, {seconds:.1} s", self.title),
            Some(seconds) => format!("{}, {:.0} ms", self.title, seconds * 1e3),
            None => self.title.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn of(phases: &[&str]) -> Vec<(String, usize, usize, Option<f64>)> {
        let mut record = fixture::many(phases.len());
        for (sample, phase) in record.samples.iter_mut().zip(phases) {
            sample.phase = (*phase).to_owned();
        }
        let table = CountTable::from_record(&record, record.reasons());
        let spans = spans(&table).into_iter();
        let round = |seconds: f64| (seconds * 10.0).round() / 10.0;
        spans
            .map(|span| (span.title, span.first, span.last, span.seconds.map(round)))
            .collect()
    }

    #[test]
    fn neighbours_of_one_phase_are_one_span() {
        assert_eq!(
            of(&["boot", "idle", "idle", "cpu", "idle"]),
            [
                ("boot".to_owned(), 0, 0, None),
                ("idle".to_owned(), 1, 2, Some(2.0)),
                ("cpu".to_owned(), 3, 3, Some(1.0)),
                ("idle".to_owned(), 4, 4, Some(1.0)),
            ]
        );
        assert_eq!(
            of(&["attached 1", "attached 2", "attached 3"]),
            [("attached".to_owned(), 0, 2, Some(2.0))]
        );
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn exits_of_all_spans_are_all_exits() {
        let record = fixture::many(6);
        let table = CountTable::from_record(&record, record.reasons());
        let spans = spans(&table);
        for row in &table.rows {
            let sum: i128 = spans.iter().map(|span| span.exits(row)).sum();
            assert_eq!(sum, i128::from(row.last()));
        }
    }
}
