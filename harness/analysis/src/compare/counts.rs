//! What is compared: the counts of one cell, of all its repeats, by phase and reason.

use std::collections::{BTreeMap, BTreeSet};

use super::below::{Below, Told};
use super::facts::Facts;
use exitlab_base::foreign::cell;
use exitlab_model::platform::PlatformKind;
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{Channel, RunRecord, Sample, StatsReading};

/// Stands for all exits whose reason no table defines (`other` of the channel `stats`).
/// No exit reason has this number: VMX's are 16 bits wide, SVM's end at `0x403` and begin
/// again at `-4`.
pub const UNKNOWN_REASON: u32 = 0x8000_0000;

/// What tells cells apart. Runs of equal keys are repeats of one cell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// As [`RunRecord::platform`] has it.
    pub platform: String,
    /// Name of the experiment.
    pub experiment: String,
    /// The cell's point of the matrix: key and value; empty for a plain run.
    pub values: BTreeMap<String, String>,
}

impl CellKey {
    /// Whether counts of this platform repeat bit for bit.
    pub fn repeatable(&self) -> bool {
        PlatformKind::of_place(&self.platform).is_some_and(PlatformKind::repeats)
    }
}

impl std::fmt::Display for CellKey {
    /// For people: each name in it is short and does nothing but show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", cell(&self.experiment), cell(&self.platform))?;
        for (key, value) in &self.values {
            write!(f, ", {}={}", cell(key), cell(value))?;
        }
        Ok(())
    }
}

/// The counts of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellCounts {
    /// Which cell.
    pub key: CellKey,
    /// Whose exit reasons are counted.
    pub isa: Isa,
    /// How they were read.
    pub channel: Channel,
    /// Where each repeat comes from: a directory or a file.
    pub sources: Vec<String>,
    /// How many repeats there are.
    pub repeats: usize,
    /// Where the counts come from.
    pub facts: Facts,
    /// What the phases tell of what is below the reasons.
    pub told: Told,
    /// The intervals between samples, in order.
    pub phases: Vec<PhaseCounts>,
}

/// The exits of one interval between two samples, or from power-on to the first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhaseCounts {
    /// `boot`, `idle 1`, `idle 2`, …, or the name of a workload; of a guest without SSH
    /// also `run 1`, `run 2`, …, up to a line of its console or its end.
    pub name: String,
    /// By reason number; a reason that is not there had no exits.
    pub reasons: BTreeMap<u32, Series>,
    /// What is below the reasons, as far as it was counted.
    pub below: Below,
}

/// One reason in one phase, repeat by repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// Exits, one number for each repeat.
    pub exits: Vec<u64>,
    /// Cycles from VM exit to VM entry, one number for each repeat; empty if they were not
    /// counted.
    pub cycles: Vec<u64>,
}

impl Series {
    /// Mean number of exits.
    pub fn mean(&self) -> f64 {
        mean(&self.exits)
    }

    /// Cycles of an exit, over all repeats; `None` if they were not counted, or if there
    /// was no exit.
    pub fn cycles_per_exit(&self) -> Option<f64> {
        let sum = |values: &[u64]| values.iter().map(|&value| value as f64).sum::<f64>();
        let exits = sum(&self.exits);
        (!self.cycles.is_empty() && exits > 0.0).then(|| sum(&self.cycles) / exits)
    }
}

/// The mean of some numbers, 0 of none.
pub(super) fn mean(values: &[u64]) -> f64 {
    let sum: u128 = values.iter().map(|&value| u128::from(value)).sum();
    sum as f64 / (values.len().max(1)) as f64
}

impl PhaseCounts {
    /// Exits of one reason, one number for each of `repeats`; zeros if there were none.
    pub fn exits(&self, reason: u32, repeats: usize) -> Vec<u64> {
        let series = self.reasons.get(&reason);
        series.map_or_else(|| vec![0; repeats], |series| series.exits.clone())
    }
}

