//! Words that want to be more than words, and a record that has them wherever a guest, a file or
//! a kernel can say something.

use exitlab_model::record::RunRecord;
use serde_json::{Value, json};

use exitlab_fixtures::hostile::WORDS;
use exitlab_fixtures::runs::TCG_SVM;

/// Words for a record and whatever is beside it: the ninth part of all places has each, and in
/// the next turn another.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// The turn; none for harmless words, which are equal where hostile ones are.
    pub turn: Option<usize>,
}

impl Words {
    /// The words of a place.
    pub fn at(self, place: usize) -> String {
        let number = (place + self.turn.unwrap_or(0)) % WORDS.len();
        match self.turn {
            Some(_) => WORDS[number].to_owned(),
            None => format!("word{number}"),
        }
    }

    /// The same for the name of a file.
    pub fn name(self, place: usize) -> String {
        self.at(place).replace('/', "∕").replace('\0', "0")
    }
}

/// The record as JSON, with all that the real one leaves out.
fn whole() -> Value {
    let mut record: Value = serde_json::from_str(TCG_SVM).unwrap();
    for sample in record["samples"].as_array_mut().unwrap() {
        let stats = sample["stats_before"].clone();
        let count = |slot: usize| stats["counts"][slot].as_u64().unwrap();
        let (io, leaves) = (count(0x7b), count(0x72));
        sample["trace"] = json!({
            "counts": stats["counts"], "other": 0, "stats": stats,
            "details": [
                {"source": "qualification",
                 "entries": [[0x7b, 0x3f8_0000, io - 600], [0x7b, 0x3fd_0001, 600]]},
                {"source": "place", "entries": [
                    [0x72, 0x7f00_0000_1000_u64, leaves], [0x7b, 0xf_e05b, 900],
                    [0x7b, 0xffff_ffff_8100_0010_u64, io - 900]]},
                {"source": "msr", "entries": [], "lacks": "there is no tracepoint kvm_msr"},
            ],
            "durations": {"buckets": [
                [0x7b, 1024, 1151, io, io * 1100], [0x78, 1 << 20, (1 << 21) - 1, 3, 4 << 20]]},
            "log": {"counts": [0, 2]},
        });
    }
    record["symbols"] = json!({
        "symbols": [{"start": 0xffff_ffff_8100_0000_u64, "name": "io", "module": "8250"}],
        "mappings": [{"start": 0x7f00_0000_0000_u64, "end": 0x7f00_0001_0000_u64, "offset": 0,
            "file": "/bin/sh", "programs": ["init"]}],
        "lacks": "it hides them",
    });
    record["kvm_parameters"] = json!([{"parameter": "kvm_amd.npt", "asked": "1", "found": "Y"}]);
    record["inspections"] =
        json!([{"command": "id", "exit": 1, "stdout": "root", "stderr": "none"}]);
    record["left_behind"] =
        json!([{"phase": "idle", "processes": 1, "commands": ["sleep"], "fate": "wait"}]);
    record["log"] = json!({"exits": 6, "lacks": ["kvm_pio"]});
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

/// The places of a record in which any words can stand.
pub fn places() -> Vec<String> {
    let whole = whole();
    let mut places = Vec::new();
    strings(&whole, "", &mut places);
    // Of fifty packages three are as good.
    places.retain(|at| !at.starts_with("/provenance/packages/") || at.contains("/0/"));
    places.retain(|at| {
        let mut changed = whole.clone();
        *changed.pointer_mut(at).unwrap() = "word".into();
        serde_json::from_value::<RunRecord>(changed).is_ok()
    });
    places
}

/// The record with words in these places. Of the head of two, provenance has others, and a
/// reason more exits.
pub fn record(words: Words, places: &[String], head: bool) -> Value {
    let mut record = whole();
    for (number, at) in places.iter().enumerate() {
        let other = usize::from(head && at.starts_with("/provenance"));
        *record.pointer_mut(at).unwrap() = words.at(number + other).into();
    }
    // Of a platform that nobody knows no rule can be.
    record["platform"] = "tcg-svm".into();
    record["cell"] = json!({"values": {words.at(1): words.at(2)}, "repeat": 1});
    if head {
        for sample in record["samples"].as_array_mut().unwrap() {
            for counts in ["/stats_before/counts/123", "/cpuid/counts/123"] {
                let count = sample.pointer_mut(counts).unwrap();
                *count = (count.as_u64().unwrap() + 8723).into();
            }
        }
    }
    record
}
