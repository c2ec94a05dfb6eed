//! How long exits take: an event of our own that the kernel makes at each VM entry out of the
//! exit before it, and histograms of that event (Documentation/trace/histogram.rst,
//! "Inter-event hist triggers").
//!
//! ```text
//! kvm_exit: reason, moment ─┐ by thread
//! kvm_entry ────────────────┴─► synthetic event (reason, lat) ─► a histogram for each band
//! ```

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use exitlab_model::record::{self, Bucket};

use super::details::histograms_of;
use super::instance::{Instance, SYNTHETIC};
use super::{kernel_fs, section, trigger};
use crate::failure::Failure;

/// Room for the threads of all VMs of the host, of those that ran a vCPU.
const THREADS: u32 = 1024;

/// Fields of the event. The type of the first is that of the tracepoint's field.
const FIELDS: &str = "unsigned int reason; u64 lat";

/// Entries that a histogram has at most (`TRACING_MAP_BITS_MAX`).
const MOST_ROOM: u32 = 1 << 17;

/// Durations from `from` to below the next band's, nanoseconds, told apart by `width`.
#[derive(Debug, Clone, Copy)]
struct Band {
    from: u64,
    width: u64,
    /// Room for one vCPU: for fifteen reasons that fill the band, where most durations are.
    /// All of it is made beforehand, which takes an emulated host its time.
    room: u32,
}

/// From the second on a stretch is at most an eighth of what falls into it. Each band ends at
/// sixteen times its beginning, so that few filters are asked at each entry.
const BANDS: [Band; 7] = [
    Band::of(0, 1 << 5, 512),
    Band::of(1 << 10, 1 << 7, 2048),
    Band::of(1 << 14, 1 << 11, 2048),
    Band::of(1 << 18, 1 << 15, 1024),
    Band::of(1 << 22, 1 << 19, 512),
    Band::of(1 << 26, 1 << 23, 512),
    Band::of(1 << 30, 1 << 27, 512),
];

impl Band {
    const fn of(from: u64, width: u64, room: u32) -> Band {
        Band { from, width, room }
    }
}

/// One histogram of the event.
#[derive(Debug, Clone)]
struct Made {
    keys: String,
    words: String,
}

impl Made {
    /// By the key that stands for a duration.
    fn of(lat: &str, room: u32, vcpus: u32, filter: &str) -> Made {
        let keys = format!("common_pid,reason,{lat}");
        let size = room.saturating_mul(vcpus.max(1)).min(MOST_ROOM);
        Made {
            words: format!("hist:keys={keys}:vals=lat:size={size}{filter}"),
            keys,
        }
    }
}

/// As fine as a kernel can (5.15 and later), then as coarse as any can.
fn wanted(vcpus: u32) -> [Vec<Made>; 2] {
    let ends = BANDS.iter().skip(1).map(|band| Some(band.from));
    let fine = BANDS.iter().zip(ends.chain([None])).map(|(band, end)| {
        let begin = (band.from > 0).then(|| format!("lat >= {}", band.from));
        let end = end.map(|end| format!("lat < {end}"));
        let filter: Vec<String> = begin.into_iter().chain(end).collect();
        let filter = format!(" if {}", filter.join(" && "));
        Made::of(
            &format!("lat.buckets={}", band.width),
            band.room,
            vcpus,
            &filter,
        )
    });
    [fine.collect(), vec![Made::of("lat.log2", 512, vcpus, "")]]
}

/// Durations that are being taken, or why none are.
#[derive(Debug)]
pub struct Durations(Result<Taking, String>);

#[derive(Debug)]
struct Taking {
    tracefs: PathBuf,
    /// The instance.
    root: PathBuf,
    /// The event's name.
    name: String,
    histograms: Vec<Made>,
    /// What there was no room for in triggers that are not there any more.
    lost: Cell<u64>,
}

