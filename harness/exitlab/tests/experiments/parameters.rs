//! Parameters of KVM, and platforms and leaf maps that are set like them.

use super::*;
use crate::cycles::assert_cycles;

#[test]
fn without_ept_the_guest_exits_for_page_faults_and_control_registers() {
    let place = Place::new();
    let counted = |ept: &str| {
        let parameter = format!("kvm_intel.ept={ept}");
        let outcome = experiment(&place, ept, &["guest.machine=microvm", &parameter]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let dir = place.path(ept);
        let found = record(&dir)["kvm_parameters"].clone();
        let shown = if ept == "0" { "N" } else { "Y" };
        let expected = serde_json::json!([
            {"parameter": "kvm_intel.ept", "asked": ept, "found": shown}
        ]);
        assert_eq!(found, expected);
        assert!(
            read(&dir, "table.md").contains(&format!("kvm_intel.ept={ept} (host shows {shown})"))
        );
        let table = read(&dir, "table.md");
        assert!(!table.contains('✗'), "a check failed:\n{table}");
        // Without EPT there is no unrestricted guest mode, and KVM emulates real mode.
        assert_eq!(
            table.contains("KVM emulated the guest"),
            ept == "0",
            "{table}"
        );
        counts(&dir)
    };
    let (with, without) = (counted("1"), counted("0"));
    let last = |counts: &BTreeMap<u32, (String, String, Vec<u64>)>, reason| counts[&reason].2[2];
    assert!(last(&with, 48) > 1000, "EPT violations");
    assert_eq!(last(&without, 48), 0, "EPT violations without EPT");
    // Exceptions (page faults), INVLPG, control-register accesses.
    for (reason, times) in [(0, 1000), (14, 10), (28, 5)] {
        let (with, without) = (last(&with, reason), last(&without, reason));
        assert!(
            without > with * times + 100,
            "reason {reason}: {with} and {without}"
        );
    }
}

#[test]
fn parameters_that_kvm_does_not_have_are_named() {
    let place = Place::new();
    let sets = [
        "platform=tcg-svm",
        "kvm_amd.ntp=0",
        "kvm.halt_poll_ns=soon",
        "kvm_intel.ept=0",
    ];
    let outcome = experiment(&place, "out", &sets);
    let missing = "this host's KVM has no parameter kvm_amd.ntp (there are ";
    let other = "the parameter kvm.halt_poll_ns was asked to be soon, but this host has 200000";
    outcome.assert_failed(5, &[missing, "npt", other, "[kvm_amd]", "cure:"]);
}

/// The way of `nested`, from argv to tables, with an emulated processor in place of the
/// real one: nothing repeats, and everything is right.
#[test]
fn nested_with_tcg_in_place_of_kvm_is_right() {
    let place = Place::new();
    let sets = [
        "platform=nested",
        "host.accelerator=tcg",
        "guest.machine=microvm",
        // Its clock is real: on a busy machine everything takes longer there, too.
        "deadlines.guest_ssh=\"30m\"",
        "deadlines.exchange=\"10m\"",
    ];
    let outcome = experiment(&place, "out", &sets);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let out = place.path("out");
    assert_eq!(record(&out)["platform"], "nested, emulated by TCG");
    assert_counts(&out, &AMD);
    assert_channels(&out, &AMD);
}

#[test]
fn every_leaf_map_is_read_right() {
    let place = Place::new();
    for map in [2, 3] {
        let out = format!("map-{map}");
        let cmdline = format!("host.cmdline=kvm.exit_census_leaf_map={map}");
        let sets = ["guest.machine=microvm", "sampling.cycles=true", &*cmdline];
        let outcome = experiment(&place, &out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let out = place.path(&out);
        assert_eq!(record(&out)["discovery"]["leaf_map"], map);
        assert_counts(&out, &INTEL);
        assert_channels(&out, &INTEL);
        assert_cycles(&out);
    }
}
