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