impl Durations {
    /// Starts them, for a guest of so many vCPUs. What this kernel lacks is remembered.
    pub fn arm(instance: &Instance, vcpus: u32) -> Result<Durations, Failure> {
        let (tracefs, root) = (instance.tracefs(), instance.dir());
        Durations::arm_in(tracefs, root, &instance.event(), vcpus)
    }

    fn arm_in(tracefs: &Path, root: &Path, name: &str, vcpus: u32) -> Result<Durations, Failure> {
        let mut taking = Taking {
            tracefs: tracefs.to_owned(),
            root: root.to_owned(),
            name: name.to_owned(),
            histograms: Vec::new(),
            lost: Cell::new(0),
        };
        if let Err(why) = attempt(&tracefs.join(SYNTHETIC), &format!("{name} {FIELDS}"))? {
            let lacks = format!("the kernel makes no synthetic events: {why}");
            return Ok(Durations(Err(lacks)));
        }
        let started = match taking.start()? {
            Ok(()) => taking.start_histograms(vcpus)?,
            Err(why) => Err(why),
        };
        let taken = match started {
            Ok(()) => Ok(taking),
            Err(why) => {
                taking.forget_event()?;
                Err(why)
            }
        };
        Ok(Durations(taken))
    }

    /// What was taken of `threads`, while the guest stands still. The exits that it has not
    /// come back from are left out from now on: their time would be that of the sample.
    pub fn take(&self, threads: &BTreeSet<u64>) -> Result<record::Durations, String> {
        match &self.0 {
            Ok(taking) => taking.take(threads),
            Err(why) => Ok(record::Durations::lacking(why.clone())),
        }
    }

    /// Stops them.
    pub fn disarm(&self) -> Result<(), Failure> {
        let Ok(taking) = &self.0 else { return Ok(()) };
        for made in taking.histograms.iter().rev() {
            trigger::write(&taking.synthetic(), &format!("!{}", made.words))?;
        }
        taking.stop()?;
        taking.forget_event()
    }
}

impl Taking {
    fn of_kvm(&self, event: &str) -> PathBuf {
        self.root.join("events/kvm").join(event)
    }

    fn synthetic(&self) -> PathBuf {
        self.root.join("events/synthetic").join(&self.name)
    }

    /// The two triggers that make the event, and where they are.
    fn triggers(&self) -> [(PathBuf, String); 2] {
        let name = &self.name;
        let exit = format!(
            "hist:keys=common_pid:xreason=exit_reason,xtime=common_timestamp:size={THREADS}"
        );
        let entry = format!(
            "hist:keys=common_pid:xlat=common_timestamp-$xtime:size={THREADS}\
             :onmatch(kvm.kvm_exit).{name}($xreason,$xlat)"
        );
        [
            (self.of_kvm("kvm_exit"), exit),
            (self.of_kvm("kvm_entry"), entry),
        ]
    }

    fn start(&self) -> Result<Result<(), String>, Failure> {
        let [(at_exit, exit), (at_entry, entry)] = self.triggers();
        if !at_entry.exists() {
            return Ok(Err("KVM has no tracepoint kvm_entry".to_owned()));
        }
        let lacks = |why| format!("the kernel takes no time from kvm_exit to kvm_entry: {why}");
        if let Err(why) = attempt(&at_exit.join("trigger"), &exit)? {
            return Ok(Err(lacks(why)));
        }
        if let Err(why) = attempt(&at_entry.join("trigger"), &entry)? {
            trigger::write(&at_exit, &format!("!{exit}"))?;
            return Ok(Err(lacks(why)));
        }
        Ok(Ok(()))
    }

    /// The entry's first, as it refers to the exit's.
    fn stop(&self) -> Result<(), Failure> {
        let mut triggers = self.triggers().into_iter().rev();
        triggers.try_for_each(|(event, words)| trigger::write(&event, &format!("!{words}")))
    }

