//! Events of the tracepoints become exits: from `kvm_exit` to `kvm_entry` of a thread, with what
//! others say in between.

use std::collections::{BTreeMap, BTreeSet};

use exitlab_model::log::{Cause, Encoder, LogReading, LoggedExit, ToldBy};
use exitlab_model::reasons::{Isa, ReasonTable};

use super::tracepoint::{Heard, Said};

/// Most different addresses that are remembered, to be named by the guest's symbols.
const MOST_ADDRESSES: usize = 1 << 18;

/// `KVM_TRACE_MMIO_READ_UNSATISFIED` (include/trace/events/kvm.h): the read comes again when
/// user space has answered.
const UNSATISFIED: u64 = 0;

/// Collects exits, and keeps the first of them as bytes.
#[derive(Debug)]
pub struct Collector {
    reasons: &'static ReasonTable,
    limit: u64,
    threads: BTreeMap<u64, Thread>,
    streams: BTreeMap<u16, Stream>,
    addresses: BTreeSet<u64>,
    /// Until now.
    reading: LogReading,
    kept: u64,
}

#[derive(Debug)]
struct Thread {
    vcpu: u16,
    /// The exit after which the guest was not entered yet.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    exit: LoggedExit,
    kept: bool,
}

/// The exits of a vCPU.
#[derive(Debug, Default)]
struct Stream {
    encoder: Encoder,
    bytes: Vec<u8>,
}

impl Collector {
    /// For exits of these reasons, of which the first `limit` are kept.
    pub fn of(reasons: &'static ReasonTable, limit: u64) -> Collector {
        Collector {
            reasons,
            limit,
            threads: BTreeMap::new(),
            streams: BTreeMap::new(),
            addresses: BTreeSet::new(),
            reading: LogReading {
                counts: vec![0; reasons.len_slots()],
                ..LogReading::default()
            },
            kept: 0,
        }
    }

    /// Takes in the next event.
    pub fn hear(&mut self, heard: Heard) {
        match heard.said {
            Said::Exit { vcpu, .. } => {
                let number = self.threads.len() as u64;
                let thread = self.threads.entry(heard.thread).or_insert_with(|| Thread {
                    // Before 5.12 nobody says which: threads are numbered as they come.
                    vcpu: u16::try_from(vcpu.unwrap_or(number)).unwrap_or(u16::MAX),
                    open: None,
                });
                let before = thread.open.take();
                let vcpu = thread.vcpu;
                self.put(vcpu, before);
                self.open(heard);
            }
            Said::Entry => {
                let Some(thread) = self.threads.get_mut(&heard.thread) else {
                    return;
                };
                let vcpu = thread.vcpu;
                let mut open = thread.open.take();
                if let Some(open) = &mut open {
                    let passed = heard.time_ns.checked_sub(open.exit.time_ns);
                    open.exit.duration_ns = passed;
                }
                self.put(vcpu, open);
            }
            Said::More {
                by,
                key,
                sub,
                value,
            } => {
                let isa = self.reasons.isa();
                let thread = self.threads.get_mut(&heard.thread);
                let open = thread.and_then(|thread| thread.open.as_mut());
                let Some(Open { exit, .. }) = open else {
                    return;
                };
                let cause = &mut exit.cause;
                let unsatisfied = by == ToldBy::Mmio && sub == UNSATISFIED;
                if fits(isa, cause.reason, by) && rank(by) > rank(cause.told) && !unsatisfied {
                    (cause.told, cause.key, cause.sub) = (by, key, sub);
                    exit.value = if by.has_value() { value } else { 0 };
                }
            }
        }
    }

