//! One sample: every channel that is asked for, read at one moment.

use exitlab_model::event::Event;
use exitlab_model::failure::FailureKind;
use exitlab_model::order::Order;
use exitlab_model::planned;
use exitlab_model::record::{
    Channel, Clocks, OwnExits, OwnSource, Sample, Source, StatsReading, TraceReading,
};

use crate::clock::{host_seconds, tsc};
use crate::events::Events;
use crate::failure::Failure;
use crate::kvm_debug;
use crate::qmp::Qmp;
use crate::sampler::Sampler;
use crate::trace::{ExitLog, Trace};
use crate::watchdog::Watchdog;

/// What the channels are read from.
pub struct Channels<'a> {
    /// Says which are asked for.
    pub order: &'a Order,
    /// Reads KVM's statistics.
    pub qmp: &'a Qmp,
    /// Whether they carry the census.
    pub census: bool,
    /// Counts the tracepoint, where that is asked for.
    pub trace: Option<&'a Trace>,
    /// Keeps every exit, where that is asked for.
    pub log: Option<&'a ExitLog>,
    /// Where a sample goes.
    pub events: &'a Events,
}

/// What a sample is called.
pub struct Title<'a> {
    /// From 1 on.
    pub number: u32,
    /// The moment of the schedule, or the phase that it follows.
    pub label: &'a str,
    /// What the guest did before it.
    pub phase: &'a str,
}

impl Channels<'_> {
    /// The addresses in the guest from which exits came so far.
    pub fn addresses(&self) -> Result<Vec<u64>, String> {
        let logged = self.log.map(ExitLog::addresses).unwrap_or_default();
        let Some(trace) = self.trace else {
            return Ok(logged);
        };
        let below = trace.read_details()?.into_iter();
        let places = below.filter(|histogram| histogram.source == Source::Place);
        let entries = places.flat_map(|histogram| histogram.entries);
        let places = entries.map(|[_, address, _]| address);
        Ok(places.chain(logged).collect())
    }

    /// Takes a sample and emits it. The statistics are read before and after the guest reads
    /// its leaves, so that they enclose what the guest saw.
    pub async fn sample(
        &self,
        title: Title<'_>,
        sampler: Option<&mut Sampler>,
        watchdog: &Watchdog,
    ) -> Result<Clocks, Failure> {
        let stats = self.order.reads(Channel::Stats);
        let mut clocks = Clocks {
            guest_s: None,
            host_s: host_seconds(),
            guest_tsc: None,
            host_tsc: tsc(),
            host_end_tsc: None,
        };
        let trace = match self.trace {
            Some(trace) => Some(self.standstill(trace, title.number, watchdog).await?),
            None => None,
        };
        let before = self.stats(stats, watchdog).await?;
        let mut cpuid = None;
        if let Some(sampler) = sampler {
            let sample = sampler.read(watchdog).await?;
            clocks.guest_s = Some(sample.guest_s);
            clocks.guest_tsc = Some(sample.guest_tsc);
            cpuid = Some(sample.reading);
        }
        let after = self.stats(stats && cpuid.is_some(), watchdog).await?;
        clocks.host_end_tsc = Some(tsc());
        self.events.emit(Event::Sample(Box::new(Sample {
            number: title.number,
            label: title.label.to_owned(),
            phase: title.phase.to_owned(),
            clocks,
            trace,
            stats_before: before,
            cpuid,
            stats_after: after,
        })));
        Ok(clocks)
    }

    /// KVM's statistics, if they are wanted.
    pub async fn stats(
        &self,
        wanted: bool,
        watchdog: &Watchdog,
    ) -> Result<Option<StatsReading>, Failure> {
        Ok(if wanted {
            Some(self.qmp.stats(watchdog).await?)
        } else {
            None
        })
    }

    /// Reads tracepoint and statistics while the guest stands still, so that both have
    /// counted the same exits.
    async fn standstill(
        &self,
        trace: &Trace,
        number: u32,
        watchdog: &Watchdog,
    ) -> Result<TraceReading, Failure> {
        // A guest that has not started, or has ended, stands still already.
        let running = self.qmp.running(watchdog).await?;
        if running {
            self.qmp.pause(watchdog).await?;
        }
        let (stats, exits) = if self.census {
            (Some(self.qmp.stats(watchdog).await?), None)
        } else {
            (None, self.own_exits(trace, watchdog).await?)
        };
        let tally = trace
            .read()
            .map_err(|why| watchdog.failure(FailureKind::Host, why))?;
        let details = trace
            .read_details()
            .map_err(|why| watchdog.failure(FailureKind::Host, why))?;
        let durations = trace
            .take_durations()
            .map_err(|why| watchdog.failure(FailureKind::Host, why))?;
        let log = self.log.map(|log| log.read(self.is_last(number)));
        let log = log
            .transpose()
            .map_err(|why| watchdog.failure(FailureKind::Host, why))?;
        if running {
            self.qmp.resume(watchdog).await?;
        }
        Ok(TraceReading {
            vcpus: tally.vcpus(),
            counts: tally.counts,
            other: tally.other,
            dropped: tally.dropped,
            stats,
            exits,
            details,
            durations,
            log,
        })
    }

    fn is_last(&self, number: u32) -> bool {
        let Order {
            sampling,
            phases,
            guest,
            ..
        } = self.order;
        let planned = planned::samples(sampling, phases, guest.ssh);
        planned.last().is_none_or(|last| last.number <= number)
    }

    /// KVM's own count, of whoever tells it.
    async fn own_exits(
        &self,
        trace: &Trace,
        watchdog: &Watchdog,
    ) -> Result<Option<OwnExits>, Failure> {
        let told = self.qmp.exits(watchdog).await?;
        let told = told.map(|exits| (exits, OwnSource::QueryStats));
        let read = || Some((kvm_debug::exits(trace.process())?, OwnSource::Debugfs));
        Ok(told.or_else(read).map(|(exits, source)| OwnExits {
            least: exits,
            most: exits,
            source,
        }))
    }
}