impl CellCounts {
    /// One run. The record's samples all have `channel`.
    ///
    /// # Errors
    ///
    /// What is wrong with the counts, as a fragment.
    pub fn of_record(
        record: &RunRecord,
        values: BTreeMap<String, String>,
        channel: Channel,
        source: &str,
    ) -> Result<CellCounts, String> {
        let reasons = record.reasons();
        let mut phases = Vec::new();
        let (mut taken, mut before) = (BTreeMap::<&str, u32>::new(), None);
        for sample in &record.samples {
            // A workload's sample is labelled with its name; the schedule's are many.
            let name = match sample.phase.as_str() {
                phase if phase == "boot" || phase == sample.label => phase.to_owned(),
                phase => {
                    let number = taken.entry(phase).or_default();
                    *number += 1;
                    format!("{phase} {number}")
                }
            };
            let now = Counters::of(sample, channel)
                .ok_or_else(|| format!("sample {} has no channel {channel}", sample.number))?;
            phases.push(now.since(before.as_ref(), &name, reasons)?);
            before = Some(now);
        }
        let (told, below) = Told::of(record, reasons);
        for (phase, below) in phases.iter_mut().zip(below) {
            phase.below = below;
        }
        Ok(CellCounts {
            key: CellKey {
                platform: record.platform.clone(),
                experiment: record.experiment.clone(),
                values,
            },
            isa: reasons.isa(),
            channel,
            sources: vec![source.to_owned()],
            repeats: 1,
            facts: Facts::of_record(record),
            told,
            phases,
        })
    }

    /// Takes in further repeats of the same cell, whose phases are the same.
    pub fn absorb(&mut self, other: CellCounts) {
        for (own, others) in self.phases.iter_mut().zip(other.phases) {
            let reasons: BTreeSet<u32> = own
                .reasons
                .keys()
                .chain(others.reasons.keys())
                .copied()
                .collect();
            let counted =
                |phase: &PhaseCounts| phase.reasons.values().any(|s| !s.cycles.is_empty());
            let cycles = counted(own) && counted(&others);
            for reason in reasons {
                let mut series = own.series(reason, self.repeats, cycles);
                let more = others.series(reason, other.repeats, cycles);
                series.exits.extend(more.exits);
                series.cycles.extend(more.cycles);
                own.reasons.insert(reason, series);
            }
            let repeats = [self.repeats, other.repeats];
            own.below.absorb(others.below, repeats);
        }
        self.told = self.told.common(&other.told);
        self.repeats += other.repeats;
        self.sources.extend(other.sources);
    }

    /// The phase of that name.
    pub fn phase(&self, name: &str) -> Option<&PhaseCounts> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The names of its phases, in order.
    pub fn phase_names(&self) -> Vec<&str> {
        self.phases
            .iter()
            .map(|phase| phase.name.as_str())
            .collect()
    }

    /// The repeats at these positions, as a cell of their own.
    pub fn select(&self, repeats: &[usize]) -> CellCounts {
        let pick = |values: &[u64]| -> Vec<u64> {
            repeats
                .iter()
                .filter_map(|&at| values.get(at).copied())
                .collect()
        };
        let series = |series: &Series| Series {
            exits: pick(&series.exits),
            cycles: pick(&series.cycles),
        };
        let phase = |phase: &PhaseCounts| PhaseCounts {
            name: phase.name.clone(),
            reasons: phase.reasons.iter().map(|(&r, s)| (r, series(s))).collect(),
            below: phase.below.select(&pick),
        };
        CellCounts {
            repeats: repeats.len(),
            phases: self.phases.iter().map(phase).collect(),
            ..self.clone()
        }
    }
}

impl PhaseCounts {
    fn series(&self, reason: u32, repeats: usize, cycles: bool) -> Series {
        let none = || Series {
            exits: vec![0; repeats],
            cycles: vec![0; repeats],
        };
        let mut series = self.reasons.get(&reason).cloned().unwrap_or_else(none);
        if !cycles {
            series.cycles.clear();
        }
        series
    }
}

/// What one channel read at one sample.
struct Counters<'a> {
    counts: &'a [u64],
    cycles: Option<&'a [u64]>,
    other: u64,
}

