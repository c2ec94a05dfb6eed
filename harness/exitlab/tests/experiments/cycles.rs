//! Cycles by exit reason.

use super::*;

/// The two channels agree on cycles, and cycles are only where exits are.
pub fn assert_cycles(dir: &Path) {
    for sample in record(dir)["samples"].as_array().unwrap() {
        let [before, inside, after] = ["stats_before", "cpuid", "stats_after"].map(|reading| {
            (
                list(&sample[reading]["counts"]),
                list(&sample[reading]["cycles"]),
            )
        });
        for reason in 0..inside.1.len() {
            let range = before.1[reason]..=after.1[reason];
            assert!(
                range.contains(&inside.1[reason]),
                "cycles of reason {reason}"
            );
        }
        for (counts, cycles) in [&before, &inside, &after] {
            for (reason, cycles) in cycles.iter().enumerate() {
                assert!(
                    counts[reason] > 0 || *cycles == 0,
                    "cycles of reason {reason}"
                );
            }
        }
        let [first, last] = ["before", "after"].map(|when| {
            let cycles = &sample["cpuid"]["totals"][when]["cycles"];
            cycles.as_u64().unwrap()
        });
        let sum: u64 = inside.1.iter().sum();
        assert!((first..=last).contains(&sum), "{first} <= {sum} <= {last}");
    }
}

/// An idle guest spends its time in HLT, and the cycles say so.
fn cycles_tell_where_an_idle_guest_spends_its_time(processor: &Processor) {
    let place = Place::new();
    let platform = format!("platform={}", processor.platform);
    let sets = [&*platform, "guest.machine=microvm", "sampling.cycles=true"];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let title = "Time from VM exit to the next VM entry";
    assert!(outcome.stdout.contains(title), "{}", outcome.stdout);
    let out = place.path("out");
    assert_counts(&out, processor);
    assert_channels(&out, processor);
    assert_cycles(&out);

    let record = record(&out);
    assert_eq!(record["discovery"]["cycles"], true);
    let samples = record["samples"].as_array().unwrap();
    let hlt = processor.slot(processor.hlt);
    let halted = |at: usize| samples[at]["cpuid"]["cycles"][hlt].as_u64().unwrap();
    let tsc = |at: usize| samples[at]["clocks"]["host_tsc"].as_u64().unwrap();
    let (halted, passed) = (halted(2) - halted(1), tsc(2) - tsc(1));
    assert!(
        halted * 10 >= passed * 8,
        "HLT took {halted} of {passed} cycles"
    );
    assert!(halted <= passed, "HLT took {halted} of {passed} cycles");
}

#[test]
fn cycles_on_bochs_vmx_tell_where_an_idle_guest_spends_its_time() {
    cycles_tell_where_an_idle_guest_spends_its_time(&INTEL);
}

#[test]
fn cycles_on_tcg_svm_tell_where_an_idle_guest_spends_its_time() {
    cycles_tell_where_an_idle_guest_spends_its_time(&AMD);
}
