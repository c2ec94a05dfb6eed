//! The TOML mirror: what a configuration may say, before anything is known to be right.
//!
//! Every key is optional here, because a document may be one `--set` only; which keys
//! an experiment needs is decided by [`super::resolve`]. Every value keeps its span, so
//! that whatever is wrong with it can be told with its line.

use std::collections::BTreeMap;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// A value, if the document gives it, and where.
pub(super) type Given<T> = Option<Spanned<T>>;

/// A list in which every entry knows where it is.
pub(super) type List = Vec<Spanned<String>>;

/// `sampling.channels`: a word, or a list.
#[derive(Debug)]
pub(super) enum Channels {
    /// `"auto"`
    Word(String),
    /// `["cpuid", "stats"]`
    List(List),
}

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Channels, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Channels;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"auto\" or a list of strings")
            }

            fn visit_str<E>(self, word: &str) -> Result<Channels, E> {
                Ok(Channels::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Channels, A::Error> {
                List::deserialize(SeqAccessDeserializer::new(list)).map(Channels::List)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// A section whose keys exitlab does not know: parameters of a kernel module.
pub(super) type Parameters = BTreeMap<String, Spanned<toml::Value>>;

/// Every key of the format. Suggestions for misspelt keys come from here, and a test
/// holds the list against the structures below and against `docs/configuration.md`.
pub(super) const KEYS: &[&str] = &[
    "name",
    "platform",
    "repeat",
    "inspect",
    "phase",
    "kernel.source",
    "kernel.census",
    "kernel.patches",
    "kernel.fragments",
    "host.memory",
    "host.cpus",
    "host.cmdline",
    "host.instructions_per_second",
    "host.accelerator",
    "host.address",
    "host.ssh_config",
    "guest.image",
    "guest.packages",
    "guest.files",
    "guest.kernel",
    "guest.initrd",
    "guest.disk",
    "guest.ssh",
    "guest.machine",
    "guest.memory",
    "guest.vcpus",
    "guest.cpu",
    "guest.cmdline",
    "guest.devices",
    "guest.seed",
    "guest.symbols",
    "sampling.schedule",
    "sampling.channels",
    "sampling.cycles",
    "sampling.detail",
    "sampling.places",
    "sampling.time",
    "sampling.log",
    "sampling.log_limit",
    "sampling.log_buffer",
    "deadlines.host_boot",
    "deadlines.silence",
    "deadlines.guest_ssh",
    "deadlines.exchange",
    "deadlines.phase",
];

/// Every key of a `[[phase]]`.
pub(super) const PHASE_KEYS: &[&str] = &[
    "phase.name",
    "phase.run",
    "phase.repeat",
    "phase.left_behind",
];

/// Every section of the format.
pub(super) const SECTIONS: &[&str] = &[
    "kernel",
    "host",
    "kvm",
    "kvm_intel",
    "kvm_amd",
    "guest",
    "sampling",
    "deadlines",
];

/// A whole document.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Document {
    pub name: Given<String>,
    pub platform: Given<String>,
    pub repeat: Given<i64>,
    pub inspect: Given<List>,
    pub phase: Given<Vec<Spanned<Phase>>>,
    pub kernel: Kernel,
    pub host: Host,
    pub kvm: Parameters,
    pub kvm_intel: Parameters,
    pub kvm_amd: Parameters,
    pub guest: Guest,
    pub sampling: Sampling,
    pub deadlines: Deadlines,
}

/// `[[phase]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Phase {
    pub name: Given<String>,
    pub run: Given<String>,
    pub repeat: Given<i64>,
    pub left_behind: Given<String>,
}

/// `[kernel]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Kernel {
    pub source: Given<String>,
    pub census: Given<bool>,
    pub patches: Given<List>,
    pub fragments: Given<List>,
}

/// `[host]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Host {
    pub memory: Given<String>,
    pub cpus: Given<i64>,
    pub cmdline: Given<String>,
    pub instructions_per_second: Given<i64>,
    pub accelerator: Given<String>,
    pub address: Given<String>,
    pub ssh_config: Given<String>,
}

/// `[guest]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Guest {
    pub image: Given<String>,
    pub packages: Given<List>,
    pub files: Given<List>,
    pub kernel: Given<String>,
    pub initrd: Given<String>,
    pub disk: Given<String>,
    pub ssh: Given<bool>,
    pub machine: Given<String>,
    pub memory: Given<String>,
    pub vcpus: Given<i64>,
    pub cpu: Given<String>,
    pub cmdline: Given<String>,
    pub devices: Given<List>,
    pub seed: Given<String>,
    pub symbols: Given<String>,
}

/// `[sampling]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Sampling {
    pub schedule: Given<List>,
    pub channels: Given<Channels>,
    pub cycles: Given<bool>,
    pub detail: Given<bool>,
    pub places: Given<bool>,
    pub time: Given<bool>,
    pub log: Given<bool>,
    pub log_limit: Given<i64>,
    pub log_buffer: Given<String>,
}

/// `[deadlines]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct Deadlines {
    pub host_boot: Given<String>,
    pub silence: Given<String>,
    pub guest_ssh: Given<String>,
    pub exchange: Given<String>,
    pub phase: Given<String>,
}
