#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::figures::{Unbracketed, fixture};
use exitlab_model::reasons::Isa;
use exitlab_model::record::CpuidReading;

/// The fixture's checks after one change to its second sample.
fn after(change: impl FnOnce(&mut Sample)) -> Checks {
    after_in(Isa::Vmx, change)
}

fn after_in(isa: Isa, change: impl FnOnce(&mut Sample)) -> Checks {
    let mut record = fixture::record_of(isa, true);
    change(&mut record.samples[1]);
    Checks::of(&record, ReasonTable::of(isa))
}

#[test]
fn a_good_run_holds() {
    for (isa, cycles) in [(Isa::Vmx, false), (Isa::Vmx, true), (Isa::Svm, true)] {
        let reasons = ReasonTable::of(isa);
        let checks = Checks::of(&fixture::record_of(isa, cycles), reasons);
        assert!(checks.hold(), "{checks:?}");
        let compared = (checks.compared_samples, checks.compared_reasons);
        assert_eq!(compared, (3, reasons.len_slots()));
        assert_eq!(checks.compared_cycles, cycles);
        assert_eq!(
            (checks.summed_readings, checks.followed_readings),
            (6, 2 + 5)
        );
        assert_eq!(checks.reading_costs.len(), 3);
        assert_eq!((checks.totals.readings, checks.totals.exact), (3, 3));
        assert_eq!(checks.timed_samples, if cycles { 3 } else { 0 });
    }
}

#[test]
fn channels_that_disagree_are_listed() {
    let checks = after(|sample| sample.cpuid.as_mut().unwrap().counts[48] = 8671);
    let expected = Disagreement {
        sample: 2,
        reason: 48,
        quantity: Quantity::Count,
        before: Some(8672),
        cpuid: 8671,
        after: Some(8672),
    };
    assert_eq!(checks.disagreements, [expected]);
    let checks = after(|sample| sample.cpuid.as_mut().unwrap().counts[49] = 875);
    assert_eq!(checks.disagreements.len(), 1);
    let one_sided = after(|sample| sample.stats_after = None);
    assert!(one_sided.disagreements.is_empty() && one_sided.compared_samples == 2);
}

#[test]
fn cpuid_exits_beyond_the_leaves_are_a_difference() {
    let checks = after(|sample| sample.cpuid.as_mut().unwrap().leaves -= 6);
    let differences: Vec<_> = checks
        .reading_costs
        .iter()
        .map(ReadingCost::difference)
        .collect();
    assert_eq!(differences, [0, 6, 0]);
    assert!(!checks.hold());
}

#[test]
fn a_sum_that_misses_exits_is_reported() {
    let checks = after(|sample| sample.stats_after.as_mut().unwrap().exits += 7);
    let [mismatch] = &checks.sum_mismatches[..] else {
        panic!("{checks:?}")
    };
    assert!(mismatch.after && mismatch.sum + 7 == u128::from(mismatch.exits));
}

#[test]
fn a_count_that_falls_is_reported_by_channel() {
    let checks = after(|sample| sample.stats_before.as_mut().unwrap().counts[12] = 20);
    let expected = Decrease {
        sample: 2,
        reason: 12,
        quantity: Quantity::Count,
        channel: Channel::Stats,
        from: 21,
        to: 20,
    };
    assert_eq!(checks.decreases, [expected]);
}

#[test]
fn nothing_to_compare_is_not_a_failure() {
    let mut record = fixture::record();
    record.samples.clear();
    record.plan = fixture::plan(serde_json::json!({"guest": {"vcpus": 1}}));
    assert_eq!(Checks::of(&record, ReasonTable::vmx()), Checks::default());
    assert!(Checks::default().hold());
}

