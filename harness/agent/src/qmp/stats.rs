//! KVM's statistics of vCPUs as QEMU hands them out: which are asked for, and their sums.

use qapi::qmp::{self, StatsResult, StatsValue};

use exitlab_model::record::StatsReading;

use crate::census::Counted;

/// The histogram that the exit census adds to `struct kvm_vcpu_stat`.
pub const CENSUS: &str = "exits_by_reason";

/// The same in cycles from VM exit to VM entry.
const CYCLES: &str = "exit_cycles_by_reason";

/// Entries that failed with an exit reason.
const FAILED: &str = "failed_entries";

/// KVM's own count of exits.
const EXITS: &str = "exits";

/// Whether the statistic of that name is among those of a vCPU.
pub fn has(result: &StatsResult, name: &str) -> bool {
    value(result, name).is_some()
}

/// What `query-stats` is asked for.
pub fn request(counted: Counted) -> qmp::query_stats {
    let cycles = counted.cycles.then_some(CYCLES);
    let names = [CENSUS, EXITS, FAILED].into_iter().chain(cycles);
    let request = qmp::StatsRequest {
        names: Some(names.map(str::to_owned).collect()),
        provider: qmp::StatsProvider::kvm,
    };
    qmp::query_stats(qmp::StatsFilter::vcpu {
        providers: Some(vec![request]),
        vcpu: qmp::StatsVCPUFilter { vcpus: None },
    })
}

/// Sums the statistics of all vCPUs.
pub fn sum(results: &[StatsResult], counted: Counted) -> Result<StatsReading, String> {
    let reasons = counted.reasons.len_slots();
    let mut reading = StatsReading {
        counts: vec![0; reasons],
        cycles: counted.cycles.then(|| vec![0; reasons]),
        other: 0,
        failed_entries: None,
        exits: 0,
    };
    for result in results {
        let counts = histogram(result, CENSUS, reasons)?;
        let order = SlotOrder::of(counts);
        let counts = order.apply(counts);
        add(&mut reading.counts, &counts);
        reading.other += counts[reasons..].iter().sum::<u64>();
        if let Some(sums) = &mut reading.cycles {
            let cycles = order.apply(histogram(result, CYCLES, reasons)?);
            if cycles[cycles.len() / 2..].iter().any(|slot| *slot != 0) {
                return Err(format!(
                    "QEMU answered query-stats with {CENSUS} and {CYCLES} in different orders"
                ));
            }
            add(sums, &cycles);
        }
        reading.exits += scalar(result, EXITS)?.ok_or_else(|| missing(EXITS))?;
        if let Some(failed) = scalar(result, FAILED)? {
            *reading.failed_entries.get_or_insert(0) += failed;
        }
    }
    Ok(reading)
}

/// KVM's own count of exits, of all vCPUs.
pub fn exits(results: &[StatsResult]) -> Result<u64, String> {
    let of = |result| scalar(result, EXITS)?.ok_or_else(|| missing(EXITS));
    let mut all = results.iter().map(of);
    all.try_fold(0u64, |sum, exits| Ok(sum.saturating_add(exits?)))
}

fn add(sums: &mut [u64], slots: &[u64]) {
    for (sum, slot) in sums.iter_mut().zip(slots) {
        *sum += slot;
    }
}

fn missing(name: &str) -> String {
    format!("QEMU answered query-stats without {name}")
}

fn value<'a>(result: &'a StatsResult, name: &str) -> Option<&'a StatsValue> {
    let stat = result.stats.iter().find(|stat| stat.name == name);
    stat.map(|stat| &stat.value)
}

fn scalar(result: &StatsResult, name: &str) -> Result<Option<u64>, String> {
    match value(result, name) {
        None => Ok(None),
        Some(StatsValue::scalar(number)) => Ok(Some(*number)),
        Some(value) => Err(format!("QEMU answered query-stats with {name} = {value:?}")),
    }
}

/// The slots of a histogram, in the order in which QEMU lists them.
fn histogram<'a>(result: &'a StatsResult, name: &str, reasons: usize) -> Result<&'a [u64], String> {
    match value(result, name).ok_or_else(|| missing(name))? {
        StatsValue::list(slots) if slots.len() / 2 > reasons => Ok(slots),
        value => Err(format!("QEMU answered query-stats with {name} = {value:?}")),
    }
}

