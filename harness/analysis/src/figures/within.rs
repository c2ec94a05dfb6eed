//! What lies below one reason between two samples, as a view that is live shows it.

use std::collections::BTreeMap;

use super::details::Decoder;
use super::durations::{Spread, spread_of};
use super::{Detail, Kind, details};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::TraceReading;
use exitlab_model::symbols::Symbols;

/// Of one reason, what came from one sample to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// What the exits were, in words, the most first.
    pub details: Vec<(String, u64)>,
    /// Where in the guest they came from, the most first; by addresses, for a guest tells its
    /// names when its run is over.
    pub places: Vec<(String, u64)>,
    /// How long they took; none where that is not taken.
    pub spread: Option<Spread>,
}

impl Within {
    /// Between two readings; without one before, from the first instruction on.
    pub fn of(
        before: Option<&TraceReading>,
        now: &TraceReading,
        reason: u32,
        reasons: &ReasonTable,
    ) -> Within {
        let mut counts = counts(now, reason, reasons);
        for (detail, then) in
            before.map_or_else(BTreeMap::new, |b| self::counts(b, reason, reasons))
        {
            if let Some(count) = counts.get_mut(&detail) {
                *count = count.saturating_sub(then);
            }
        }
        let mut within = Within {
            spread: now.durations.as_ref().map(|durations| {
                let now = spread_of(durations, reason, reasons);
                let then = before.and_then(|before| before.durations.as_ref());
                let then = then.map(|then| spread_of(then, reason, reasons));
                now.since(&then.unwrap_or_default()).unwrap_or(now)
            }),
            ..Within::default()
        };
        for (detail, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            let list = match detail.kind {
                Kind::Place => &mut within.places,
                _ => &mut within.details,
            };
            list.push((detail.words(), count));
        }
        for list in [&mut within.details, &mut within.places] {
            // Stable: equals stay in the order of their keys.
            list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        }
        within
    }

    /// Whether nothing below a reason is counted.
    pub fn is_empty(&self) -> bool {
        self.details.is_empty() && self.places.is_empty() && self.spread.is_none()
    }
}

/// Details of a reason up to a sample.
fn counts(reading: &TraceReading, reason: u32, reasons: &ReasonTable) -> BTreeMap<Detail, u64> {
    let decoder = Decoder {
        symbols: Symbols::default(),
        isa: reasons.isa(),
        nested: details::is_nested(&[reading], reasons),
        machine: None,
        map: None,
    };
    let mut counts = BTreeMap::new();
    for histogram in &reading.details {
        for &[one, other, count] in &histogram.entries {
            let detail = decoder.decode(histogram.source, [one, other]);
            if let Some(detail) = detail.filter(|detail| detail.reason == Some(reason)) {
                let sum: &mut u64 = counts.entry(detail).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    }
    counts
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture;

    #[test]
    fn what_came_between_two_samples_is_told_the_most_first() {
        let record = fixture::placed();
        let reasons = record.reasons();
        let of = |at: usize| record.samples[at].trace.as_ref().unwrap();
        let all = Within::of(None, of(2), 30, reasons);
        let first = Within::of(None, of(0), 30, reasons);
        let later = Within::of(Some(of(0)), of(2), 30, reasons);
        let sum = |list: &[(String, u64)]| list.iter().map(|(_, count)| count).sum::<u64>();
        assert!(sum(&all.places) > 0);
        assert_eq!(sum(&all.places), sum(&first.places) + sum(&later.places));
        assert!(all.places.is_sorted_by(|one, other| one.1 >= other.1));
        assert!(Within::of(None, of(2), 12, reasons).is_empty());
    }

    #[test]
    fn times_between_two_samples_are_those_of_the_phase() {
        let record = fixture::timed();
        let reasons = record.reasons();
        let of = |at: usize| record.samples[at].trace.as_ref().unwrap();
        let spread = Within::of(Some(of(1)), of(2), 10, reasons).spread.unwrap();
        let spans = crate::figures::Durations::of(&record, reasons)
            .unwrap()
            .spans;
        let row = spans[2].rows.iter().find(|row| row.reason == Some(10));
        assert_eq!(spread, row.unwrap().spread);
    }
}