    fn open(&mut self, heard: Heard) {
        let Said::Exit {
            reason,
            rip,
            info,
            vector,
            ..
        } = heard.said
        else {
            return;
        };
        // As in the histogram: the basic reason, and what no table defines by itself.
        let reason = match self.reasons.isa() {
            Isa::Vmx => (reason & 0xffff) as u32,
            Isa::Svm => reason as u32,
        };
        let slot = self.reasons.slot(reason);
        let slot = slot.and_then(|slot| self.reading.counts.get_mut(slot));
        let count = slot.unwrap_or(&mut self.reading.other);
        *count = count.saturating_add(1);
        let kept = self.kept < self.limit;
        match kept {
            true => self.kept += 1,
            false => self.reading.left_out = self.reading.left_out.saturating_add(1),
        }
        let cause = Cause {
            reason,
            rip,
            info,
            vector: vector as u32,
            ..Cause::default()
        };
        let exit = LoggedExit {
            time_ns: heard.time_ns,
            duration_ns: None,
            cause,
            value: 0,
        };
        if let Some(thread) = self.threads.get_mut(&heard.thread) {
            thread.open = Some(Open { exit, kept });
        }
    }

    fn put(&mut self, vcpu: u16, open: Option<Open>) {
        let Some(Open { exit, kept: true }) = open else {
            return;
        };
        if self.addresses.len() < MOST_ADDRESSES {
            self.addresses.insert(exit.cause.rip);
        }
        let stream = self.streams.entry(vcpu).or_default();
        stream.encoder.put(&exit, &mut stream.bytes);
    }

    /// What was counted so far, but for what was lost.
    pub fn reading(&self) -> &LogReading {
        &self.reading
    }

    /// The addresses in the guest that exits came from.
    pub fn addresses(&self) -> Vec<u64> {
        let open = self
            .threads
            .values()
            .filter_map(|thread| thread.open.as_ref());
        let open = open.map(|open| open.exit.cause.rip);
        self.addresses.iter().copied().chain(open).collect()
    }

    /// All that is kept, by vCPU, and how many exits that is.
    pub fn finish(mut self) -> (Vec<(u16, Vec<u8>)>, u64) {
        for mut thread in std::mem::take(&mut self.threads).into_values() {
            let open = thread.open.take();
            self.put(thread.vcpu, open);
        }
        let streams = self.streams.into_iter();
        let streams = streams.map(|(vcpu, stream)| (vcpu, stream.bytes));
        (streams.collect(), self.kept)
    }
}

/// Whether a tracepoint tells something of an exit for this reason. KVM comes by some of them
/// on its own account, such as by CPUID when it emulates an instruction.
fn fits(isa: Isa, reason: u32, by: ToldBy) -> bool {
    let [io, cpuid, msr, hypercall] = match isa {
        Isa::Vmx => [[30, 30], [10, 10], [31, 32], [18, 18]],
        Isa::Svm => [[0x7b, 0x7b], [0x72, 0x72], [0x7c, 0x7c], [0x81, 0x81]],
    };
    let is = |reasons: [u32; 2]| reasons.contains(&reason);
    match by {
        ToldBy::Nobody => false,
        ToldBy::Pio => is(io),
        ToldBy::Cpuid => is(cpuid),
        ToldBy::Msr => is(msr),
        ToldBy::Hypercall | ToldBy::HypervHypercall | ToldBy::XenHypercall => is(hypercall),
        ToldBy::Mmio | ToldBy::FastMmio | ToldBy::PageFault => {
            ![io, cpuid, msr, hypercall].into_iter().any(is)
        }
    }
}

