//! Where counts come from, as names and values, and in what two sides differ.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan_key::{PLAN, decides_nothing};
use exitlab_model::record::{Outcome, RunRecord};

/// What is listed first, in this order; everything else follows by name.
const FIRST: [&str; 11] = [
    ATTEMPTS,
    "host kernel",
    "kernel image",
    "guest image",
    "agent",
    "exitlab binary",
    "QEMU",
    "emulator",
    "CPU",
    "host image",
    "exitlab",
];

/// How often the host was started; of what does not say, once. A host that is started again runs
/// otherwise from its first instruction on.
pub const ATTEMPTS: &str = "attempts";

/// What may differ between repeats of one cell: none of it is under test, or it is random
/// by design (the seed of the guest's keys on a machine that is used as it is).
const FREE: [&str; 4] = [
    "exitlab",
    "exitlab binary",
    "exitlab commit",
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
            (KERNEL_IMAGE, &of.kernel_digest),
            ("kernel key", &of.kernel_key),
            ("guest image", &of.guest_image_digest),
            (AGENT, &of.agent_digest),
            ("exitlab binary", &of.exitlab_digest),
            ("exitlab", &of.exitlab),
            ("exitlab commit", &of.commit),
            ("QEMU", &of.qemu),
            ("emulator", &of.emulator),
            ("CPU", &of.cpu),
            (HOST_IMAGE, &of.host_image_digest),
        ];
        let mut facts: BTreeMap<String, String> = single
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        for (name, value) in &of.kernel_inputs {
            facts.insert(format!("{KERNEL_INPUT}{name}"), value.clone());
        }
        for (name, digest) in &of.booted {
            facts.insert(format!("{BOOTED}{name}"), digest.clone());
        }
        for (name, version) in &of.packages {
            facts.insert(format!("{PACKAGE}{name}"), version.clone());
        }
        for reading in &record.kvm_parameters {
            if let Some(found) = &reading.found {
                facts.insert(format!("parameter {}", reading.parameter), found.clone());
            }
        }
        if record.attempts != 1 {
            facts.insert(ATTEMPTS.to_owned(), record.attempts.to_string());
        }
        if let Outcome::ChecksFailed { broken } = &record.outcome {
            facts.insert(BROKEN.to_owned(), broken.join("; "));
        }
        flatten(PLAN, record.plan.whole(), &mut facts);
        Facts(facts)
    }

    /// What is said of a fact.
    fn said(&self, name: &str) -> Option<String> {
        let once = || (name == ATTEMPTS).then(|| "1".to_owned());
        self.0.get(name).cloned().or_else(once)
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
                base: self.said(name),
                head: head.said(name),
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

    /// In what the sides differ beside the kernel under test and its parameters. If that is
    /// nothing, one exit more is the kernel's work, or, with one kernel, cannot be
    /// (`docs/determinism.md`).
    pub fn surroundings(&self, head: &Facts) -> Vec<Difference> {
        let mut differences = self.differences(head);
        // The host's image holds the kernel for the guest, so it differs where that does;
        // packages and agent tell what else is in it.
        let another_kernel = differences.iter().any(|d| d.name == KERNEL_IMAGE);
        let other_words = differences.iter().any(|d| is_of_the_command_line(&d.name));
        let image = |facts: &Facts| facts.0.get(HOST_IMAGE).cloned();
        let same_image = image(self).is_some() && image(self) == image(head);
        differences.retain(|d| {
            let explained = another_kernel && HOLD_THE_KERNEL.contains(&d.name.as_str())
                || other_words && HOLD_THE_COMMAND_LINE.contains(&d.name.as_str());
            let reaches_no_image = same_image && is_in_an_image(&d.name);
            !explained && !reaches_no_image && !is_of_the_conductor(&d.name) && !is_under_test(d)
        });
        differences
    }

    /// In what the kernel under test and its parameters differ, told by what matters: its
    /// release and its image, and what the plan says of them.
    pub fn kernels(&self, head: &Facts) -> Vec<Difference> {
        let mut differences = self.differences(head);
        let told = |name: &str| !name.starts_with(KERNEL_INPUT) && name != "kernel key";
        differences.retain(|d| is_under_test(d) && told(&d.name));
        differences
    }

    /// Why two runs are no repeats of one cell; `None` if they are.
    pub fn conflict(&self, other: &Facts) -> Option<Difference> {
        let differences = self.differences(other);
        differences
            .into_iter()
            .find(|d| !FREE.contains(&d.name.as_str()))
    }
}

/// Begins the name of a fact that is the version of a package.
const PACKAGE: &str = "package ";

/// Begins the name of a fact that is an input of the kernel.
const KERNEL_INPUT: &str = "kernel input ";

/// Which promises a run broke that is taken all the same.
const BROKEN: &str = "broken promises";

/// Begins the name of a fact that is the digest of a file that was booted.
const BOOTED: &str = "booted ";

/// What differs where the kernel does.
const HOLD_THE_KERNEL: [&str; 5] = [
    HOST_IMAGE,
    "booted host kernel",
    "booted host root",
    "booted host boot disk",
    "booted host boot CD",
];

/// What differs where the host kernel's command line does, which the plan tells.
const HOLD_THE_COMMAND_LINE: [&str; 2] = ["booted host boot disk", "booted host boot CD"];

const KERNEL_IMAGE: &str = "kernel image";
const HOST_IMAGE: &str = "host image";
const AGENT: &str = "agent";

/// Inputs of a kernel that are no part of it: with another compiler it is another kernel.
const TOOLS: [&str; 2] = ["gcc", "ld"];

/// Whether it is of what the host's image holds.
fn is_in_an_image(name: &str) -> bool {
    name.starts_with(PACKAGE) || name == AGENT
}

/// Whether it is only of what waits on L0 while the host runs.
fn is_of_the_conductor(name: &str) -> bool {
    let of_plan = name.strip_prefix(PLAN);
    ["exitlab", "exitlab binary", "exitlab commit"].contains(&name)
        || of_plan.is_some_and(decides_nothing)
}

/// Whether it is of what a host's kernel is told.
fn is_of_the_command_line(name: &str) -> bool {
    name == "plan host.cmdline" || name.starts_with("plan kvm")
}

/// Whether it is of the kernel whose exits are counted: what it is made of, and its parameters,
/// which are on the host's command line, too.
pub(super) fn is_under_test(difference: &Difference) -> bool {
    let name = difference.name.as_str();
    let without_parameters = |line: &Option<String>| -> Vec<String> {
        let words = line.iter().flat_map(|line| line.split_whitespace());
        let parameter = |word: &&str| {
            let module = word.split('.').next().unwrap_or_default();
            ["kvm", "kvm_intel", "kvm_amd"].contains(&module)
        };
        let words = words.filter(|word| !parameter(word));
        words.map(str::to_owned).collect()
    };
    match name.strip_prefix(KERNEL_INPUT) {
        Some(input) => !TOOLS.contains(&input),
        None if name == "plan host.cmdline" => {
            without_parameters(&difference.base) == without_parameters(&difference.head)
        }
        None => {
            [KERNEL_IMAGE, "kernel key", "host kernel"].contains(&name)
                || ["plan kernel.", "plan kvm", "parameter "]
                    .iter()
                    .any(|start| name.starts_with(start))
        }
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
mod tests;
