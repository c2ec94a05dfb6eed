//! Attaching: the exits of a virtual machine that runs already are counted by the tracepoint.
//! It is not asked, stopped or told; everything that is known of it comes from `/proc`, from
//! tracefs and from KVM's statistics in debugfs.

use std::time::Duration;

use tokio::sync::watch;

use exitlab_model::attach::{AttachOrder, phase};
use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::record::{Clocks, OwnExits, OwnSource, Sample, TraceReading};

use crate::census::Counted;
use crate::clock::{host_seconds, tsc};
use crate::events::Events;
use crate::failure::Failure;
use crate::kvm_debug;
use crate::running_vms::{self, Running};
use crate::trace::{self, Trace};

/// How often threads of the VM are looked for, and whether it still runs. Each look is work for
/// the host's kernel, and no vCPU lives so short.
const LOOK: Duration = Duration::from_millis(200);

/// So soon after a sample, seconds, nobody needs another one.
const SOON_S: f64 = 0.01;

/// Lists the host's virtual machines, or counts one of them until its end, until the order's,
/// or until `end` says so.
pub async fn run(
    order: &AttachOrder,
    end: watch::Receiver<bool>,
    events: &Events,
) -> Result<(), Failure> {
    let Some(target) = &order.target else {
        let (machines, all) = running_vms::list();
        events.emit(Event::Machines { machines, all });
        return Ok(());
    };
    let counted = Counted::here(false)?;
    let vm = running_vms::find(target).map_err(|why| failure(FailureKind::NoSuchVm, why))?;
    let before = kvm_debug::exits(vm.found.pid);
    let trace = trace::arm(None)?.of(vm.found.pid, counted.reasons);
    trace.look();
    let begun = Begun {
        before,
        after: kvm_debug::exits(vm.found.pid),
    };
    events.emit(Event::Attached(vm.found.clone()));
    events.stage(Stage::Sampling);
    let outcome = sample(order, end, &vm, &trace, &begun, events).await;
    outcome.and(trace.disarm())
}

fn failure(kind: FailureKind, why: String) -> Failure {
    Failure::new(Stage::Host, kind, why)
}

/// KVM's own count around the moment from which the tracepoint is counted.
struct Begun {
    before: Option<u64>,
    after: Option<u64>,
}

async fn sample(
    order: &AttachOrder,
    mut end: watch::Receiver<bool>,
    vm: &Running,
    trace: &Trace,
    begun: &Begun,
    events: &Events,
) -> Result<(), Failure> {
    let start = host_seconds();
    let last = order.for_s.map_or(f64::INFINITY, |seconds| start + seconds);
    let mut taken = (0, start);
    loop {
        let number = taken.0 + 1;
        let every = order.every_s.unwrap_or(f64::INFINITY);
        let due = (start + every * f64::from(number)).min(last);
        let over = loop {
            trace.look();
            let over = *end.borrow() || !vm.lives() || host_seconds() >= last;
            if over || host_seconds() >= due {
                break over;
            }
            let rest = (due - host_seconds()).clamp(0.0, LOOK.as_secs_f64());
            let _ = tokio::time::timeout(Duration::from_secs_f64(rest), said(&mut end)).await;
        };
        if !over || number == 1 || host_seconds() - taken.1 > SOON_S {
            let sample = read(number, vm, trace, begun);
            let sample = sample.map_err(|why| failure(FailureKind::Host, why))?;
            taken = (number, sample.clocks.host_s);
            events.emit(Event::Sample(Box::new(sample)));
        }
        if over {
            return Ok(());
        }
    }
}

/// Returns when the end is said; who cannot say it any more does not.
async fn said(end: &mut watch::Receiver<bool>) {
    if end.wait_for(|end| *end).await.is_err() {
        std::future::pending().await
    }
}

fn read(number: u32, vm: &Running, trace: &Trace, begun: &Begun) -> Result<Sample, String> {
    let (host_s, host_tsc) = (host_seconds(), tsc());
    let least = kvm_debug::exits(vm.found.pid);
    let tally = trace.read()?;
    let most = kvm_debug::exits(vm.found.pid);
    Ok(Sample {
        number,
        label: phase(number),
        phase: phase(number),
        clocks: Clocks {
            guest_s: None,
            host_s,
            guest_tsc: None,
            host_tsc,
            host_end_tsc: Some(tsc()),
        },
        trace: Some(TraceReading {
            vcpus: tally.vcpus(),
            counts: tally.counts,
            other: tally.other,
            dropped: tally.dropped,
            stats: None,
            exits: begun.own(least, most, vm.vcpus()),
            details: Vec::new(),
            durations: None,
            log: None,
        }),
        stats_before: None,
        cpuid: None,
        stats_after: None,
    })
}

impl Begun {
    /// KVM's count since then, by its counts just before and just after a reading. An exit is
    /// in the tracepoint a few instructions before it is in KVM's count, so each vCPU may be
    /// between the two, then and now.
    fn own(&self, least: Option<u64>, most: Option<u64>, vcpus: u64) -> Option<OwnExits> {
        let least = least?.saturating_sub(self.after?).saturating_sub(vcpus);
        let most = most?.saturating_sub(self.before?).saturating_add(vcpus);
        Some(OwnExits {
            least,
            most,
            source: OwnSource::Debugfs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvms_own_count_is_known_up_to_what_happened_while_it_was_asked() {
        let begun = Begun {
            before: Some(100),
            after: Some(103),
        };
        let own = begun.own(Some(1103), Some(1110), 2).unwrap();
        assert_eq!((own.least, own.most), (998, 1012));
        assert_eq!(begun.own(None, Some(1), 1), None);
    }
}
