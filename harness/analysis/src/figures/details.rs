//! What lies below the reasons: each detail with a name and a count for each sample, and
//! whether those of a reason come to as many as its exits.

mod decoder;
mod kind;
mod words;

use std::collections::BTreeMap;

pub(crate) use decoder::Decoder;
pub use kind::{Detail, Kind};

use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{RunRecord, Source, TraceReading};
use exitlab_model::symbols::Symbols;

/// The details of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// By reason, kind and key; those below no reason come first.
    pub rows: Vec<DetailRow>,
    /// What those of one reason and kind come to.
    pub sums: Vec<DetailSum>,
    /// What is not counted, because the host's kernel lacks it: what for, and why.
    pub lacking: Vec<(&'static str, String)>,
    /// Why places in the guest's kernel have no names.
    pub unnamed: Option<String>,
    /// Events that the kernel or the agent had no room for: sample, what they are, how many.
    pub lost: Vec<(u32, &'static str, u64)>,
}

/// One detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailRow {
    /// What it is.
    pub detail: Detail,
    /// How often, up to each sample.
    pub counts: Vec<u64>,
}

/// All details of one reason and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailSum {
    /// The reason.
    pub reason: u32,
    /// The kind.
    pub kind: Kind,
    /// How many details there were up to each sample.
    pub counts: Vec<u64>,
    /// The reason's exits up to then, by the tracepoint at the same moment.
    pub exits: Vec<u64>,
}

impl DetailSum {
    /// Exits without a detail up to a sample; negative where there are more details.
    pub fn remainder(&self, sample: usize) -> i128 {
        let of = |counts: &[u64]| i128::from(counts.get(sample).copied().unwrap_or(0));
        of(&self.exits) - of(&self.counts)
    }

    /// Whether they need not come to the reason's exits: devices in memory are some of the
    /// nested page faults of SVM.
    pub fn is_part(&self) -> bool {
        self.kind == Kind::Mmio && self.reason == 0x400
    }
}

impl Details {
    /// Those of a run; none where they were not counted.
    pub fn of(record: &RunRecord, reasons: &ReasonTable) -> Option<Details> {
        let readings = record.samples.iter().map(|sample| sample.trace.as_ref());
        let readings: Vec<&TraceReading> = readings.collect::<Option<_>>()?;
        if readings.iter().all(|reading| reading.details.is_empty()) {
            return None;
        }
        let told = record.symbols.clone().unwrap_or_default();
        let decoder = Decoder::of_run(record, reasons);
        let mut details = Details::default();
        details.rows = rows(&readings, &decoder);
        details.sums = sums(&details.rows, &readings, reasons);
        for (sample, reading) in record.samples.iter().zip(&readings) {
            for histogram in &reading.details {
                let lost = histogram.dropped.saturating_add(histogram.unsent);
                if lost > 0 {
                    let what = kind::purpose(histogram.source);
                    details.lost.push((sample.number, what, lost));
                }
            }
        }
        let first = readings.first().map_or(&[][..], |reading| &reading.details);
        details.unnamed = told.lacks;
        details.lacking = first
            .iter()
            .filter_map(|h| Some((kind::purpose(h.source), h.lacks.clone()?)))
            .collect();
        Some(details)
    }

    /// The rows of one reason and kind.
    pub fn below(&self, reason: Option<u32>, kind: Kind) -> Vec<&DetailRow> {
        let rows = self.rows.iter();
        rows.filter(|row| (row.detail.reason, row.detail.kind) == (reason, kind))
            .collect()
    }

    /// Sums that must be the reason's count, and are not: with the first sample in which.
    pub fn wrong(&self) -> Vec<(&DetailSum, usize)> {
        let exact = self.sums.iter().filter(|sum| sum.kind.is_of_the_exit());
        let wrong = exact.filter_map(|sum| {
            let mut samples = 0..sum.counts.len();
            Some((sum, samples.find(|sample| sum.remainder(*sample) != 0)?))
        });
        wrong.collect()
    }
}

impl Decoder<'_> {
    /// What it takes to understand the details of a run.
    pub(crate) fn of_run<'a>(record: &'a RunRecord, reasons: &ReasonTable) -> Decoder<'a> {
        let readings = record.samples.iter();
        let readings: Vec<_> = readings.filter_map(|s| s.trace.as_ref()).collect();
        let told = record.symbols.clone().unwrap_or_default();
        Decoder {
            symbols: Symbols::from(told),
            isa: reasons.isa(),
            nested: is_nested(&readings, reasons),
            machine: record.plan.machine(),
            map: record.address_map.as_ref(),
        }
    }
}

