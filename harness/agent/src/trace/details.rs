//! What lies below the reasons: more histograms, of `kvm_exit` and of the tracepoints of what
//! KVM does for an exit.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use exitlab_model::reasons::Isa;
use exitlab_model::record::{Histogram, REGION, Source};

use super::{kernel_fs, section, trigger};
use crate::failure::Failure;

/// Most bytes of an event's histograms, and of its format, that are read.
const MOST_TEXT: u64 = 64 << 20;

/// Entries that a histogram has room for in the kernel, of all VMs of the host. All of them are
/// made beforehand, which takes an emulated host its time, so there are not more than it takes.
fn size(source: Source) -> u32 {
    match source {
        // Frames of a picture, and whatever happens to be in ECX, are many.
        Source::Mmio | Source::FastMmio | Source::Cpuid => 8192,
        Source::Qualification | Source::PageFault | Source::Msr => 4096,
        Source::Interruption | Source::Virq | Source::Ipi => 1024,
        Source::Hypercall | Source::HypervHypercall | Source::XenHypercall => 512,
        Source::Exception => 256,
        Source::Place => 32_768,
    }
}

/// What is counted below the reasons.
#[derive(Debug, Clone, Copy)]
pub struct Below {
    /// Whose reasons they are.
    pub isa: Isa,
    /// Ports, MSRs and the like.
    pub detail: bool,
    /// Places in the guest.
    pub places: bool,
    /// How long exits take.
    pub time: bool,
    /// How many vCPUs the guest has.
    pub vcpus: u32,
}

/// A histogram that is wanted.
struct Wanted {
    source: Source,
    event: &'static str,
    /// Its keys beside the thread: at most two.
    keys: &'static [&'static str],
    /// Which events count; empty for all.
    only: String,
}

/// Reasons of VMX whose exit qualification has few values: control and debug registers, I/O
/// instructions, APIC accesses, EOIs, EPT violations, APIC writes (SDM Vol. 3, "Basic VM-Exit
/// Information").
const VMX_QUALIFIED: [u32; 7] = [28, 29, 30, 44, 45, 48, 56];

/// Of SVM the same of `EXITINFO1`: IOIO, nested page faults (APM Vol. 2, "SVM Intercept
/// Codes"). Registers have codes of their own there.
const SVM_QUALIFIED: [u32; 2] = [0x7b, 0x400];

/// Reasons of VMX for which there is an interruption information: exceptions, and interrupts
/// that the exit acknowledges.
const VMX_INTERRUPTED: [u32; 2] = [0, 1];

/// `KVM_TRACE_MMIO_READ_UNSATISFIED` (include/trace/events/kvm.h).
const ANSWERED: &str = "type != 0";

fn reasons(numbers: &[u32]) -> String {
    let each = numbers.iter().map(|n| format!("exit_reason == {n}"));
    each.collect::<Vec<_>>().join(" || ")
}

