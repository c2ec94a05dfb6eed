//! `exitlab watch` as text, of recorded runs and of what cannot be watched.

use std::path::PathBuf;

use crate::support::{Place, run};

/// A results directory of two samples of an Intel guest.
fn watched(place: &Place) -> PathBuf {
    let clocks = |s: u32| format!("\"clocks\":{{\"host_s\":{s},\"host_tsc\":{s}}}");
    let sample = |number: u32, cpuid: u32| {
        let mut counts = [0; 86];
        counts[10] = cpuid;
        format!(
            "{{\"event\":\"sample\",\"number\":{number},\"label\":\"+1s\",\"phase\":\"idle\",{},\
             \"trace\":{{\"counts\":{counts:?},\"other\":0}}}}\n",
            clocks(number)
        )
    };
    let started = "{\"event\":\"started\",\"protocol\":3,\"kernel\":\"6.12\",\"cpu\":\"x\",\
                   \"isa\":\"vmx\",\"host_s\":0.5,\"host_tsc\":1}\n";
    let events = format!("{started}{}{}", sample(1, 100), sample(2, 142));
    place.write("run/events.jsonl", &events);
    place.path("run")
}

#[test]
fn a_recorded_run_is_told_sample_by_sample_or_its_last() {
    let place = Place::new();
    let run_dir = watched(&place);
    let dir = run_dir.to_str().unwrap();
    let outcome = run(&["watch", dir, "--plain"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.matches("sample ").count(), 2);
    let outcome = run(&["watch", dir, "--once"]);
    assert!(outcome.stdout.starts_with("sample 2 +1s (idle)"));
    assert!(
        outcome
            .stdout
            .contains(" 10  CPUID          142   42  42  100.0 %"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn what_cannot_be_watched_is_told_with_the_reason() {
    let place = Place::new();
    let empty = place.path("");
    let outcome = run(&["watch", empty.to_str().unwrap()]);
    outcome.assert_failed(2, &["holds no events of a run", "cells/"]);
    let outcome = run(&["watch", "no-such-vm", "--once"]);
    outcome.assert_failed(5, &["what counts the VM has ended", "cure:"]);
}