pub(super) fn is_nested(readings: &[&TraceReading], reasons: &ReasonTable) -> bool {
    let numbers: &[u32] = match reasons.isa() {
        Isa::Vmx => &[48, 49],
        Isa::Svm => &[0x400],
    };
    let mut all = readings.iter().flat_map(|reading| {
        let exits = |number: &u32| exits(reading, *number, reasons);
        numbers.iter().map(exits)
    });
    all.any(|exits| exits > 0)
}

fn exits(reading: &TraceReading, reason: u32, reasons: &ReasonTable) -> u64 {
    let count = reasons
        .slot(reason)
        .and_then(|slot| reading.counts.get(slot));
    count.copied().unwrap_or(0)
}

fn rows(readings: &[&TraceReading], decoder: &Decoder) -> Vec<DetailRow> {
    let mut rows: BTreeMap<Detail, Vec<u64>> = BTreeMap::new();
    for (sample, reading) in readings.iter().enumerate() {
        for histogram in &reading.details {
            for &[one, other, count] in &histogram.entries {
                let Some(detail) = decoder.decode(histogram.source, [one, other]) else {
                    continue;
                };
                let counts = rows
                    .entry(detail)
                    .or_insert_with(|| vec![0; readings.len()]);
                counts[sample] = counts[sample].saturating_add(count);
            }
        }
    }
    let rows = rows.into_iter();
    rows.map(|(detail, counts)| DetailRow { detail, counts })
        .collect()
}

/// Kinds whose absence, too, is a sum: the reason's exits have no details then.
fn sums(rows: &[DetailRow], readings: &[&TraceReading], reasons: &ReasonTable) -> Vec<DetailSum> {
    let mut sums: BTreeMap<(u32, Kind), Vec<u64>> = BTreeMap::new();
    for (reason, kind, source) in expected(reasons.isa()) {
        let is_there = |reading: &&TraceReading| {
            let mut histograms = reading.details.iter();
            histograms.any(|h| h.source == source && h.lacks.is_none())
        };
        if readings.iter().all(is_there) && readings.iter().any(|r| exits(r, reason, reasons) > 0) {
            sums.insert((reason, kind), vec![0; readings.len()]);
        }
    }
    for row in rows {
        let Some(reason) = row.detail.reason else {
            continue;
        };
        let none = || vec![0; readings.len()];
        let sum = sums.entry((reason, row.detail.kind)).or_insert_with(none);
        for (sum, count) in sum.iter_mut().zip(&row.counts) {
            *sum = sum.saturating_add(*count);
        }
    }
    let sums = sums.into_iter().map(|((reason, kind), counts)| DetailSum {
        reason,
        kind,
        counts,
        exits: readings.iter().map(|r| exits(r, reason, reasons)).collect(),
    });
    sums.collect()
}

/// Reasons that have details, of which kind, and by which source.
fn expected(isa: Isa) -> Vec<(u32, Kind, Source)> {
    match isa {
        Isa::Vmx => vec![
            (0, Kind::Exception, Source::Interruption),
            (1, Kind::Interrupt, Source::Interruption),
            (10, Kind::Leaf, Source::Cpuid),
            (18, Kind::Hypercall, Source::Hypercall),
            (28, Kind::ControlRegister, Source::Qualification),
            (29, Kind::DebugRegister, Source::Qualification),
            (30, Kind::Port, Source::Qualification),
            (31, Kind::Msr, Source::Msr),
            (32, Kind::Msr, Source::Msr),
            (44, Kind::ApicRegister, Source::Qualification),
            (45, Kind::EndOfInterrupt, Source::Qualification),
            (48, Kind::PageFault, Source::Qualification),
            (48, Kind::Region, Source::PageFault),
            (49, Kind::Mmio, Source::Mmio),
            (56, Kind::ApicRegister, Source::Qualification),
        ],
        Isa::Svm => vec![
            (0x72, Kind::Leaf, Source::Cpuid),
            (0x7b, Kind::Port, Source::Qualification),
            (0x7c, Kind::Msr, Source::Msr),
            (0x81, Kind::Hypercall, Source::Hypercall),
            (0x400, Kind::PageFault, Source::Qualification),
            (0x400, Kind::Region, Source::PageFault),
        ],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