#[test]
fn cycles_are_held_to_the_same_laws() {
    let disagree = after(|sample| sample.cpuid.as_mut().unwrap().cycles.as_mut().unwrap()[48] = 1);
    let [broken] = &disagree.disagreements[..] else {
        panic!("{disagree:?}")
    };
    assert_eq!((broken.reason, broken.quantity), (48, Quantity::Cycles));
    let last = disagree.decreases.last().unwrap();
    assert_eq!((last.reason, last.quantity), (48, Quantity::Cycles));
}

#[test]
fn reasons_of_svm_go_by_their_codes() {
    let slot = ReasonTable::svm().slot(0x400).unwrap();
    let checks = after_in(Isa::Svm, |sample| {
        sample.cpuid.as_mut().unwrap().counts[slot] += 1;
    });
    assert_eq!(checks.disagreements[0].reason, 0x400);
    // One exit more than there is room for between the totals.
    assert_eq!(checks.totals.unbracketed.len(), 1);
}

#[test]
fn totals_enclose_the_sum() {
    let missed = after(|sample| {
        let cpuid = sample.cpuid.as_mut().unwrap();
        cpuid.totals.as_mut().unwrap().after.count += 1;
    });
    assert!(
        missed.hold(),
        "another exit may come after the reason was read"
    );
    assert_eq!((missed.totals.readings, missed.totals.exact), (3, 2));
    let lost = after(|sample| {
        let cpuid = sample.cpuid.as_mut().unwrap();
        cpuid.totals.as_mut().unwrap().before.count += 1;
    });
    let expected = Unbracketed {
        sample: 2,
        quantity: Quantity::Count,
        above: 10,
        least_above: 11,
        below: 162,
        least_below: 162,
    };
    assert_eq!(lost.totals.unbracketed, [expected]);
    let cycles = after(|sample| {
        let cpuid = sample.cpuid.as_mut().unwrap();
        cpuid.totals.as_mut().unwrap().before.cycles = Some(u64::MAX / 2);
    });
    assert_eq!(cycles.totals.unbracketed[0].quantity, Quantity::Cycles);
}

#[test]
fn a_total_of_32_bits_may_wrap() {
    let checks = after(|sample| {
        let (before, after) = (
            sample.stats_before.as_mut().unwrap(),
            &mut sample.stats_after,
        );
        let cpuid = sample.cpuid.as_mut().unwrap();
        let after = after.as_mut().unwrap();
        let totals = cpuid.totals.as_mut().unwrap();
        // As many exits more of one reason as bring the sum beyond 32 bits.
        let more = (1 << 32) - cpuid.counts.iter().sum::<u64>();
        for counts in [&mut before.counts, &mut cpuid.counts, &mut after.counts] {
            counts[30] += more;
        }
        before.exits += more;
        after.exits += more;
        for total in [&mut totals.before, &mut totals.after] {
            total.count = (total.count + more) & 0xffff_ffff;
        }
    });
    assert_eq!(checks.totals.unbracketed, []);
    assert_eq!(checks.totals.exact, 3);
}

#[test]
fn cycles_beyond_the_time_that_passed_are_an_overrun() {
    let checks = after(|sample| {
        let after = sample.stats_after.as_mut().unwrap();
        after.cycles.as_mut().unwrap()[12] = 1 << 60;
    });
    let [overrun] = &checks.overruns[..] else {
        panic!("{checks:?}")
    };
    assert_eq!((overrun.sample, checks.timed_samples), (2, 3));
    assert!(overrun.cycles > overrun.passed);
}

#[test]
fn rounds_that_kvm_emulates_are_no_exits() {
    let mut record = fixture::record();
    for sample in &mut record.samples {
        for reading in [&mut sample.stats_before, &mut sample.stats_after] {
            reading.as_mut().unwrap().exits += 95;
        }
    }
    let reasons = ReasonTable::vmx();
    assert_eq!(Checks::of(&record, reasons).sum_mismatches.len(), 6);
    record.emulates = true;
    let checks = Checks::of(&record, reasons);
    assert!(checks.hold());
    assert_eq!(checks.emulated, Some(95));
    // An exit that KVM did not count is wrong there, too.
    record.samples[0].stats_before.as_mut().unwrap().exits -= 96;
    assert_eq!(Checks::of(&record, reasons).sum_mismatches.len(), 1);
}

