//! Cycles by exit reason.

use super::*;
use crate::rig::shared::quick_run;

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
fn cycles_tell_where_an_idle_guest_spends_its_time(
    out: &Path,
    stdout: &str,
    processor: &Processor,
) {
    let title = "Time from VM exit to the next VM entry";
    assert!(stdout.contains(title), "{stdout}");
    assert_counts(out, processor);
    assert_channels(out, processor);
    assert_cycles(out);

    let record = record(out);
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
    let place = Place::new();
    let sets = [
        "platform=bochs-vmx",
        "guest.machine=microvm",
        "sampling.cycles=true",
    ];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let out = place.path("out");
    cycles_tell_where_an_idle_guest_spends_its_time(&out, &outcome.stdout, &INTEL);
}

#[test]
fn cycles_on_tcg_svm_tell_where_an_idle_guest_spends_its_time() {
    let run = quick_run(&["sampling.cycles=true"]);
    cycles_tell_where_an_idle_guest_spends_its_time(&run.dir, &run.stdout, &AMD);
}
