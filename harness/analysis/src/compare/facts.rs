//! Where counts come from, as names and values, and in what two sides differ.

use std::collections::BTreeMap;

use serde_json::Value;

use exitlab_model::record::RunRecord;

/// What is listed first, in this order; everything else follows by name.
const FIRST: [&str; 9] = [
    "host kernel",
    "kernel image",
    "guest image",
    "exitlab binary",
    "QEMU",
    "emulator",
    "CPU",
    "host image",
    "exitlab",
];

/// What may differ between repeats of one cell: none of it is under test, or it is random
/// by design (the seed of the guest's keys on a machine that is used as it is).
const FREE: [&str; 5] = [
    "exitlab",
    "exitlab binary",
    "exitlab commit",
    "host image",
    "plan guest.seed",
];

/// Everything known of where counts come from: name and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(pub BTreeMap<String, String>);

/// One fact that two sides do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which fact: `host kernel`, `plan guest.machine`, …
    pub name: String,
    /// Its value in the base; `None` if the base does not say.
    pub base: Option<String>,
    /// Its value in the head; `None` if the head does not say.
    pub head: Option<String>,
}

impl Facts {
    /// The facts of a run.
    pub fn of_record(record: &RunRecord) -> Facts {
        let of = &record.provenance;
        let single = [
            ("host kernel", &of.host_kernel),
            ("kernel image", &of.kernel_digest),
            ("kernel key", &of.kernel_key),
            ("guest image", &of.guest_image_digest),
            ("exitlab binary", &of.exitlab_digest),
            ("exitlab", &of.exitlab),
            ("exitlab commit", &of.commit),
            ("QEMU", &of.qemu),
            ("emulator", &of.emulator),
            ("CPU", &of.cpu),
            ("host image", &of.host_image_digest),
        ];
        let mut facts: BTreeMap<String, String> = single
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for (name, value) in &of.kernel_inputs {
            facts.insert(format!("kernel input {name}"), value.clone());
        }
        for reading in &record.kvm_parameters {
            if let Some(found) = &reading.found {
                facts.insert(format!("parameter {}", reading.parameter), found.clone());
            }
        }
        flatten("plan ", record.plan.whole(), &mut facts);
        Facts(facts)
    }

    /// In what `self`, the base, and `head` differ: what decides counts first.
    pub fn differences(&self, head: &Facts) -> Vec<Difference> {
        let names: std::collections::BTreeSet<&String> =
            self.0.keys().chain(head.0.keys()).collect();
        let mut found: Vec<Difference> = names
            .into_iter()
            .filter(|name| self.0.get(*name) != head.0.get(*name))
            .map(|name| Difference {
                name: name.clone(),
                base: self.0.get(name).cloned(),
                head: head.0.get(name).cloned(),
            })
            .collect();
        let rank = |name: &str| {
            FIRST
                .iter()
                .position(|first| *first == name)
                .unwrap_or(FIRST.len())
        };
        found.sort_by_key(|difference| rank(&difference.name));
        found
    }

    /// Why two runs are no repeats of one cell; `None` if they are.
    pub fn conflict(&self, other: &Facts) -> Option<Difference> {
        let differences = self.differences(other);
        differences
            .into_iter()
            .find(|d| !FREE.contains(&d.name.as_str()))
    }
}

/// The leaves of a JSON value by dotted key. `null`, empty lists and empty texts are
/// nothing. Of an absolute path only the last part stays: where a file lies decides
/// nothing, and its content has a digest of its own.
fn flatten(key: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    let text = match value {
        Value::Null => return,
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if key.ends_with(' ') { "" } else { "." };
                flatten(&format!("{key}{dot}{name}"), value, facts);
            }
            return;
        }
        Value::Array(values) => {
            let texts: Vec<String> = values.iter().map(leaf).collect();
            texts.join(", ")
        }
        value => leaf(value),
    };
    if !text.is_empty() && key != "plan name" {
        facts.insert(key.to_owned(), text);
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with('/') => {
            text.rsplit('/').next().unwrap_or_default().to_owned()
        }
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", leaf(value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::figures::fixture::{plan, record};

    #[test]
    fn what_decides_counts_comes_first_and_directories_decide_nothing() {
        let mut base = record();
        base.plan = plan(
            json!({"guest": {"vcpus": 1, "files": ["/a/x"]}, "sampling": {"schedule": ["boot", {"after": 5.0}]}}),
        );
        let mut head = base.clone();
        head.plan = plan(
            json!({"guest": {"vcpus": 2, "files": ["/b/x"]}, "sampling": {"schedule": ["boot", {"after": 5.0}]}}),
        );
        head.provenance.qemu = "8".to_owned();
        head.provenance.host_kernel.clear();
        let facts = Facts::of_record(&base);
        assert_eq!(facts.0["plan sampling.schedule"], "boot, after 5.0");
        let found = facts.differences(&Facts::of_record(&head));
        let names: Vec<&str> = found.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["host kernel", "QEMU", "plan guest.vcpus"]);
        assert_eq!(found[0].head, None);
    }

    #[test]
    fn another_binary_is_still_a_repeat_and_another_kernel_is_none() {
        let base = Facts::of_record(&record());
        let mut other = record();
        other.provenance.exitlab_digest = "x".to_owned();
        other.plan = plan(json!({"guest": {"vcpus": 1, "seed": "random"}}));
        assert_eq!(base.conflict(&Facts::of_record(&other)), None);
        other.provenance.kernel_digest = "y".to_owned();
        let conflict = base.conflict(&Facts::of_record(&other)).unwrap();
        assert_eq!(conflict.name, "kernel image");
    }
}
