//! The log: every single exit, out of the ring buffers of a tracefs instance of its own. Events
//! are taken out now and then, and at each sample while the guest stands still; what is made of
//! them stays here until the guest has ended, because a serial port takes its time.

mod collector;
mod format;
mod page;
mod ring;
mod tracepoint;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinHandle;

use exitlab_model::event::Event;
use exitlab_model::log::{LONGEST_PART, LogPart, LogReading, LogSummary};
use exitlab_model::plan::LogPlan;
use exitlab_model::reasons::ReasonTable;

use super::instance::Instance;
use super::{kernel_fs, trigger};
use crate::events::Events;
use crate::failure::Failure;
use collector::Collector;
use ring::Rings;
use tracepoint::{Heard, Tracepoints};

/// How often events are taken out, of the host's clock.
const PERIOD: Duration = Duration::from_millis(100);

/// An event that is so young, nanoseconds, may be written before an older one of another
/// processor is to be seen.
const YOUNG_NS: u64 = 10_000_000;

/// Most bytes of a format.
const MOST_FORMAT: u64 = 64 << 10;

/// A log that is being kept. Where it is let go before its end, the kernel keeps nothing of it:
/// an instance goes once nobody holds its buffers.
#[derive(Debug)]
pub struct ExitLog {
    /// Nobody else's, so that its buffers are let go before the instance is.
    recorder: Arc<Mutex<Recorder>>,
    taker: JoinHandle<()>,
    instance: Instance,
}

impl ExitLog {
    /// Begins one of every program that this thread starts from now on. Of a QEMU whose every
    /// exit is to be in it it must be called before that is started.
    pub fn begin(plan: LogPlan, reasons: &'static ReasonTable) -> Result<ExitLog, Failure> {
        let instance = Instance::make_for(Some("log"))?;
        let root = instance.dir();
        let tell = |file: &str, words: &str| {
            let path = root.join(file);
            kernel_fs::tell(&path, words).map_err(|e| {
                trigger::failed(format!(
                    "failed to write '{words}' to {}: {e}",
                    path.display()
                ))
            })
        };
        let points = Tracepoints::look(root)?;
        require_usual_events(root)?;
        tell("trace_clock", "boot")?;
        tell("buffer_size_kb", &plan.buffer_kib.to_string())?;
        // What comes when there is no room is lost, not what is there already.
        tell("options/overwrite", "0")?;
        // Only QEMU's threads: those that this one begets, and theirs.
        tell("options/event-fork", "1")?;
        tell(
            "set_event_pid",
            &rustix::thread::gettid().as_raw_nonzero().to_string(),
        )?;
        for name in &points.there {
            tell(&format!("events/kvm/{name}/enable"), "1")?;
        }
        let recorder = Recorder {
            rings: Rings::open(root)?,
            pages: (plan.buffer_kib as usize / 4).max(2),
            collector: Collector::of(reasons, plan.limit),
            points,
            pending: Vec::new(),
            over: false,
            lost: 0,
            failed: None,
        };
        let recorder = Arc::new(Mutex::new(recorder));
        let of_task = Arc::downgrade(&recorder);
        let taker = tokio::spawn(async move {
            loop {
                tokio::time::sleep(PERIOD).await;
                let Some(recorder) = of_task.upgrade() else {
                    return;
                };
                let until = now_ns().saturating_sub(YOUNG_NS);
                lock(&recorder).take(until);
            }
        });
        Ok(ExitLog {
            recorder,
            taker,
            instance,
        })
    }

    /// How far it has come, of a guest that stands still. After the `last` sample nothing more
    /// comes into it.
    pub fn read(&self, last: bool) -> Result<LogReading, String> {
        let mut recorder = lock(&self.recorder);
        recorder.take(u64::MAX);
        if let Some(why) = &recorder.failed {
            return Err(why.clone());
        }
        if last {
            recorder.over = true;
            let path = self.instance.dir().join("tracing_on");
            kernel_fs::tell(&path, "0").map_err(|e| format!("failed to end the log: {e}"))?;
        }
        let reading = recorder.collector.reading().clone();
        let lost = recorder.lost;
        Ok(LogReading { lost, ..reading })
    }

