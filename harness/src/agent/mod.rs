//! The agent runs on the host: it starts QEMU, speaks QMP, logs in to the guest over
//! SSH, follows the schedule, and emits events. The same code for every platform.
//!
//! [`run`] is the story; every other module is one noun of it.

pub mod argv;
mod census;
mod clock;
mod console;
mod events;
mod failure;
mod login;
mod order;
mod qemu;
mod qmp;
mod sampler;
mod vigil;

use std::path::Path;

use crate::config::plan::Moment;
use crate::error::FailureKind;
use crate::event::{Event, PROTOCOL, Stage};
use crate::record::{Channel, Clocks, Inspection, Sample, StatsReading};

use census::Counted;
use clock::{host_seconds, tsc};
use events::Events;
use failure::Failure;
use login::{Door, Login};
pub use order::Order;
use qemu::Qemu;
use qmp::Qmp;
use sampler::Sampler;
use vigil::Vigil;

/// Runs the experiment that `plan` (a file or device) describes and writes events to
/// `events`. Returns whether it came to its good end.
pub async fn run(plan: &Path, events: &Path) -> std::io::Result<bool> {
    let events = Events::open(events)?;
    events.emit(Event::Started {
        protocol: PROTOCOL,
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        cpu: clock::cpu_model(),
        isa: census::isa(),
        host_s: host_seconds(),
        host_tsc: tsc(),
    });
    let pulse = events.pulse();
    let outcome = experiment(plan, &events).await;
    // It holds a sender, and the events close when the last sender is gone.
    pulse.abort();
    let _ = pulse.await;
    let good = match outcome {
        Ok(()) => {
            events.emit(Event::Finished {
                host_s: host_seconds(),
            });
            true
        }
        Err(failure) => {
            events.emit(failure.into_event());
            false
        }
    };
    events.close().await;
    Ok(good)
}

/// The order of everything that happens on the host.
async fn experiment(plan: &Path, events: &Events) -> Result<(), Failure> {
    events.stage(Stage::Host);
    let order = Order::read(plan)?;
    let counted = Counted::here(order.sampling.cycles)?;
    let dir = qemu::private_dir()?;

    events.stage(Stage::Qemu);
    let mut qemu = Qemu::start(&order, dir.path(), events)?;
    let outcome = with_qemu(&order, counted, dir.path(), &qemu.vigil(), events).await;
    // A QEMU that is not asked to quit, because something failed, is killed here.
    qemu.stop().await;
    outcome
}

async fn with_qemu(
    order: &Order,
    counted: Counted,
    dir: &Path,
    vigil: &Vigil,
    events: &Events,
) -> Result<(), Failure> {
    events.stage(Stage::Qmp);
    let vigil = vigil.in_stage(Stage::Qmp, order.deadlines.exchange_s);
    let qmp = Qmp::connect(dir, counted, &vigil).await?;
    events.emit(Event::Qemu {
        version: qmp.version(&vigil).await?,
    });
    qmp.require_census(&vigil).await?;

    events.stage(Stage::Guest);
    let guest = vigil.in_stage(Stage::Guest, order.deadlines.guest_ssh_s);
    let door = Door::of(order).map_err(|why| guest.failure(FailureKind::Protocol, why))?;
    let login = Login::wait(door, &guest).await?;

    events.stage(Stage::Sampling);
    let vigil = vigil.in_stage(Stage::Sampling, order.deadlines.exchange_s);
    if order.sampling.channels.contains(&Channel::Cpuid) {
        let mut sampler = Sampler::start(&login, counted, &vigil).await?;
        events.emit(Event::Discovered(sampler.discovery()));
        events.emit(Event::Statuses {
            statuses: sampler.statuses(&vigil).await?,
        });
        take_samples(order, &qmp, Some(&mut sampler), &vigil, events).await?;
    } else {
        take_samples(order, &qmp, None, &vigil, events).await?;
    }

    events.stage(Stage::Inspecting);
    let vigil = vigil.in_stage(Stage::Inspecting, order.deadlines.exchange_s);
    for command in &order.inspect {
        events.emit(Event::Inspected(
            inspect(command, &qmp, &login, &vigil).await?,
        ));
    }

    events.stage(Stage::Shutdown);
    let vigil = vigil.in_stage(Stage::Shutdown, order.deadlines.exchange_s);
    qmp.quit(&vigil).await
}

/// Follows the schedule. Its moments are moments of the guest's clock where the guest
/// can be asked, else of the host's.
async fn take_samples(
    order: &Order,
    qmp: &Qmp,
    mut sampler: Option<&mut Sampler>,
    vigil: &Vigil,
    events: &Events,
) -> Result<(), Failure> {
    let mut last = None;
    for (number, moment) in (1..).zip(&order.sampling.schedule) {
        if let (Moment::After(seconds), Some(last)) = (moment, last) {
            match sampler.as_deref_mut() {
                Some(sampler) => sampler.wait_until(last + seconds, vigil).await?,
                None => vigil.sleep_until(last + seconds).await?,
            }
        }
        let sample = take_sample(number, moment, order, qmp, sampler.as_deref_mut(), vigil).await?;
        last = Some(sample.clocks.guest_s.unwrap_or(sample.clocks.host_s));
        events.emit(Event::Sample(sample));
    }
    Ok(())
}

async fn take_sample(
    number: u32,
    moment: &Moment,
    order: &Order,
    qmp: &Qmp,
    sampler: Option<&mut Sampler>,
    vigil: &Vigil,
) -> Result<Sample, Failure> {
    let stats = order.sampling.channels.contains(&Channel::Stats);
    let (host_s, host_tsc) = (host_seconds(), tsc());
    let mut clocks = Clocks {
        guest_s: None,
        host_s,
        guest_tsc: None,
        host_tsc,
        host_end_tsc: None,
    };
    let before = read_stats(stats, qmp, vigil).await?;
    let mut cpuid = None;
    if let Some(sampler) = sampler {
        let census = sampler.census(vigil).await?;
        clocks.guest_s = Some(census.guest_s);
        clocks.guest_tsc = Some(census.guest_tsc);
        cpuid = Some(census.reading);
    }
    let after = match cpuid {
        Some(_) => read_stats(stats, qmp, vigil).await?,
        None => None,
    };
    clocks.host_end_tsc = Some(tsc());
    Ok(Sample {
        number,
        label: moment.label(),
        phase: if matches!(moment, Moment::Boot) {
            "boot"
        } else {
            "idle"
        }
        .to_owned(),
        clocks,
        stats_before: before,
        cpuid,
        stats_after: after,
    })
}

async fn read_stats(
    wanted: bool,
    qmp: &Qmp,
    vigil: &Vigil,
) -> Result<Option<StatsReading>, Failure> {
    Ok(if wanted {
        Some(qmp.stats(vigil).await?)
    } else {
        None
    })
}

async fn inspect(
    command: &str,
    qmp: &Qmp,
    login: &Login,
    vigil: &Vigil,
) -> Result<Inspection, Failure> {
    let before = qmp.stats(vigil).await?;
    let output = login.exec(command, vigil).await?;
    let after = qmp.stats(vigil).await?;
    Ok(Inspection {
        command: command.to_owned(),
        exit: output.exit,
        stdout: output.stdout,
        stderr: output.stderr,
        before,
        after,
    })
}
