//! The channel `trace`: the kernel's own `kvm_exit` tracepoint, counted by a histogram
//! that the kernel makes of its events (Documentation/trace/histogram.rst). The census
//! has no part in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::reasons::{Isa, ReasonTable};

use super::failure::Failure;

/// Where tracefs belongs. Without tracing in the kernel there is no such directory.
const TRACEFS: &str = "/sys/kernel/tracing";

/// Its directory of the tracepoint.
const EVENT: &str = "events/kvm/kvm_exit";

/// One entry for each thread and reason: 16 vCPUs and every reason there is fit well.
const TRIGGER: &str = "hist:keys=common_pid,exit_reason,isa:size=8192";

/// A histogram that is being made.
#[derive(Debug)]
pub struct Trace {
    event: PathBuf,
    /// Process of QEMU.
    qemu: u32,
    /// The exit reasons of this host.
    reasons: &'static ReasonTable,
}

/// Exits by reason, as the tracepoint counted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Counts; the index is that of a census.
    pub counts: Vec<u64>,
    /// Exits whose reason no table defines.
    pub other: u64,
}

/// A tracepoint that is ready to be counted, before there is a QEMU.
#[derive(Debug)]
pub struct Armed(PathBuf);

/// Starts the histogram. QEMU must not run yet, or its first exits are missed.
pub fn arm() -> Result<Armed, Failure> {
    arm_in(Path::new(TRACEFS))
}

/// The same with tracefs at `root`.
pub fn arm_in(root: &Path) -> Result<Armed, Failure> {
    if !is_there(&root.join("events"))? {
        mount_tracefs(root)?;
    }
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
        if !is_there(&root.join(path))? {
            return Err(no_tracing(lacks));
        }
    }
    let event = root.join(EVENT);
    write_trigger(&event, TRIGGER)?;
    Ok(Armed(event))
}

/// What may not be looked at is not called missing.
fn is_there(path: &Path) -> Result<bool, Failure> {
    path.try_exists().map_err(|e| {
        let message = format!(
            "failed to look at {}: {e}; the channel \"trace\" needs root",
            path.display()
        );
        Failure::new(Stage::Host, FailureKind::Host, message)
    })
}

impl Armed {
    /// Counts the exits of one QEMU from here on.
    pub fn of(self, qemu: u32, reasons: &'static ReasonTable) -> Trace {
        Trace {
            event: self.0,
            qemu,
            reasons,
        }
    }
}

impl Trace {
    /// What was counted so far. No vCPU may be running.
    pub fn read(&self) -> Result<Tally, String> {
        let threads = threads(self.qemu)?;
        let path = self.event.join("hist");
        let text = std::fs::read_to_string(&path)
            .map_err(|e| format!("failed to read {}: {e}", path.display()))?;
        tally(&text, &threads, self.reasons)
    }

    /// Stops the histogram: a host that outlives its guest is left as it was.
    pub fn disarm(self) -> Result<(), Failure> {
        write_trigger(&self.event, &format!("!{TRIGGER}"))
    }
}

fn mount_tracefs(root: &Path) -> Result<(), Failure> {
    mount("tracefs", root, "tracefs", MountFlags::empty(), None).map_err(|why| match why {
        Errno::NOENT | Errno::NODEV => no_tracing("it has no tracefs (CONFIG_FTRACE)"),
        Errno::PERM | Errno::ACCESS => {
            let message = format!("the channel \"trace\" needs root, to mount {TRACEFS}: {why}");
            Failure::new(Stage::Host, FailureKind::Host, message)
        }
        _ => {
            let message = format!("failed to mount tracefs on {TRACEFS}: {why}");
            Failure::new(Stage::Host, FailureKind::Host, message)
        }
    })
}

fn no_tracing(lacks: &str) -> Failure {
    let message = format!("the host's kernel cannot count its tracepoint kvm_exit: {lacks}");
    Failure::new(Stage::Host, FailureKind::NoTracing, message)
}

fn write_trigger(event: &Path, trigger: &str) -> Result<(), Failure> {
    let path = event.join("trigger");
    std::fs::write(&path, trigger).map_err(|e| {
        let message = format!("failed to write '{trigger}' to {}: {e}", path.display());
        Failure::new(Stage::Host, FailureKind::Host, message)
    })
}

/// The threads of a process. Its vCPUs are among them, as long as it lives.
fn threads(process: u32) -> Result<BTreeSet<u64>, String> {
    let dir = format!("/proc/{process}/task");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("failed to read {dir}: {e}"))?;
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let threads = entries.flatten().map(|entry| number(entry.file_name()));
    threads
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{dir} holds what is no thread"))
}