    fn start_histograms(&mut self, vcpus: u32) -> Result<Result<(), String>, Failure> {
        let event = self.synthetic();
        let mut why = String::new();
        'wanted: for wanted in wanted(vcpus) {
            for made in wanted {
                match attempt(&event.join("trigger"), &made.words)? {
                    Ok(()) => self.histograms.push(made),
                    Err(lacks) => {
                        why = lacks;
                        for made in self.histograms.drain(..).rev() {
                            trigger::write(&event, &format!("!{}", made.words))?;
                        }
                        continue 'wanted;
                    }
                }
            }
            return Ok(Ok(()));
        }
        self.stop()?;
        Ok(Err(format!(
            "the kernel makes no histogram of durations: {why}"
        )))
    }

    fn forget_event(&self) -> Result<(), Failure> {
        let path = self.tracefs.join(SYNTHETIC);
        let words = format!("!{}", self.name);
        let told = kernel_fs::tell(&path, &words);
        told.map_err(|e| {
            trigger::failed(format!(
                "failed to write '{words}' to {}: {e}",
                path.display()
            ))
        })
    }

    fn take(&self, threads: &BTreeSet<u64>) -> Result<record::Durations, String> {
        let text = histograms_of(&self.synthetic())?;
        let mut buckets = BTreeMap::new();
        let mut dropped = 0_u64;
        for made in &self.histograms {
            let more = add(&mut buckets, &made.keys, &text, threads)?;
            dropped = dropped.saturating_add(more);
        }
        let at_entry = histograms_of(&self.of_kvm("kvm_entry"))?;
        let lost = section::dropped(&at_entry)
            .ok_or("the histogram of kvm_entry does not say what it dropped")?;
        self.lost.set(self.lost.get().saturating_add(lost));
        self.stop().map_err(|failure| failure.message)?;
        self.start().map_err(|failure| failure.message)??;
        let buckets = buckets.into_iter();
        let buckets = buckets.map(|([reason, least, most], (count, sum))| Bucket {
            reason,
            least,
            most,
            count,
            sum,
        });
        let dropped = dropped.saturating_add(self.lost.get());
        Ok(record::Durations::of(buckets.collect(), dropped))
    }
}

/// Tells the kernel, or says why it cannot do it.
fn attempt(path: &Path, words: &str) -> Result<Result<(), String>, Failure> {
    match kernel_fs::tell(path, words) {
        Ok(()) => Ok(Ok(())),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => {
            Ok(Err(e.to_string()))
        }
        Err(e) => Err(trigger::failed(format!(
            "failed to write '{words}' to {}: {e}",
            path.display()
        ))),
    }
}

/// Reason and stretch; how many exits and nanoseconds.
type Buckets = BTreeMap<[u64; 3], (u64, u64)>;

/// Adds what the histogram with these keys has of `threads`; what it dropped comes back.
fn add(
    buckets: &mut Buckets,
    keys: &str,
    text: &str,
    threads: &BTreeSet<u64>,
) -> Result<u64, String> {
    let lacks = || format!("a histogram has no section with the keys {keys}");
    let section = section::section(text, keys).ok_or_else(lacks)?;
    for line in section::entries(section) {
        let bad = || format!("a histogram has '{line}'");
        let thread = section::key(line, "common_pid").ok_or_else(bad)?;
        if !threads.contains(&thread) {
            continue;
        }
        let reason = section::key(line, "reason").ok_or_else(bad)?;
        let (least, most) = section::stretch(line, "lat").ok_or_else(bad)?;
        let count = section::hits(line).ok_or_else(bad)?;
        let sum = section::sum(line, "lat").ok_or_else(bad)?;
        let bucket = buckets.entry([reason, least, most]).or_default();
        bucket.0 = bucket.0.saturating_add(count);
        bucket.1 = bucket.1.saturating_add(sum);
    }
    section::dropped(section).ok_or_else(|| "durations do not say what was dropped".to_owned())
}

/// Any text for every histogram, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub fn any_durations(text: &str, threads: &BTreeSet<u64>) {
    for made in wanted(1).into_iter().flatten() {
        let _ = add(&mut Buckets::new(), &made.keys, text, threads);
    }
}

#[cfg(test)]
mod tests;
