//! Parameters of KVM, and platforms and leaf maps that are set like them.

use super::cycles::assert_cycles;
use super::*;

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
        let sets = [QUICK[0], QUICK[1], "sampling.cycles=true", &*cmdline];
        let outcome = experiment(&place, &out, &sets);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let out = place.path(&out);
        assert_eq!(record(&out)["discovery"]["leaf_map"], map);
        assert_counts(&out, &AMD);
        assert_channels(&out, &AMD);
        assert_cycles(&out);
    }
}