fn wanted(isa: Isa) -> Vec<Wanted> {
    let wanted = |source, event, keys, only: &str| Wanted {
        source,
        event,
        keys,
        only: only.to_owned(),
    };
    let qualified = match isa {
        Isa::Vmx => reasons(&VMX_QUALIFIED),
        Isa::Svm => reasons(&SVM_QUALIFIED),
    };
    let info: &[&str] = &["exit_reason", "info1"];
    let mut all = vec![wanted(Source::Qualification, "kvm_exit", info, &qualified)];
    if isa == Isa::Vmx {
        let keys = &["exit_reason", "intr_info"];
        let only = reasons(&VMX_INTERRUPTED);
        all.push(wanted(Source::Interruption, "kvm_exit", keys, &only));
    }
    let of_events: [(Source, &'static str, &'static [&'static str], &str); 12] = [
        (Source::Place, "kvm_exit", &["exit_reason", "guest_rip"], ""),
        (
            Source::PageFault,
            "kvm_page_fault",
            &["error_code", "fault_address"],
            "",
        ),
        (Source::Mmio, "kvm_mmio", &["type", "gpa"], ANSWERED),
        (Source::FastMmio, "kvm_fast_mmio", &["gpa"], ""),
        (Source::Msr, "kvm_msr", &["ecx", "write"], ""),
        (Source::Cpuid, "kvm_cpuid", &["function", "index"], ""),
        (Source::Hypercall, "kvm_hypercall", &["nr"], ""),
        (Source::HypervHypercall, "kvm_hv_hypercall", &["code"], ""),
        (Source::XenHypercall, "kvm_xen_hypercall", &["nr"], ""),
        (Source::Virq, "kvm_inj_virq", &["vector"], ""),
        (Source::Exception, "kvm_inj_exception", &["exception"], ""),
        (Source::Ipi, "kvm_apic_ipi", &["icr_low", "dest_id"], ""),
    ];
    let of_events = of_events.into_iter();
    all.extend(of_events.map(|(source, event, keys, only)| wanted(source, event, keys, only)));
    all
}

/// Histograms that are being made.
#[derive(Debug)]
pub struct Details(Vec<Made>);

#[derive(Debug)]
struct Made {
    source: Source,
    event: PathBuf,
    /// The trigger; or why there is none.
    trigger: Result<Trigger, String>,
}

#[derive(Debug, Clone)]
struct Trigger {
    /// Its keys beside the thread, as they are called.
    keys: Vec<&'static str>,
    /// The same with what is done to them.
    written: String,
    words: String,
}

impl Details {
    /// Starts them below `root`, tracefs or an instance of it. What this kernel lacks is
    /// remembered.
    pub fn arm(root: &Path, below: Below) -> Result<Details, Failure> {
        let wanted = wanted(below.isa)
            .into_iter()
            .filter(|wanted| match wanted.source {
                Source::Place => below.places,
                _ => below.detail,
            });
        let made = wanted.map(|wanted| {
            let event = root.join("events/kvm").join(wanted.event);
            Ok(Made {
                source: wanted.source,
                trigger: start(&event, &wanted)?,
                event,
            })
        });
        Ok(Details(made.collect::<Result<_, Failure>>()?))
    }

    /// What they counted of `threads`.
    pub fn read(&self, threads: &BTreeSet<u64>) -> Result<Vec<Histogram>, String> {
        // An event of several triggers tells all of them at once.
        let mut texts: BTreeMap<&Path, String> = BTreeMap::new();
        let mut histograms = Vec::new();
        for made in &self.0 {
            let trigger = match &made.trigger {
                Ok(trigger) => trigger,
                Err(why) => {
                    histograms.push(Histogram::lacking(made.source, why.clone()));
                    continue;
                }
            };
            let event = made.event.as_path();
            if !texts.contains_key(event) {
                texts.insert(event, histograms_of(event)?);
            }
            let text = texts.get(event).map_or("", String::as_str);
            histograms.push(summed(made.source, trigger, text, threads)?);
        }
        Ok(histograms)
    }

    /// Stops them.
    pub fn disarm(&self) -> Result<(), Failure> {
        // The last one first, as they may have come to refer to one another.
        for made in self.0.iter().rev() {
            if let Ok(trigger) = &made.trigger {
                trigger::write(&made.event, &format!("!{}", trigger.words))?;
            }
        }
        Ok(())
    }
}

/// The text of all histograms of an event.
pub fn histograms_of(event: &Path) -> Result<String, String> {
    let path = event.join("hist");
    let text = kernel_fs::text(&path, MOST_TEXT);
    text.map_err(|e| format!("failed to read {}: {e}", path.display()))
}

/// Starts one, or says why this kernel cannot make it.
fn start(event: &Path, wanted: &Wanted) -> Result<Result<Trigger, String>, Failure> {
    let name = wanted.event;
    let format = match kernel_fs::text(&event.join("format"), MOST_TEXT) {
        Ok(format) => format,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Ok(Err(format!("KVM has no tracepoint {name}")));
        }
        Err(e) => {
            return Err(trigger::failed(format!(
                "failed to read the format of {name}: {e}"
            )));
        }
    };
    let mut keys = Vec::new();
    for key in wanted.keys {
        match has_field(&format, key) {
            true => keys.push(*key),
            // Before 5.6 there was no index.
            false if *key == "index" => {}
            false => return Ok(Err(format!("KVM's tracepoint {name} has no field {key}"))),
        }
    }
    let rounded = |key: &&'static str| match *key {
        "fault_address" => format!("{key}.buckets={REGION}"),
        key => key.to_owned(),
    };
    let plain: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let rounded: Vec<String> = keys.iter().map(rounded).collect();
    let mut why = String::new();
    // Before 5.15 there were no buckets.
    for written in [rounded, plain] {
        let trigger = Trigger::of(keys.clone(), &written, wanted);
        match kernel_fs::tell(&event.join("trigger"), &trigger.words) {
            Ok(()) => return Ok(Ok(trigger)),
            Err(e) if e.kind() == ErrorKind::InvalidInput => why = e.to_string(),
            Err(e) => {
                let words = trigger.words;
                return Err(trigger::failed(format!(
                    "failed to write '{words}' to {name}: {e}"
                )));
            }
        }
    }
    Ok(Err(format!(
        "the kernel makes no such histogram of {name}: {why}"
    )))
}

