//! What `exit-sampler` answers: texts and what they mean.

use exitlab_abi::{LeafMap, STATUS_ENABLED, STATUS_NOT_ENABLED, STATUS_UNDEFINED};
use exitlab_model::reasons::{Isa, ReasonTable};
use exitlab_model::record::{CpuidReading, Discovery, ReasonStatus, TotalReading, Totals};

use crate::census::Counted;

/// All counters as the sampler read them.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuidSample {
    /// Guest uptime before the first leaf, seconds.
    pub guest_s: f64,
    /// The guest's TSC at that moment, cycles.
    pub guest_tsc: u64,
    /// What was read.
    pub reading: CpuidReading,
}

fn seconds(nanoseconds: &str) -> Option<f64> {
    // Microseconds: see `clock::host_seconds`.
    Some((nanoseconds.parse::<u64>().ok()? / 1000) as f64 / 1e6)
}

pub fn ready(line: &str) -> Option<f64> {
    seconds(line.strip_prefix("ready ")?)
}

pub fn discovery(line: &str) -> Option<Discovery> {
    let words: Vec<&str> = line.strip_prefix("discovery ")?.split(' ').collect();
    let [isa, version, leaf_map, cycles, reasons] = words[..] else {
        return None;
    };
    Some(Discovery {
        isa: match isa {
            "vmx" => Isa::Vmx,
            "svm" => Isa::Svm,
            _ => return None,
        },
        version: version.parse().ok()?,
        leaf_map: leaf_map.parse().ok()?,
        cycles: match cycles {
            "on" => true,
            "off" => false,
            _ => return None,
        },
        reasons: reasons.parse().ok()?,
    })
}

pub fn sample(line: &str, counted: Counted, leaf_map: u32) -> Option<CpuidSample> {
    let words: Vec<&str> = line.strip_prefix("census ")?.split(' ').collect();
    let [uptime, tsc, leaves, before, counts, cycles, after] = words[..] else {
        return None;
    };
    let cycles = match (cycles, counted.cycles) {
        ("off", false) => None,
        (list, true) => Some(numbers(list, counted.reasons)?),
        _ => return None,
    };
    let totals = Totals {
        // One leaf for both totals has room for half of the count.
        bits: match LeafMap::of(leaf_map)?.shares_totals() {
            true => 32,
            false => 64,
        },
        before: total(before, counted.cycles)?,
        after: total(after, counted.cycles)?,
    };
    Some(CpuidSample {
        guest_s: seconds(uptime)?,
        guest_tsc: tsc.parse().ok()?,
        reading: CpuidReading {
            counts: numbers(counts, counted.reasons)?,
            cycles,
            totals: Some(totals),
            leaves: leaves.parse().ok()?,
        },
    })
}

/// One number for each slot; exactly the undefined ones must be `-`.
fn numbers(list: &str, reasons: &ReasonTable) -> Option<Vec<u64>> {
    let slots = reasons.slots();
    let words: Vec<&str> = list.split(',').collect();
    if words.len() != slots.len() {
        return None;
    }
    let numbers = words.iter().zip(slots).map(|(word, (_, number))| {
        match (*word, reasons.get(number).is_some()) {
            ("-", false) => Some(0),
            // The kernel and we disagree about what is defined: no table of nonsense.
            ("-", true) | (_, false) => None,
            (word, true) => word.parse().ok(),
        }
    });
    numbers.collect()
}

fn total(word: &str, with_cycles: bool) -> Option<TotalReading> {
    let (nth, rest) = word.split_once(':')?;
    let (count, cycles) = match rest.split_once(':') {
        Some((count, cycles)) if with_cycles => (count, Some(cycles.parse().ok()?)),
        None if !with_cycles => (rest, None),
        _ => return None,
    };
    Some(TotalReading {
        nth: nth.parse().ok()?,
        count: count.parse().ok()?,
        cycles,
    })
}

pub fn statuses(line: &str, reasons: &ReasonTable) -> Option<Vec<ReasonStatus>> {
    let word = |text: &str| match text.parse().ok()? {
        STATUS_UNDEFINED => Some(ReasonStatus::Undefined),
        STATUS_NOT_ENABLED => Some(ReasonStatus::NotEnabled),
        STATUS_ENABLED => Some(ReasonStatus::Enabled),
        _ => None,
    };
    let words = line.strip_prefix("status ")?.split(',');
    let statuses: Vec<ReasonStatus> = words.map(word).collect::<Option<_>>()?;
    (statuses.len() == reasons.len_slots()).then_some(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(isa: Isa, cycles: bool) -> Counted {
        Counted {
            reasons: ReasonTable::of(isa),
            cycles,
        }
    }

    /// Twice the slot for each reason, but for what `change` says of a number.
    fn list(isa: Isa, change: impl Fn(u32) -> Option<&'static str>) -> String {
        let reasons = ReasonTable::of(isa);
        let words = reasons
            .slots()
            .into_iter()
            .map(|(slot, number)| match change(number) {
                Some(text) => text.to_owned(),
                None if reasons.get(number).is_none() => "-".to_owned(),
                None => (slot * 2).to_string(),
            });
        words.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn a_census_is_read() {
        let counts = list(Isa::Vmx, |_| None);
        let line = format!("census 1234567890 42 88 1:500 {counts} off 88:590");
        let read = sample(&line, counted(Isa::Vmx, false), 1).unwrap();
        assert_eq!((read.guest_s, read.guest_tsc), (1.234567, 42));
        let reading = read.reading;
        assert_eq!((reading.counts[10], reading.counts[35]), (20, 0));
        assert_eq!((reading.leaves, &reading.cycles), (88, &None));
        let totals = reading.totals.unwrap();
        assert_eq!(
            (totals.bits, totals.before.nth, totals.after.count),
            (32, 1, 590)
        );
        assert_eq!(sample(&line, counted(Isa::Vmx, true), 1), None);
    }

    #[test]
    fn a_census_of_svm_codes_with_cycles_is_read() {
        let counts = list(Isa::Svm, |_| None);
        let line = format!("census 1 2 354 2:500:7000 {counts} {counts} 353:590:8000");
        let reading = sample(&line, counted(Isa::Svm, true), 3).unwrap().reading;
        assert_eq!(
            (reading.counts.len(), reading.counts[0x72]),
            (175, 0x72 * 2)
        );
        assert_eq!(reading.cycles.unwrap()[174], 348);
        let totals = reading.totals.unwrap();
        assert_eq!(
            (totals.bits, totals.before.cycles, totals.after.nth),
            (64, Some(7000), 353)
        );
        assert_eq!(sample(&line, counted(Isa::Vmx, true), 3), None);
    }

    #[test]
    fn a_census_that_disagrees_with_the_table_is_refused() {
        let read = |counts: String| {
            let line = format!("census 1 2 88 1:5 {counts} off 88:9");
            sample(&line, counted(Isa::Vmx, false), 1)
        };
        assert!(read(list(Isa::Vmx, |_| None)).is_some());
        assert_eq!(read(list(Isa::Vmx, |r| (r == 10).then_some("-"))), None);
        assert_eq!(read(list(Isa::Vmx, |r| (r == 35).then_some("0"))), None);
        assert_eq!(read("4,5".to_owned()), None);
    }

    #[test]
    fn cycles_are_on_or_off() {
        assert_eq!(discovery("discovery svm 2 1 maybe 175"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "(census |status |ready |discovery )?[-0-9,: ofn]{0,40}") {
            let counted = counted(Isa::Vmx, true);
            let _ = (sample(&line, counted, 1), statuses(&line, counted.reasons));
            let _ = (ready(&line), discovery(&line));
        }
    }
}
