//! What is counted below the reasons, and where.

use super::*;

#[test]
fn details_are_counted_where_the_tracepoint_is() {
    let with = |sets: &[&str]| plan("name = 'x'", sets).sampling;
    assert!(!with(&[]).detail);
    let channels = "sampling.channels=[\"trace\"]";
    assert!(with(&[channels, "sampling.detail=true"]).detail);
    // Without the census the tracepoint is what `auto` takes.
    let auto = with(&["kernel.census=false", "sampling.detail=true"]);
    assert!(auto.detail && auto.channels == [Channel::Trace]);
    let places = with(&[channels, "sampling.places=true"]);
    assert!(places.places && !places.detail);
    assert!(with(&[channels, "sampling.time=true"]).time);
}

#[test]
fn a_plan_that_asks_for_none_says_nothing_of_them() {
    let plan = serde_json::to_value(plan("name = 'x'", &[])).expect("JSON");
    assert_eq!(plan["sampling"].get("detail"), None);
    assert_eq!(plan["sampling"].get("places"), None);
    assert_eq!(plan["sampling"].get("time"), None);
}

#[test]
fn a_log_keeps_a_million_exits_or_as_many_as_are_wanted() {
    let with = |sets: &[&str]| plan("name = 'x'", sets).sampling.log;
    let channels = "sampling.channels=[\"trace\"]";
    assert_eq!(with(&[channels]), None);
    // What belongs to a log that is not kept is no part of the plan.
    assert_eq!(with(&[channels, "sampling.log_limit=7"]), None);
    let usual = with(&[channels, "sampling.log=true"]);
    let usual = usual.map(|log| (log.limit, log.buffer_kib));
    assert_eq!(usual, Some((1_000_000, 16_384)));
    let sets = [
        channels,
        "sampling.log=true",
        "sampling.log_limit=7",
        "sampling.log_buffer=64K",
    ];
    let own = with(&sets).map(|log| (log.limit, log.buffer_kib));
    assert_eq!(own, Some((7, 64)));
}
