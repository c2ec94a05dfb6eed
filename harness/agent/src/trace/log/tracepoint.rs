//! The tracepoints that the log is made of, and what their events say.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use exitlab_model::log::ToldBy;

use super::format::{Field, Format};
use crate::failure::Failure;
use crate::trace::{kernel_fs, trigger};

/// Most bytes of a format that are read.
const MOST_FORMAT: u64 = 64 << 10;

/// Tracepoints without which there is no log, and those that tell more of an exit: name, who
/// tells, fields of key, subkey and value.
type Detail = (
    &'static str,
    ToldBy,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

const DETAILS: [Detail; 9] = [
    ("kvm_pio", ToldBy::Pio, "port", Some("rw"), Some("val")),
    ("kvm_msr", ToldBy::Msr, "ecx", Some("write"), Some("data")),
    ("kvm_mmio", ToldBy::Mmio, "gpa", Some("type"), Some("val")),
    ("kvm_fast_mmio", ToldBy::FastMmio, "gpa", None, None),
    ("kvm_cpuid", ToldBy::Cpuid, "function", Some("index"), None),
    ("kvm_hypercall", ToldBy::Hypercall, "nr", None, None),
    (
        "kvm_hv_hypercall",
        ToldBy::HypervHypercall,
        "code",
        None,
        None,
    ),
    ("kvm_xen_hypercall", ToldBy::XenHypercall, "nr", None, None),
    (
        "kvm_page_fault",
        ToldBy::PageFault,
        "fault_address",
        Some("error_code"),
        None,
    ),
];

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// `kvm_exit`.
    Exit {
        /// `exit_reason`, the whole field.
        reason: u64,
        /// `guest_rip`.
        rip: u64,
        /// `info1`.
        info: u64,
        /// `intr_info`.
        vector: u64,
        /// `vcpu_id`, where there is one.
        vcpu: Option<u64>,
    },
    /// `kvm_entry`.
    Entry,
    /// One that tells more.
    More {
        /// Which.
        by: ToldBy,
        /// Its keys.
        key: u64,
        /// The second.
        sub: u64,
        /// Its value.
        value: u64,
    },
}

/// An event of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When, nanoseconds.
    pub time_ns: u64,
    /// Which thread.
    pub thread: u64,
    /// What it says.
    pub said: Said,
}

/// Where the fields of each tracepoint are.
#[derive(Debug, Default)]
pub struct Tracepoints {
    by_id: BTreeMap<u16, Fields>,
    /// Names of those that are there.
    pub there: Vec<&'static str>,
    /// Those that this kernel lacks.
    pub lacks: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Fields {
    Exit {
        reason: Field,
        rip: Field,
        info: Option<Field>,
        vector: Option<Field>,
        vcpu: Option<Field>,
    },
    Entry,
    More {
        by: ToldBy,
        key: Field,
        sub: Option<Field>,
        value: Option<Field>,
        /// How many accesses there were, where that is told.
        count: Option<Field>,
    },
}

/// Where every event has its number and its thread.
const COMMON: (&str, &str) = ("common_type", "common_pid");

impl Tracepoints {
    /// Looks at those below `root`, tracefs or an instance of it.
    pub fn look(root: &Path) -> Result<Tracepoints, Failure> {
        Tracepoints::of(&|name| {
            let path = root.join("events/kvm").join(name).join("format");
            match kernel_fs::text(&path, MOST_FORMAT) {
                Ok(text) => Ok(Some(text)),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(trigger::failed(format!(
                    "failed to read the format of {name}: {e}"
                ))),
            }
        })
    }

    /// The same, of a text for each name.
    pub fn of(
        text: &dyn Fn(&str) -> Result<Option<String>, Failure>,
    ) -> Result<Tracepoints, Failure> {
        let mut all = Tracepoints::default();
        let missing = |what: &str| {
            trigger::failed(format!(
                "KVM's tracepoint kvm_exit has no {what}: no log of exits"
            ))
        };
        let exit = text("kvm_exit")?.ok_or_else(|| missing("format"))?;
        let format = Format(&exit);
        let fields = Fields::Exit {
            reason: format
                .field("exit_reason")
                .ok_or_else(|| missing("exit_reason"))?,
            rip: format
                .field("guest_rip")
                .ok_or_else(|| missing("guest_rip"))?,
            info: format.field("info1"),
            vector: format.field("intr_info"),
            vcpu: format.field("vcpu_id"),
        };
        all.add("kvm_exit", &format, fields);
        match text("kvm_entry")? {
            Some(entry) => all.add("kvm_entry", &Format(&entry), Fields::Entry),
            None => all.lacks.push("kvm_entry".to_owned()),
        }
        for (name, by, key, sub, value) in DETAILS {
            let found = text(name)?;
            let format = Format(found.as_deref().unwrap_or_default());
            let Some(key) = format.field(key) else {
                all.lacks.push(name.to_owned());
                continue;
            };
            let field = |name: Option<&str>| format.field(name?);
            let fields = Fields::More {
                by,
                key,
                sub: field(sub),
                value: field(value),
                count: field(Some("count").filter(|_| by == ToldBy::Pio)),
            };
            all.add(name, &format, fields);
        }
        Ok(all)
    }

    fn add(&mut self, name: &'static str, format: &Format, fields: Fields) {
        match format.id() {
            Some(id) => {
                self.by_id.insert(id, fields);
                self.there.push(name);
            }
            None => self.lacks.push(name.to_owned()),
        }
    }

    /// What an event says; none of one that the log has no use for.
    pub fn heard(&self, time_ns: u64, data: &[u8]) -> Option<Heard> {
        // The first fields are the same in every event of every kernel (`struct trace_entry`).
        let id = u16::from_le_bytes(data.get(..2)?.try_into().ok()?);
        let thread = u32::from_le_bytes(data.get(4..8)?.try_into().ok()?);
        let value = |field: Option<Field>| field.and_then(|field| field.of(data));
        let said = match *self.by_id.get(&id)? {
            Fields::Entry => Said::Entry,
            Fields::Exit {
                reason,
                rip,
                info,
                vector,
                vcpu,
            } => Said::Exit {
                reason: reason.of(data)?,
                rip: rip.of(data)?,
                info: value(info).unwrap_or(0),
                vector: value(vector).unwrap_or(0),
                vcpu: value(vcpu),
            },
            Fields::More {
                by,
                key,
                sub,
                value: told,
                count,
            } => {
                let single = value(count).is_none_or(|count| count == 1);
                Said::More {
                    by,
                    key: key.of(data)?,
                    sub: value(sub).unwrap_or(0),
                    value: value(told.filter(|_| single)).unwrap_or(0),
                }
            }
        };
        Some(Heard {
            time_ns,
            thread: thread.into(),
            said,
        })
    }
}

/// Whether every event has its number and thread where [`Tracepoints::heard`] looks for them.
pub fn is_usual(format: &str) -> bool {
    let format = Format(format);
    let at = |name, data: &[u8]| format.field(name).and_then(|field| field.of(data));
    let data = [1, 0, 9, 9, 2, 0, 0, 0];
    (at(COMMON.0, &data), at(COMMON.1, &data)) == (Some(1), Some(2))
}
