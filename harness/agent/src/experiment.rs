//! An experiment, from the first look at the host to QEMU's end: the order of everything that
//! happens.
//!
//! ```text
//! host ─► tracepoint armed ─► QEMU ─► QMP ─► guest ─► samples, phases, looks ─► quit
//! ```

use std::path::Path;
use std::time::Duration;

use exitlab_model::event::{Event, Stage};
use exitlab_model::order::Order;
use exitlab_model::record::Channel;

use crate::awaited::Found;
use crate::census::Counted;
use crate::events::Events;
use crate::failure::Failure;
use crate::login::{Login, SshTarget};
use crate::private_dir::PrivateDir;
use crate::qemu::{Qemu, qmp_socket};
use crate::qmp::Qmp;
use crate::sample::Channels;
use crate::shell::Shell;
use crate::trace::{self, ExitLog, Trace};
use crate::watchdog::Watchdog;
use crate::{census, no_kvm, parameters, with_ssh, without_ssh};

/// Carries out an order, in a directory that `private_dir` makes.
pub async fn run(
    order: &Order,
    private_dir: impl FnOnce() -> Result<PrivateDir, Failure>,
    events: &Events,
) -> Result<(), Failure> {
    let _pulse = order
        .pulse_s
        .map(|seconds| events.quick_pulse(Duration::from_secs_f64(seconds)));
    // Before anything that speaks of KVM, and would name only what lacks for want of it.
    no_kvm::require(Stage::Host)?;
    let counted = Counted::here(order.sampling.cycles)?;
    let order = &chosen(order, census::is_here(), events);
    if !order.kvm.is_empty() {
        let parameters = parameters::verify(&order.kvm, counted.reasons.isa())?;
        events.emit(Event::Parameters { parameters });
    }
    let private_dir = private_dir()?;
    let dir = private_dir.path();

    // Before QEMU starts, so that its very first exit is counted.
    let armed = if order.reads(Channel::Trace) {
        Some(trace::arm(Some(trace::Below {
            isa: counted.reasons.isa(),
            detail: order.sampling.detail,
            places: order.sampling.places,
            time: order.sampling.time,
            vcpus: order.guest.vcpus,
        }))?)
    } else {
        None
    };

    let log = order
        .sampling
        .log
        .map(|plan| ExitLog::begin(plan, counted.reasons));
    let log = log.transpose()?;

    events.stage(Stage::Qemu);
    let mut qemu = Qemu::start(order, dir, events)?;
    let trace = armed.map(|armed| armed.of(qemu.process(), counted.reasons));
    let started = Started {
        order,
        counted,
        trace: trace.as_ref(),
        log: log.as_ref(),
        found: qemu.found().filter(|_| !order.guest.ssh),
        watchdog: qemu.watchdog(),
        events,
    };
    let outcome = started.carry_out(&qmp_socket(dir), Login::wait).await;
    // A QEMU that is not asked to quit, because something failed, is killed here.
    qemu.stop().await;
    let told = match log {
        Some(log) => log.finish(events).await,
        None => Ok(()),
    };
    // The first failure is the cause.
    outcome.and(told).and(trace.map_or(Ok(()), Trace::disarm))
}

/// An order whose channels are those of this host, if that is left to it.
fn chosen(order: &Order, census: bool, events: &Events) -> Order {
    let mut order = order.clone();
    if order.sampling.auto {
        if !census {
            order.sampling.channels = vec![Channel::Trace];
        }
        let channels = order.sampling.channels.clone();
        events.emit(Event::Channels { channels });
    }
    order
}

/// A QEMU that was started, and what is to be done with it.
struct Started<'a> {
    order: &'a Order,
    counted: Counted,
    trace: Option<&'a Trace>,
    log: Option<&'a ExitLog>,
    /// Which lines the guest's console has printed, where that is all that is seen of it.
    found: Option<Found>,
    watchdog: Watchdog,
    events: &'a Events,
}

impl Started<'_> {
    /// Opens QMP at `socket` and the guest by `reach`, has everything done, and ends QEMU.
    async fn carry_out<S: Shell>(
        self,
        socket: &Path,
        reach: impl AsyncFnOnce(SshTarget, &Watchdog) -> Result<S, Failure>,
    ) -> Result<(), Failure> {
        let Started {
            order,
            counted,
            trace,
            log,
            found,
            watchdog,
            events,
        } = self;
        let exchange_s = order.deadlines.exchange_s;
        events.stage(Stage::Qmp);
        let opening = watchdog.in_stage(Stage::Qmp, exchange_s);
        let qmp = &Qmp::connect(socket, counted, &opening).await?;
        events.emit(Event::Qemu {
            version: qmp.version(&opening).await?,
        });
        let channels = &order.sampling.channels;
        // Without a channel nothing is read, and any KVM will do.
        let census = !channels.is_empty() && qmp.has_census(&opening).await?;
        if !census && channels.iter().any(|channel| *channel != Channel::Trace) {
            return Err(census::missing(&opening));
        }
        let channels = Channels {
            order,
            qmp,
            census,
            trace,
            log,
            events,
        };
        match found {
            Some(found) => without_ssh::run(&channels, found, &watchdog).await?,
            None => {
                let shell = with_ssh::log_in(&channels, &watchdog, reach).await?;
                with_ssh::run(&channels, counted, &shell, &watchdog).await?;
            }
        }
        if order.sampling.detail || log.is_some() {
            // Devices are where firmware and guest have put them by now, and nothing that the
            // guest does is counted any more.
            let inspecting = watchdog.in_stage(Stage::Inspecting, exchange_s);
            events.emit(Event::Map(qmp.address_map(&inspecting).await?));
        }
        events.stage(Stage::Shutdown);
        qmp.quit(&watchdog.in_stage(Stage::Shutdown, exchange_s))
            .await
    }
}

#[cfg(test)]
mod tests;
