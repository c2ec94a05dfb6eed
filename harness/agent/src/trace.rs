//! The channel `trace`: the kernel's own `kvm_exit` tracepoint, counted by a histogram
//! that the kernel makes of its events (Documentation/trace/histogram.rst). The census
//! has no part in it.

mod details;
mod durations;
mod histogram;
mod instance;
pub mod kernel_fs;
mod log;
mod section;
mod trigger;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::{self, Histogram};

use super::failure::Failure;
pub use details::Below;
use details::Details;
use durations::Durations;
pub use histogram::{Tally, tally};
use instance::Instance;
pub use instance::sweep;
pub use log::ExitLog;
#[cfg(any(test, fuzzing))]
pub use {details::any_details, durations::any_durations, log::any_ring};

/// The tracepoint's directory.
const EVENT: &str = "events/kvm/kvm_exit";

/// Entries of the histogram, one for each thread and reason, of all VMs of the host: some five
/// hundred vCPUs fit.
const SIZE: u32 = 16_384;

fn exits_by_reason() -> String {
    format!("hist:keys={}:size={SIZE}", histogram::KEYS)
}

/// A histogram that is being made.
#[derive(Debug)]
pub struct Trace {
    event: PathBuf,
    instance: Option<Instance>,
    /// What lies below the reasons, if it is counted.
    details: Option<Details>,
    /// How long exits take, if that is asked for.
    durations: Option<Durations>,
    /// The VM's process.
    process: u32,
    /// Its threads: also those that have ended, whose exits were exits of the VM.
    threads: RefCell<BTreeSet<u64>>,
    /// The exit reasons of this host.
    reasons: &'static ReasonTable,
}

/// A tracepoint that is being counted, of whatever VM.
#[derive(Debug)]
pub struct Armed {
    event: PathBuf,
    instance: Option<Instance>,
    details: Option<Details>,
    durations: Option<Durations>,
}

/// Starts the histogram, in a tracefs instance of our own. Of a QEMU whose every exit is to be
/// counted it must be called before it is started. What agents left that died is cleared away.
/// What lies `below` the reasons is counted, too, if that is asked for.
pub fn arm(below: Option<Below>) -> Result<Armed, Failure> {
    let instance = Instance::make()?;
    let mut armed = arm_in(instance.dir())?;
    if let Some(below) = below {
        armed.details = Some(Details::arm(instance.dir(), below)?);
        let durations = below.time.then(|| Durations::arm(&instance, below.vcpus));
        armed.durations = durations.transpose()?;
    }
    armed.instance = Some(instance);
    Ok(armed)
}

/// The same with tracefs, or an instance of it, at `root`.
pub fn arm_in(root: &Path) -> Result<Armed, Failure> {
    // Each is there only if the one before is: the first that is not tells what lacks.
    let needed = [
        ("events", "its tracefs has no events (CONFIG_EVENT_TRACING)"),
        (
            "events/kvm",
            "there is KVM without tracepoints, or none: events/kvm is not there",
        ),
        (EVENT, "its KVM has no such tracepoint"),
        (
            "events/kvm/kvm_exit/hist",
            "it makes no histograms of events (CONFIG_HIST_TRIGGERS)",
        ),
    ];
    for (path, lacks) in needed {
        if !instance::is_there(&root.join(path))? {
            return Err(instance::no_tracing(lacks));
        }
    }
    let event = root.join(EVENT);
    trigger::write(&event, &exits_by_reason())?;
    Ok(Armed {
        event,
        instance: None,
        details: None,
        durations: None,
    })
}

impl Armed {
    /// Counts the exits of one VM from here on.
    pub fn of(self, process: u32, reasons: &'static ReasonTable) -> Trace {
        Trace {
            event: self.event,
            instance: self.instance,
            details: self.details,
            durations: self.durations,
            process,
            threads: RefCell::default(),
            reasons,
        }
    }
}

impl Trace {
    /// The VM's process.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Takes notice of threads that the VM has now.
    pub fn look(&self) {
        // A process that is gone has no more of them.
        if let Ok(threads) = threads(self.process) {
            self.threads.borrow_mut().extend(threads);
        }
    }

    /// What was counted so far. Of a VM that runs on, each count is of a moment of its own
    /// within this call.
    pub fn read(&self) -> Result<Tally, String> {
        let text = details::histograms_of(&self.event)?;
        self.look();
        tally(&text, &self.threads.borrow(), self.reasons)
    }

    /// What lies below the reasons, if that is counted. It is read right after [`read`](Self::read).
    pub fn read_details(&self) -> Result<Vec<Histogram>, String> {
        let details = self.details.as_ref();
        let read = details.map(|details| details.read(&self.threads.borrow()));
        Ok(read.transpose()?.unwrap_or_default())
    }

    /// How long exits took, if that is taken, of a guest that stands still. It is read right
    /// after [`read`](Self::read).
    pub fn take_durations(&self) -> Result<Option<record::Durations>, String> {
        let durations = self.durations.as_ref();
        let taken = durations.map(|durations| durations.take(&self.threads.borrow()));
        taken.transpose()
    }

    /// Stops the histograms: a host that outlives its guest is left as it was.
    pub fn disarm(self) -> Result<(), Failure> {
        if let Some(durations) = &self.durations {
            durations.disarm()?;
        }
        if let Some(details) = &self.details {
            details.disarm()?;
        }
        trigger::write(&self.event, &format!("!{}", exits_by_reason()))?;
        self.instance.map_or(Ok(()), Instance::remove)
    }
}

/// The threads of a process. Its vCPUs are among them, as long as it lives.
pub fn threads(process: u32) -> Result<BTreeSet<u64>, String> {
    let dir = format!("/proc/{process}/task");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("failed to read {dir}: {e}"))?;
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let threads = entries.flatten().map(|entry| number(entry.file_name()));
    threads
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{dir} holds what is no thread"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_named_and_nothing_that_follows_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let lacks = |path: &str| {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
            arm_in(dir.path()).unwrap_err().message
        };
        let of_kvm = lacks("events");
        assert!(of_kvm.contains("events/kvm is not there"), "{of_kvm}");
        assert!(!of_kvm.contains("CONFIG_"), "{of_kvm}");
        assert!(lacks("events/kvm").contains("no such tracepoint"));
        assert!(lacks("events/kvm/kvm_exit").contains("CONFIG_HIST_TRIGGERS"));
    }
}