/// What tells more takes the place of what tells less; of equals the first stays.
fn rank(by: ToldBy) -> u8 {
    match by {
        ToldBy::Nobody => 0,
        // Before an access to a device comes the fault that leads to it.
        ToldBy::PageFault => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_model::log::Decoder;

    fn exit(time_ns: u64, thread: u64, reason: u64) -> Heard {
        let said = Said::Exit {
            reason,
            rip: 0x1000 + reason,
            info: 1,
            vector: 0,
            vcpu: Some(thread - 90),
        };
        Heard {
            time_ns,
            thread,
            said,
        }
    }

    fn entry(time_ns: u64, thread: u64) -> Heard {
        Heard {
            time_ns,
            thread,
            said: Said::Entry,
        }
    }

    fn more(time_ns: u64, by: ToldBy, key: u64, sub: u64) -> Heard {
        let said = Said::More {
            by,
            key,
            sub,
            value: 7,
        };
        Heard {
            time_ns,
            thread: 90,
            said,
        }
    }

    fn collected(limit: u64, heard: &[Heard]) -> (Vec<(u16, Vec<LoggedExit>)>, LogReading) {
        let mut collector = Collector::of(ReasonTable::vmx(), limit);
        heard.iter().for_each(|heard| collector.hear(*heard));
        let reading = collector.reading().clone();
        let (streams, kept) = collector.finish();
        let decoded = |bytes: &[u8]| Decoder::of(bytes).map(|exit| exit.unwrap()).collect();
        let streams: Vec<(u16, Vec<LoggedExit>)> = streams
            .iter()
            .map(|(vcpu, bytes)| (*vcpu, decoded(bytes)))
            .collect();
        assert_eq!(
            streams.iter().map(|(_, s)| s.len() as u64).sum::<u64>(),
            kept
        );
        assert_eq!(reading.kept(), kept);
        (streams, reading)
    }

    #[test]
    fn an_exit_lasts_until_its_thread_enters_again() {
        let (streams, reading) = collected(
            9,
            &[
                entry(5, 90),
                exit(10, 90, 0x8000_0021),
                exit(11, 91, 12),
                entry(14, 90),
                exit(20, 90, 300),
                exit(25, 90, 10),
            ],
        );
        let times = |vcpu: usize| -> Vec<_> {
            let exits = streams[vcpu].1.iter();
            exits
                .map(|e| (e.time_ns, e.duration_ns, e.cause.reason))
                .collect()
        };
        assert_eq!(
            times(0),
            [(10, Some(4), 33), (20, None, 300), (25, None, 10)]
        );
        assert_eq!((streams[1].0, times(1)), (1, vec![(11, None, 12)]));
        assert_eq!(
            (reading.counts[33], reading.counts[12], reading.other),
            (1, 1, 1)
        );
    }

    #[test]
    fn what_belongs_to_the_reason_tells_more_and_the_best_of_it_stays() {
        let told = |reason, between: &[Heard]| {
            let heard: Vec<Heard> = [exit(1, 90, reason)]
                .into_iter()
                .chain(between.iter().copied())
                .chain([entry(9, 90)])
                .collect();
            let exit = collected(9, &heard).0[0].1[0];
            (exit.cause.told, exit.cause.key, exit.value)
        };
        let fault = more(2, ToldBy::PageFault, 0xfee0_0000, 2);
        let asked = more(3, ToldBy::Mmio, 0xfee0_0030, 0);
        let answered = more(4, ToldBy::Mmio, 0xfee0_0030, 1);
        let second = more(5, ToldBy::Mmio, 0xfee0_0040, 1);
        let all = [fault, asked, answered, second];
        assert_eq!(told(48, &all), (ToldBy::Mmio, 0xfee0_0030, 7));
        assert_eq!(told(48, &all[..2]), (ToldBy::PageFault, 0xfee0_0000, 0));
        // KVM looks leaf 0 up when it emulates a string instruction.
        let vendor = more(2, ToldBy::Cpuid, 0, 0);
        let port = more(3, ToldBy::Pio, 0x3f8, 1);
        assert_eq!(told(30, &[vendor, port]), (ToldBy::Pio, 0x3f8, 7));
        assert_eq!(told(12, &[port]), (ToldBy::Nobody, 0, 0));
    }

    #[test]
    fn beyond_the_limit_exits_are_counted_only() {
        let heard: Vec<Heard> = (0..10).map(|n| exit(n, 90, 10)).collect();
        let (streams, reading) = collected(4, &heard);
        assert_eq!(streams[0].1.len(), 4);
        assert_eq!((reading.counts[10], reading.left_out), (10, 6));
        let (none, reading) = collected(0, &heard);
        assert_eq!((none.len(), reading.left_out), (0, 10));
    }
}