impl Trigger {
    fn of(keys: Vec<&'static str>, written: &[String], wanted: &Wanted) -> Trigger {
        let written = format!("common_pid,{}", written.join(","));
        let size = size(wanted.source);
        let filter = match &*wanted.only {
            "" => String::new(),
            only => format!(" if {only}"),
        };
        Trigger {
            keys,
            words: format!("hist:keys={written}:size={size}{filter}"),
            written,
        }
    }
}

/// Of a line such as `field:unsigned int port; offset:12; size:4; signed:0;`.
fn has_field(format: &str, name: &str) -> bool {
    let lines = format.lines().map(str::trim);
    let mut fields = lines.filter_map(|line| line.strip_prefix("field:")?.split_once(';'));
    fields.any(|(declared, _)| declared.split_whitespace().next_back() == Some(name))
}

fn summed(
    source: Source,
    trigger: &Trigger,
    text: &str,
    threads: &BTreeSet<u64>,
) -> Result<Histogram, String> {
    let section = section::section(text, &trigger.written).ok_or_else(|| {
        format!(
            "a histogram has no section with the keys {}",
            trigger.written
        )
    })?;
    let mut sums: BTreeMap<[u64; 2], u64> = BTreeMap::new();
    for line in section::entries(section) {
        let bad = || format!("a histogram has '{line}'");
        let thread = section::key(line, "common_pid").ok_or_else(bad)?;
        if !threads.contains(&thread) {
            continue;
        }
        let mut keys = [0; 2];
        for (key, name) in keys.iter_mut().zip(&trigger.keys) {
            *key = section::key(line, name).ok_or_else(bad)?;
        }
        let sum = sums.entry(keys).or_default();
        *sum = sum.saturating_add(section::hits(line).ok_or_else(bad)?);
    }
    let dropped = section::dropped(section)
        .ok_or_else(|| format!("the histogram of {source:?} does not say what it dropped"))?;
    let entries = sums.into_iter();
    let entries = entries.map(|([one, other], count)| [one, other, count]);
    Ok(Histogram::of(source, entries.collect(), dropped))
}

/// Any text for every histogram, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub fn any_details(text: &str, threads: &BTreeSet<u64>, isa: Isa) {
    for wanted in wanted(isa) {
        let keys = wanted.keys.to_vec();
        let written: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let trigger = Trigger::of(keys, &written, &wanted);
        let _ = summed(wanted.source, &trigger, text, threads);
    }
}

#[cfg(test)]
mod tests;