impl<'a> Counters<'a> {
    fn of(sample: &'a Sample, channel: Channel) -> Option<Counters<'a>> {
        match channel {
            Channel::Stats => sample.stats_before.as_ref().map(Counters::of_stats),
            Channel::Cpuid => sample.cpuid.as_ref().map(|reading| Counters {
                counts: &reading.counts,
                cycles: reading.cycles.as_deref(),
                other: 0,
            }),
            Channel::Trace => sample.trace.as_ref().map(|reading| Counters {
                counts: &reading.counts,
                cycles: None,
                other: reading.other,
            }),
        }
    }

    fn of_stats(reading: &'a StatsReading) -> Counters<'a> {
        Counters {
            counts: &reading.counts,
            cycles: reading.cycles.as_deref(),
            other: reading.other,
        }
    }

    /// What was counted since the sample before, or since power-on.
    fn since(
        &self,
        before: Option<&Counters>,
        name: &str,
        table: &ReasonTable,
    ) -> Result<PhaseCounts, String> {
        let at = |values: &[u64], slot: usize| values.get(slot).copied().unwrap_or(0);
        let grown = |reason: u32, now: u64, then: u64| {
            now.checked_sub(then)
                .ok_or_else(|| format!("the count of reason {reason} decreased in phase {name}"))
        };
        let mut reasons = BTreeMap::new();
        for slot in 0..self.counts.len() {
            let reason = table.number(slot);
            let then = before.map_or(0, |before| at(before.counts, slot));
            let exits = grown(reason, self.counts[slot], then)?;
            let then = before
                .and_then(|before| before.cycles)
                .map_or(0, |c| at(c, slot));
            let cycles = self
                .cycles
                .map(|cycles| at(cycles, slot).wrapping_sub(then));
            if exits > 0 {
                let cycles = cycles.into_iter().collect();
                reasons.insert(
                    reason,
                    Series {
                        exits: vec![exits],
                        cycles,
                    },
                );
            }
        }
        let other = grown(
            UNKNOWN_REASON,
            self.other,
            before.map_or(0, |before| before.other),
        )?;
        if other > 0 {
            let cycles = self.cycles.map(|_| 0).into_iter().collect();
            reasons.insert(
                UNKNOWN_REASON,
                Series {
                    exits: vec![other],
                    cycles,
                },
            );
        }
        Ok(PhaseCounts {
            name: name.to_owned(),
            reasons,
            below: Below::default(),
        })
    }
}

/// The channels that every sample of a record has, the steadiest first: `stats` executes
/// nothing in the guest, `cpuid` counts a part of its own reading.
pub(crate) fn channels(record: &RunRecord) -> Vec<Channel> {
    let order = [Channel::Stats, Channel::Cpuid, Channel::Trace];
    let everywhere = |channel: &Channel| {
        let mut samples = record.samples.iter();
        samples.all(|sample| Counters::of(sample, *channel).is_some())
    };
    order.into_iter().filter(everywhere).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture::record_of;

    #[test]
    fn exits_are_those_of_the_interval() {
        let record = record_of(Isa::Svm, true);
        let channel = channels(&record)[0];
        assert_eq!(channel, Channel::Stats);
        let cell = CellCounts::of_record(&record, BTreeMap::new(), channel, "a").unwrap();
        assert_eq!(cell.phase_names(), ["boot", "idle 1", "idle 2"]);
        let mut mixed = record.clone();
        for (at, phase, label) in [(1, "run", "line:x"), (2, "run", "run")] {
            mixed.samples[at].phase = phase.to_owned();
            mixed.samples[at].label = label.to_owned();
        }
        let mixed = CellCounts::of_record(&mixed, BTreeMap::new(), channel, "a").unwrap();
        assert_eq!(mixed.phase_names(), ["boot", "run 1", "run"]);
        let idle = &cell.phases[1];
        assert_eq!(idle.exits(0x400, 1), [8672 - 8655]);
        assert_eq!(idle.reasons[&0x400].cycles_per_exit(), Some(12_000.0));
        assert_eq!(idle.exits(0x65, 1), [0], "no exits in that interval");
    }

    #[test]
    fn repeats_line_up_where_a_reason_is_new() {
        let record = record_of(Isa::Vmx, false);
        let one = CellCounts::of_record(&record, BTreeMap::new(), Channel::Stats, "a").unwrap();
        let mut two = one.clone();
        two.phases[1].reasons.remove(&48);
        let new = Series {
            exits: vec![3],
            cycles: vec![],
        };
        two.phases[1].reasons.insert(37, new);
        let mut both = one;
        both.absorb(two);
        assert_eq!(both.repeats, 2);
        assert_eq!(both.phases[1].exits(48, 2), [17, 0]);
        assert_eq!(both.phases[1].exits(37, 2), [0, 3]);
        assert_eq!(both.select(&[1]).phases[1].exits(48, 1), [0]);
    }

    #[test]
    fn a_count_that_decreases_is_refused() {
        let mut record = record_of(Isa::Vmx, false);
        record.samples[2].stats_before.as_mut().unwrap().counts[30] = 1;
        let error =
            CellCounts::of_record(&record, BTreeMap::new(), Channel::Stats, "a").unwrap_err();
        assert_eq!(error, "the count of reason 30 decreased in phase idle 2");
    }
}
