//! What samples tell below the reasons, as far as it is kept: it may be much, and only what is
//! looked at is decoded.

use std::collections::VecDeque;

use exitlab_analysis::figures::Within;
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::TraceReading;

/// Most entries of histograms that are kept, of all samples: some 50 MB.
const MOST: usize = 1 << 21;

/// Readings of the tracepoint, one for each sample that the view has; none where there was
/// none, or it was let go.
#[derive(Debug, Default)]
pub struct Kept {
    readings: VecDeque<Option<TraceReading>>,
    entries: usize,
}

impl Kept {
    /// The next sample's. The oldest go where there are too many.
    pub fn push(&mut self, reading: Option<&TraceReading>) {
        let some = reading.filter(|reading| entries(reading) > 0);
        self.entries += some.map_or(0, entries);
        self.readings.push_back(some.cloned());
        for reading in &mut self.readings {
            if self.entries <= MOST {
                break;
            }
            self.entries -= reading.take().as_ref().map_or(0, entries);
        }
    }

    /// The view has let its first sample go.
    pub fn forget_first(&mut self) {
        if let Some(Some(first)) = self.readings.pop_front() {
            self.entries -= entries(&first);
        }
    }

    /// What lies below a reason in the interval that ends with a sample; none where that, or
    /// what came before it, is not there.
    pub fn within(&self, at: usize, reason: u32, table: &ReasonTable) -> Option<Within> {
        let now = self.readings.get(at)?.as_ref()?;
        let before = match at.checked_sub(1) {
            Some(before) => Some(self.readings.get(before)?.as_ref()?),
            None => None,
        };
        Some(Within::of(before, now, reason, table))
    }

    /// Mean time of a reason's exits in that interval, nanoseconds.
    pub fn mean_ns(&self, at: usize, reason: u32, table: &ReasonTable) -> Option<f64> {
        let now = self.readings.get(at)?.as_ref()?;
        // Not for each row of a view without times.
        now.durations.as_ref()?;
        self.within(at, reason, table)?.spread?.mean()
    }
}

fn entries(reading: &TraceReading) -> usize {
    let details = reading
        .details
        .iter()
        .map(|histogram| histogram.entries.len());
    let times = reading.durations.as_ref().map_or(0, |d| d.buckets.len());
    details.sum::<usize>() + times
}

#[cfg(test)]
mod tests {
    use exitlab_model::record::{Histogram, Source};

    use super::*;

    fn reading(ports: u64) -> TraceReading {
        let entries = (0..ports).map(|port| [30, port << 16, 5]).collect();
        TraceReading {
            counts: vec![0; 86],
            details: vec![Histogram::of(Source::Qualification, entries, 0)],
            ..TraceReading::default()
        }
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let mut kept = Kept::default();
        for _ in 0..200 {
            kept.push(Some(&reading(16_000)));
        }
        let vmx = ReasonTable::vmx();
        assert!(kept.entries <= MOST);
        assert!(kept.within(199, 30, vmx).is_some() && kept.within(10, 30, vmx).is_none());
        for _ in 0..200 {
            kept.forget_first();
        }
        assert_eq!(kept.entries, 0);
        kept.push(None);
        assert!(kept.within(0, 30, vmx).is_none());
    }
}