    /// The addresses in the guest from which its exits came.
    pub fn addresses(&self) -> Vec<u64> {
        lock(&self.recorder).collector.addresses()
    }

    /// Ends it and tells all of it, once the guest has ended.
    pub async fn finish(self, events: &Events) -> Result<(), Failure> {
        self.taker.abort();
        let _ = self.taker.await;
        let mutex = Arc::into_inner(self.recorder);
        let recorder =
            mutex.map(|mutex| mutex.into_inner().unwrap_or_else(PoisonError::into_inner));
        if let Some(mut recorder) = recorder {
            recorder.take(u64::MAX);
            recorder.tell(events);
        }
        self.instance.remove()
    }
}

fn lock(recorder: &Mutex<Recorder>) -> MutexGuard<'_, Recorder> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

fn require_usual_events(root: &std::path::Path) -> Result<(), Failure> {
    let path = root.join("events/kvm/kvm_exit/format");
    let text = kernel_fs::text(&path, MOST_FORMAT).unwrap_or_default();
    match tracepoint::is_usual(&text) {
        true => Ok(()),
        false => Err(trigger::failed(format!(
            "{} is not as Linux on x86-64 has it: no log of exits",
            path.display()
        ))),
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// Takes events out of the kernel and makes exits of them.
#[derive(Debug)]
struct Recorder {
    rings: Rings,
    /// Most pages that are taken of each processor at once.
    pages: usize,
    points: Tracepoints,
    collector: Collector,
    /// What was taken out, and is too young to be in its place.
    pending: Vec<Heard>,
    /// Whether what comes now is not of the log.
    over: bool,
    lost: u64,
    /// Why there can be no more.
    failed: Option<String>,
}

impl Recorder {
    /// Takes out what there is, and takes in what is not younger than that.
    fn take(&mut self, until_ns: u64) {
        if self.failed.is_some() {
            return;
        }
        let (points, over, pending) = (&self.points, self.over, &mut self.pending);
        let drained = self.rings.drain(self.pages, |time_ns, data| {
            if !over {
                pending.extend(points.heard(time_ns, data));
            }
        });
        let lost = drained.and_then(|()| self.rings.lost());
        match lost {
            // What is lost behind the end was never of it.
            Ok(lost) if !self.over => self.lost = lost,
            Ok(_) => {}
            Err(why) => self.failed = Some(why),
        }
        // Stable: what one processor wrote at one moment stays in its order.
        self.pending.sort_by_key(|heard| heard.time_ns);
        let old = self
            .pending
            .partition_point(|heard| heard.time_ns <= until_ns);
        for heard in self.pending.drain(..old) {
            self.collector.hear(heard);
        }
    }

    fn tell(self, events: &Events) {
        let left_out = self.collector.reading().left_out;
        let (streams, exits) = self.collector.finish();
        for (vcpu, bytes) in streams {
            for part in bytes.chunks(LONGEST_PART) {
                let bytes = part.to_vec();
                events.emit(Event::Log(LogPart { vcpu, bytes }));
            }
        }
        events.emit(Event::Logged(LogSummary {
            exits,
            left_out,
            lost: self.lost,
            lacks: self.points.lacks,
        }));
    }
}

/// Any bytes as pages of the ring buffer, and any text as a format, for the fuzzer.
#[cfg(any(test, fuzzing))]
pub fn any_ring(data: &[u8], reasons: &'static ReasonTable) {
    let (text, pages) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(0));
    let text = String::from_utf8_lossy(text);
    let points = Tracepoints::of(&|_| Ok(Some(text.clone().into_owned())));
    let points = points.unwrap_or_default();
    let mut collector = Collector::of(reasons, 100);
    for page in pages.chunks(page::BYTES) {
        for (time_ns, data) in page::Events::of(page) {
            if let Some(heard) = points.heard(time_ns, data) {
                collector.hear(heard);
            }
        }
    }
    let _ = collector.addresses();
    let _ = collector.finish();
}

#[cfg(test)]
mod tests;
