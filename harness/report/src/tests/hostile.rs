//! Words that want to be more than words, in every text field of a record, one after another
//! and all at once: the page has the same elements as with harmless words, and shows them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use exitlab_model::record::RunRecord;

use super::markup::{self, Tag, tags};
use super::pages;
use crate::fixture::timed;

/// Ends of everything that a word can stand in, and what follows where it works.
const HOSTILE: [&str; 5] = [
    "</title></style></script><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "--><svg onload=alert(1)>&lt;&#60;&",
    "\u{1b}[2J\u{0}\u{7}\r\n\t\u{9b}\u{7f}",
    "\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{e0041}]]>",
];

/// A harmless word.
const PLAIN: &str = "word";

/// The record as JSON, with what the real one leaves out.
fn whole() -> Value {
    let mut record: Value = serde_json::to_value(timed()).unwrap();
    // A guest tells symbols or why there are none; a file can say both.
    record["symbols"]["lacks"] = "it hides them".into();
    record["cell"] = serde_json::json!({"values": {"guest.machine": "q35"}, "repeat": 1});
    record["kvm_parameters"] =
        serde_json::json!([{"parameter": "kvm_amd.npt", "asked": "1", "found": "Y"}]);
    record["inspections"] = serde_json::json!([
        {"command": "id", "exit": 0, "stdout": "root", "stderr": "none"}
    ]);
    record["left_behind"] = serde_json::json!([
        {"phase": "idle", "processes": 1, "commands": ["sleep"], "fate": "wait"}
    ]);
    record["outcome"] = serde_json::json!({"state": "failed", "message": "why"});
    record
}

/// The places of all strings.
fn strings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                strings(item, &format!("{at}/{number}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                strings(value, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// The record with these words at this place; `None` where no words can stand there.
fn with(record: &RunRecord, whole: &Value, at: &str, words: &str) -> Option<RunRecord> {
    let mut changed = whole.clone();
    *changed.pointer_mut(at).unwrap() = Value::String(words.to_owned());
    let changed: RunRecord = serde_json::from_value(changed).ok()?;
    (changed != *record).then_some(changed)
}

/// Tags alone: the words in attributes are others.
fn shape(page: &str) -> Vec<(String, bool, Vec<String>)> {
    let names = |tag: &Tag| {
        tag.attributes
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    };
    tags(page)
        .iter()
        .map(|tag| (tag.name.clone(), tag.ends, names(tag)))
        .collect()
}

fn assert_harmless(hostile: &RunRecord, plain: &RunRecord, at: &str) {
    for (hostile, plain) in pages(hostile).iter().zip(&pages(plain)) {
        assert_eq!(*hostile, exitlab_base::foreign::text(hostile), "{at}");
        assert_eq!(hostile.matches("<script").count(), 1, "{at}");
        assert!(shape(hostile) == shape(plain), "{at} changes the page");
    }
}

#[test]
fn no_text_field_is_more_than_text() {
    let whole = whole();
    let record: RunRecord = serde_json::from_value(whole.clone()).unwrap();
    let mut places = Vec::new();
    strings(&whole, "", &mut places);
    // Of fifty packages three are as good.
    places.retain(|at| !at.starts_with("/provenance/packages/") || at.contains("/0/"));
    let mut tried = 0;
    for (number, at) in places.iter().enumerate() {
        let hostile = HOSTILE[number % HOSTILE.len()];
        let (Some(hostile), Some(plain)) = (
            with(&record, &whole, at, hostile),
            with(&record, &whole, at, PLAIN),
        ) else {
            continue;
        };
        assert_harmless(&hostile, &plain, at);
        tried += 1;
    }
    assert!(
        tried > 60,
        "only {tried} places of {} hold words",
        places.len()
    );
}

#[test]
fn all_text_fields_at_once_are_text() {
    let whole = whole();
    let record: RunRecord = serde_json::from_value(whole.clone()).unwrap();
    let mut places = Vec::new();
    strings(&whole, "", &mut places);
    places.retain(|at| with(&record, &whole, at, PLAIN).is_some());
    for hostile in HOSTILE {
        let filled = |words: &str| -> RunRecord {
            let mut changed = whole.clone();
            for at in &places {
                *changed.pointer_mut(at).unwrap() = Value::String(words.to_owned());
            }
            let mut record: RunRecord = serde_json::from_value(changed).unwrap();
            let cell = record.cell.as_mut().unwrap();
            cell.values = [(words.to_owned(), words.to_owned())].into();
            record
        };
        assert_harmless(&filled(hostile), &filled(PLAIN), hostile);
    }
}

/// Names of elements and attributes.
fn names(page: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let tags = tags(page);
    let attributes = tags.iter().flat_map(|tag| &tag.attributes);
    (
        tags.iter().map(|tag| tag.name.clone()).collect(),
        attributes.map(|(name, _)| name.clone()).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any string at all, in whatever field: no element and no attribute is new.
    #[test]
    fn no_string_is_markup(words in any::<String>(), at in any::<prop::sample::Index>()) {
        let whole = whole();
        let record: RunRecord = serde_json::from_value(whole.clone()).unwrap();
        let mut places = Vec::new();
        strings(&whole, "", &mut places);
        let at = at.get(&places);
        if let Some(changed) = with(&record, &whole, at, &words) {
            for (page, plain) in pages(&changed).iter().zip(&pages(&record)) {
                prop_assert_eq!(page.matches("<script").count(), 1);
                markup::assert_balanced(&tags(page));
                let ((elements, attributes), (known, usual)) = (names(page), names(plain));
                prop_assert!(elements.is_subset(&known), "{at}: {elements:?}");
                prop_assert!(attributes.is_subset(&usual), "{at}: {attributes:?}");
            }
        }
    }
}