/// Sums the entries of `threads` by reason. Entries of one key may come in several lines.
pub(crate) fn tally(
    text: &str,
    threads: &BTreeSet<u64>,
    table: &ReasonTable,
) -> Result<Tally, String> {
    let mut tally = Tally {
        counts: vec![0; table.len_slots()],
        other: 0,
    };
    let mut dropped = None;
    for line in text.lines().map(str::trim) {
        if let Some(count) = line.strip_prefix("Dropped:") {
            dropped = Some(count.trim());
        } else if line.starts_with('{') {
            let entry = Entry::of(line).ok_or_else(|| format!("the histogram has '{line}'"))?;
            if !threads.contains(&entry.thread) {
                continue;
            }
            if entry.isa != isa_number(table.isa()) {
                let isa = table.isa();
                return Err(format!(
                    "the histogram has '{line}', which is not of {isa:?}"
                ));
            }
            let slot = slot(table, entry.reason).and_then(|slot| tally.counts.get_mut(slot));
            *slot.unwrap_or(&mut tally.other) += entry.count;
        }
    }
    match dropped {
        Some("0") => Ok(tally),
        Some(count) => Err(format!("the histogram of kvm_exit dropped {count} exits")),
        None => Err("the histogram of kvm_exit does not say what it dropped".to_owned()),
    }
}

/// `KVM_ISA_VMX` and `KVM_ISA_SVM` (arch/x86/kvm/trace.h).
fn isa_number(isa: Isa) -> u64 {
    match isa {
        Isa::Vmx => 1,
        Isa::Svm => 2,
    }
}

/// The place of a reason in a census. On VMX the tracepoint has the whole field: the
/// basic reason is in bits 15:0, and bit 31 stands for an entry that failed.
fn slot(table: &ReasonTable, reason: u64) -> Option<usize> {
    match table.isa() {
        Isa::Vmx => usize::try_from(reason & 0xffff).ok(),
        Isa::Svm => table.slot(u32::try_from(reason).ok()?),
    }
}

/// `{ common_pid: 93, exit_reason: 48, isa: 1 } hitcount: 8655`
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    thread: u64,
    reason: u64,
    isa: u64,
    count: u64,
}

impl Entry {
    fn of(line: &str) -> Option<Entry> {
        let (keys, count) = line.strip_prefix('{')?.split_once('}')?;
        let key = |name: &str| {
            let field = keys
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name));
            field?.strip_prefix(':')?.trim().parse().ok()
        };
        Some(Entry {
            thread: key("common_pid")?,
            reason: key("exit_reason")?,
            isa: key("isa")?,
            count: count
                .trim()
                .strip_prefix("hitcount:")?
                .trim()
                .parse()
                .ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.12 prints it.
    const HISTOGRAM: &str = "# event histogram
#
# trigger info: hist:keys=common_pid,exit_reason,isa:vals=hitcount:sort=hitcount:size=8192 [active]
#

{ common_pid:         91, exit_reason:         54, isa:          1 } hitcount:          2
{ common_pid:         92, exit_reason:         48, isa:          1 } hitcount:       8655
{ common_pid:         91, exit_reason: 2147483681, isa:          1 } hitcount:          3
{ common_pid:         91, exit_reason:         48, isa:          1 } hitcount:         10
{ common_pid:        400, exit_reason:         48, isa:          1 } hitcount:      10000
{ common_pid:         91, exit_reason:        300, isa:          1 } hitcount:          4

Totals:
    Hits: 18674
    Entries: 6
    Dropped: 0
";

    fn tally_of(text: &str) -> Result<Tally, String> {
        tally(text, &BTreeSet::from([91, 92]), ReasonTable::vmx())
    }

    #[test]
    fn threads_are_summed_by_basic_reason_and_other_processes_left_out() {
        let tally = tally_of(HISTOGRAM).unwrap();
        let counted: Vec<_> = (0..).zip(&tally.counts).filter(|(_, n)| **n > 0).collect();
        assert_eq!(counted, [(33, &3), (48, &8665), (54, &2)]);
        assert_eq!(tally.other, 4);
    }

    #[test]
    fn svm_codes_become_places_in_the_table() {
        let table = ReasonTable::svm();
        let npf = "{ common_pid: 91, exit_reason: 1024, isa: 2 } hitcount: 7\nDropped: 0";
        let tally = tally(npf, &BTreeSet::from([91]), table).unwrap();
        let place = table.defined().position(|reason| reason.number == 0x400);
        assert_eq!(tally.counts[place.unwrap()], 7);
    }

    #[test]
    fn what_is_dropped_missing_or_of_another_isa_is_an_error() {
        let dropped = HISTOGRAM.replace("Dropped: 0", "Dropped: 12");
        assert!(tally_of(&dropped).unwrap_err().contains("dropped 12"));
        let silent = HISTOGRAM.replace("    Dropped: 0\n", "");
        assert!(tally_of(&silent).unwrap_err().contains("does not say"));
        let other = HISTOGRAM.replace("isa:          1", "isa:          2");
        assert!(tally_of(&other).unwrap_err().contains("not of Vmx"));
        let broken = HISTOGRAM.replace("hitcount:       8655", "hitcount: many");
        assert!(tally_of(&broken).unwrap_err().contains("many"));
    }

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

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "\\{?( ?(common_pid|exit_reason|isa): ?[0-9]{0,20},?){0,4}\\}?( hitcount: [0-9]{0,22})?") {
            let _ = tally_of(&line);
        }
    }
}