/// In which order QEMU lists the slots of a histogram.
///
/// QEMU (`add_kvmstat_entry`, seen with 7.2) prepends while it makes the list and so hands
/// histograms out back to front. The order shows in the list itself: the kernel never
/// counts in the upper half of the slots, and a count there means that the list is
/// reversed. It is decided by the counts and holds for the cycles of the same vCPU, too:
/// cycles may be all zero while counts are not, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotOrder {
    Ascending,
    Descending,
}

impl SlotOrder {
    fn of(counts: &[u64]) -> SlotOrder {
        if counts[counts.len() / 2..].iter().any(|slot| *slot != 0) {
            SlotOrder::Descending
        } else {
            SlotOrder::Ascending
        }
    }

    /// The slots, lowest first.
    fn apply(self, slots: &[u64]) -> Vec<u64> {
        match self {
            SlotOrder::Ascending => slots.to_vec(),
            SlotOrder::Descending => slots.iter().rev().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use exitlab_model::reasons::ReasonTable;

    fn counted(cycles: bool) -> Counted {
        Counted {
            reasons: ReasonTable::vmx(),
            cycles,
        }
    }

    /// What QEMU says of one vCPU: `cpuid` exits, some cycles of them, and one exit that
    /// no table defines.
    fn vcpu(cpuid: u64, cycles: u64, [counts_reversed, cycles_reversed]: [bool; 2]) -> StatsResult {
        let reasons = ReasonTable::vmx().len_slots();
        let list = |slot_10, slot_other, reversed: bool| {
            let mut slots = vec![0; 2 * reasons + 6];
            slots[10] = slot_10;
            slots[reasons + 2] = slot_other;
            if reversed {
                slots.reverse();
            }
            StatsValue::list(slots)
        };
        let stat = |name: &str, value| qmp::Stats {
            name: name.into(),
            value,
        };
        StatsResult {
            provider: qmp::StatsProvider::kvm,
            qom_path: None,
            stats: vec![
                stat(CYCLES, list(cycles, 0, cycles_reversed)),
                stat(CENSUS, list(cpuid, 1, counts_reversed)),
                stat(FAILED, StatsValue::scalar(3)),
                stat(EXITS, StatsValue::scalar(cpuid + 1)),
            ],
        }
    }

    #[test]
    fn statistics_are_summed_over_vcpus_in_either_order() {
        let vcpus = [vcpu(3, 500, [true; 2]), vcpu(4, 60, [false; 2])];
        let reading = sum(&vcpus, counted(true)).unwrap();
        assert_eq!(
            (reading.counts[10], reading.other, reading.exits),
            (7, 2, 9)
        );
        assert_eq!(reading.cycles.unwrap()[10], 560);
        assert_eq!(reading.failed_entries, Some(6));
        assert_eq!(sum(&vcpus, counted(false)).unwrap().cycles, None);
    }

    #[test]
    fn the_counts_decide_the_order() {
        let idle = sum(&[vcpu(3, 0, [true; 2])], counted(true)).unwrap();
        assert_eq!((idle.counts[10], idle.cycles.unwrap()[10]), (3, 0));
        let mixed = sum(&[vcpu(3, 500, [true, false])], counted(true)).unwrap_err();
        assert!(mixed.contains("different orders"), "{mixed}");
        let mut without = vcpu(3, 500, [true; 2]);
        without.stats.retain(|stat| stat.name != CYCLES);
        let missing = sum(&[without], counted(true)).unwrap_err();
        assert!(
            missing.ends_with("without exit_cycles_by_reason"),
            "{missing}"
        );
    }

    #[test]
    fn qemus_json_is_read() {
        let answer = json!([{ "provider": "kvm", "qom-path": "/machine/unattached", "stats": [
            { "name": "exits", "value": 7 },
            { "name": "exits_by_reason", "value": [1, 2] },
        ] }]);
        let vcpus: Vec<StatsResult> = serde_json::from_value(answer).unwrap();
        assert!(has(&vcpus[0], EXITS) && !has(&vcpus[0], FAILED));
        assert_eq!(scalar(&vcpus[0], EXITS), Ok(Some(7)));
        let short = histogram(&vcpus[0], CENSUS, 86).unwrap_err();
        assert!(short.contains("list([1, 2])"), "{short}");
    }
}
