//! The log of single exits against the tracepoint's counts: both were read at the same
//! standstill.

use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{RunRecord, Sample};

/// What was compared, and where the two disagree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCheck {
    /// Samples at which the log was read.
    pub samples: usize,
    /// Exits that are in it.
    pub exits: u64,
    /// Exits that came after its limit, which it does not hold.
    pub left_out: u64,
    /// Counts that differ, and events that were lost.
    pub mismatches: Vec<LogMismatch>,
}

/// What the log lacks, or has too much of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMismatch {
    /// The sample's number.
    pub sample: u32,
    /// What.
    pub what: Unlogged,
}

/// What can be wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlogged {
    /// The exits of a reason, or those that no table defines: the log's, the tracepoint's.
    Exits(Option<u32>, u64, u64),
    /// So many events for which the kernel had no room since the sample before.
    Lost(u64),
}

impl LogCheck {
    /// Of a run; of one without a log nothing was compared.
    pub(super) fn of(record: &RunRecord, reasons: &ReasonTable) -> LogCheck {
        let mut check = LogCheck::default();
        let mut lost = 0;
        for sample in &record.samples {
            check.add(sample, &mut lost, reasons);
        }
        if let Some(log) = &record.log {
            check.exits = log.exits;
            check.left_out = log.left_out;
        }
        check
    }

    fn add(&mut self, sample: &Sample, lost: &mut u64, reasons: &ReasonTable) {
        let Some((trace, log)) = sample
            .trace
            .as_ref()
            .and_then(|t| Some((t, t.log.as_ref()?)))
        else {
            return;
        };
        self.samples += 1;
        self.exits = log.kept();
        self.left_out = log.left_out;
        let sample = sample.number;
        let mut wrong = |what| self.mismatches.push(LogMismatch { sample, what });
        if log.lost > *lost {
            wrong(Unlogged::Lost(log.lost - *lost));
            *lost = log.lost;
        }
        let slots = trace.counts.len().max(log.counts.len());
        let count = |counts: &[u64], slot: usize| counts.get(slot).copied().unwrap_or(0);
        for slot in 0..slots {
            let (own, counted) = (count(&log.counts, slot), count(&trace.counts, slot));
            if own != counted {
                let reason = Some(reasons.number(slot));
                wrong(Unlogged::Exits(reason, own, counted));
            }
        }
        if log.other != trace.other {
            wrong(Unlogged::Exits(None, log.other, trace.other));
        }
    }
}