/// What a promise says that is broken after one change to the fixture's second sample.
fn broken(change: impl FnOnce(&mut Sample)) -> Vec<Law> {
    after(change).broken(Class::Promise)
}

#[test]
fn a_guest_that_executes_cpuid_for_itself_breaks_no_promise() {
    let busy = |sample: &mut Sample| {
        let after = sample.stats_after.as_mut().unwrap();
        (after.counts[10], after.exits) = (after.counts[10] + 4, after.exits + 4);
    };
    assert_eq!(broken(busy), []);
    assert_eq!(after(busy).broken(Class::Observation), [Law::Price]);
}

#[test]
fn what_a_sampler_cannot_have_read_breaks_promises() {
    let reading =
        |change: fn(&mut CpuidReading)| broken(|sample| change(sample.cpuid.as_mut().unwrap()));
    assert_eq!(reading(|r| r.leaves = 0), [Law::LeastPrice]);
    assert_eq!(
        reading(|r| r.leaves = u64::MAX),
        [Law::Possible, Law::LeastPrice]
    );
    let huge = reading(|r| r.counts[30] = u64::MAX);
    assert!(
        huge.starts_with(&[Law::Possible, Law::Agreement]),
        "{huge:?}"
    );
    let zero = reading(|r| r.counts.fill(0));
    assert!(zero.contains(&Law::Agreement) && zero.contains(&Law::Monotony));
    let totals = reading(|r| r.totals.as_mut().unwrap().before.nth = u64::MAX);
    assert_eq!(totals, [Law::Totals]);
    assert_eq!(broken(|s| s.clocks.guest_s = Some(0.5)), [Law::Clocks]);
}

#[test]
fn samples_that_the_plan_does_not_ask_for_break_a_promise() {
    assert_eq!(
        broken(|sample| sample.label = "+6s".to_owned()),
        [Law::Plan]
    );
    let mut record = fixture::record();
    record.samples.pop();
    let checks = Checks::of(&record, ReasonTable::vmx());
    assert_eq!(checks.broken(Class::Promise), [Law::Plan]);
    let (expected, came) = checks.unplanned.unwrap();
    assert_eq!((&*expected, &*came), ("sample 3 (idle +5s)", "only 2 of 3"));
}

proptest::proptest! {
    /// Whatever numbers a guest says, they are told and nothing panics.
    #[test]
    fn no_number_of_a_guest_panics(
        at in 0usize..3,
        slot in 0usize..86,
        number in proptest::sample::select(vec![0, 1, 1 << 31, 1 << 63, u64::MAX - 1, u64::MAX]),
        what in 0usize..9,
        svm in proptest::bool::ANY,
    ) {
        let isa = if svm { Isa::Svm } else { Isa::Vmx };
        let mut record = fixture::record_of(isa, true);
        let sample = &mut record.samples[at];
        let reading = sample.cpuid.as_mut().unwrap();
        let totals = reading.totals.as_mut().unwrap();
        match what {
            0 => reading.counts[slot] = number,
            1 => reading.cycles.as_mut().unwrap()[slot] = number,
            2 => reading.leaves = number,
            3 => (totals.before.nth, totals.after.nth) = (number, number),
            4 => totals.before.count = number,
            5 => totals.after.cycles = Some(number),
            6 => sample.clocks.guest_tsc = Some(number),
            7 => sample.clocks.guest_s = Some(number as f64 / 1e9),
            _ => {
                reading.counts.fill(number);
                reading.cycles.as_mut().unwrap().fill(number);
            }
        }
        let tables = crate::export::tables(&record);
        proptest::prop_assert_eq!(tables.len(), 3);
        let figures = crate::figures::RunFigures::of_record(&record, record.reasons());
        proptest::prop_assert!(!crate::export::terminal_table(&figures).is_empty());
    }
}
