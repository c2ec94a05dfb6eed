#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Component;

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::*;

/// An index as it is written, of plans that nobody knows.
fn good() -> Value {
    let mut cells: Vec<Cell<Value>> = Vec::new();
    for vcpus in ["1", "2"] {
        for repeat in 1..=2 {
            let values = BTreeMap::from([("guest.vcpus".to_owned(), vcpus.to_owned())]);
            cells.push(Cell {
                id: cell_name(cells.len() + 1, &values, repeat).unwrap(),
                values,
                repeat,
                plan: json!({"of another version": [1.5, "\"}"]}),
            });
        }
    }
    json!({
        "schema": 1, "experiment": "e", "plan_digest": digest(&cells).unwrap(),
        "axes": [{"key": "guest.vcpus", "values": ["1", "2"]}], "repeat": 2,
        "shard": {"number": 2, "of": 2}, "cells": cells,
    })
}

/// With the digest of its cells, so that the other checks have to find what is wrong. The
/// fields of a cell stand in the order in which it is written.
fn sealed(mut index: Value) -> String {
    let cells: Result<Vec<Cell<Value>>, _> = serde_json::from_value(index["cells"].clone());
    let Ok(cells) = cells else {
        return index.to_string();
    };
    index["plan_digest"] = digest(&cells).unwrap().into();
    let text = index.to_string();
    let sorted = index["cells"].to_string();
    text.replace(&sorted, &serde_json::to_string(&cells).unwrap())
}

fn parse(text: &str) -> Result<Index<IgnoredAny>, String> {
    Index::parse(text.as_bytes()).map_err(|unreadable| unreadable.to_string())
}

#[test]
fn an_index_is_read_whatever_its_plans_are_and_knows_its_part() {
    let index = parse(&sealed(good())).unwrap();
    let mine: Vec<PathBuf> = index.mine().map(|cell| cell.dir(Path::new("m"))).collect();
    let expected = ["m/cells/guest.vcpus=1,r2", "m/cells/guest.vcpus=2,r2"];
    assert_eq!(mine, expected.map(Path::new));
    let strict: Result<Index, Unreadable> = Index::parse(sealed(good()).as_bytes());
    assert!(matches!(strict, Err(Unreadable::Json(_))), "{strict:?}");
}

#[test]
fn whatever_exitlab_does_not_write_is_refused_and_named() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 15] = [
        (
            |i| i["schema"] = 2.into(),
            "version 2, this exitlab reads 1",
        ),
        (|i| i["shard"]["of"] = 0.into(), "there is no part 2 of 0"),
        (
            |i| i["shard"]["number"] = 0.into(),
            "there is no part 0 of 2",
        ),
        (
            |i| i["shard"] = json!({"number": 5, "of": 1}),
            "no part 5 of 1",
        ),
        (|i| i["cells"][0]["id"] = "/etc".into(), "no plain name"),
        (
            |i| i["cells"][0]["id"] = "../../.ssh".into(),
            "no plain name",
        ),
        (|i| i["cells"][0]["id"] = ".".into(), "no plain name"),
        (
            |i| i["cells"][0]["id"] = "other".into(),
            "not called by its values",
        ),
        (|i| i["cells"][1] = i["cells"][0].clone(), "is there twice"),
        (
            |i| i["cells"][0]["values"] = json!({}),
            "other values than the axes",
        ),
        (|i| i["cells"][0]["repeat"] = 3.into(), "is repeat 3 of 2"),
        (|i| i["cells"] = json!([]), "do not make as many"),
        (|i| i["repeat"] = 0.into(), "repeat is 0"),
        (
            |i| i["axes"][0]["values"] = json!(["1", "1"]),
            "not all different",
        ),
        (
            |i| i["axes"] = json!([i["axes"][0], i["axes"][0]]),
            "an axis twice",
        ),
    ];
    for (change, words) in changes {
        let mut index = good();
        change(&mut index);
        let why = parse(&sealed(index)).unwrap_err();
        assert!(why.contains(words), "{why}, not {words}");
    }
}

#[test]
fn cells_that_were_changed_are_told_by_their_digest() {
    let text = sealed(good()).replace("1.5", "2.5");
    assert!(parse(&text).unwrap_err().contains("plan_digest"));
    let other = text.replace("plan_digest\":\"", "plan_digest\":\"0");
    assert!(parse(&other).unwrap_err().contains("plan_digest"));
}

#[test]
fn more_cells_than_there_may_be_are_not_kept() {
    let cell = serde_json::to_string(&good()["cells"][0]).unwrap();
    let cells = vec![cell; MOST_CELLS + 1].join(",");
    let text = sealed(good());
    let at = text.find("\"cells\":[").unwrap() + 9;
    let why = parse(&format!("{}{cells},{}", &text[..at], &text[at..])).unwrap_err();
    assert!(why.contains("more than 10000 cells"), "{why}");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let read = || read::<IgnoredAny>(dir.path()).unwrap_err().to_string();
    assert!(read().contains("No such file"), "{}", read());
    std::fs::create_dir(dir.path().join(layout::MATRIX)).unwrap();
    assert!(read().contains("it is no file"), "{}", read());
}

/// Places in an index, and what may be put there.
fn mutated() -> impl Strategy<Value = Value> {
    let places = [
        "/schema",
        "/repeat",
        "/shard",
        "/shard/number",
        "/shard/of",
        "/axes",
        "/axes/0",
        "/axes/0/key",
        "/axes/0/values",
        "/axes/0/values/0",
        "/cells",
        "/cells/0",
        "/cells/1/id",
        "/cells/2/values",
        "/cells/2/values/guest.vcpus",
        "/cells/3/repeat",
        "/plan_digest",
        "/experiment",
    ];
    let texts = prop_oneof![
        Just("/etc".to_owned()),
        Just("../../home".to_owned()),
        Just("guest.vcpus=1,r1".to_owned()),
        "[./a1=,r\0\n]{0,9}",
    ];
    let values = prop_oneof![
        Just(Value::Null),
        (-1..6_i64).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        texts.clone().prop_map(Value::from),
        prop::collection::vec(texts, 0..3).prop_map(Value::from),
        Just(json!({})),
    ];
    let changes = prop::collection::vec((prop::sample::select(places.to_vec()), values), 1..4);
    changes.prop_map(|changes| {
        let mut index = good();
        for (place, value) in changes {
            if let Some(found) = index.pointer_mut(place) {
                *found = value;
            }
        }
        index
    })
}

proptest! {
    /// Of whatever is read, every cell lies below the matrix, has a directory of its own, and
    /// is in one part; and nothing panics.
    #[test]
    fn an_index_that_is_read_leads_nowhere_else(index in mutated()) {
        if let Ok(index) = parse(&sealed(index)) {
            let dirs: Vec<PathBuf> = index.cells.iter().map(|c| c.dir(Path::new("/m"))).collect();
            for dir in &dirs {
                prop_assert_eq!(dir.parent(), Some(Path::new("/m/cells")));
                prop_assert!(dir.components().all(|c| c != Component::ParentDir));
            }
            let mut distinct = dirs.clone();
            distinct.dedup();
            prop_assert_eq!(distinct, dirs);
            prop_assert!(index.mine().count() <= index.cells.len());
        }
    }

    #[test]
    fn bytes_that_are_changed_do_not_panic(at in 0..600_usize, byte: u8) {
        let mut text = sealed(good()).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = Index::<IgnoredAny>::parse(&text);
    }
}
