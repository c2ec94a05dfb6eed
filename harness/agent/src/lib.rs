//! The agent runs on the host: it starts QEMU, speaks QMP, logs in to the guest over
//! SSH, follows the schedule, and emits events. The same code for every platform.
//!
//! [`run`] is the story; every other module is one noun of it.

mod argv;
mod census;
mod clock;
mod console;
mod events;
mod failure;
pub mod keys;
mod leash;
mod login;
mod parameters;
mod private_dir;
mod qemu;
mod qmp;
mod sampler;
#[cfg(test)]
mod scripted;
mod secrets;
mod seed;
mod task;
mod trace;
mod trial;
mod watchdog;
mod watched;
mod workload;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use exitlab_model::event::{Event, PROTOCOL, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::order::{Order, Task};
use exitlab_model::plan::Moment;
use exitlab_model::record::{Channel, Clocks, Inspection, Sample, StatsReading, TraceReading};

use census::Counted;
use clock::{host_seconds, tsc};
use events::Events;
use failure::Failure;
use leash::Leash;
use login::{Login, SshTarget};
use private_dir::PrivateDir;
pub use private_dir::sweep;
use qemu::Qemu;
use qmp::Qmp;
use sampler::Sampler;
use trace::Trace;
use watchdog::Watchdog;

/// How long the last events may take on their way out.
const FAREWELL: Duration = Duration::from_secs(10);

/// On a host that was booted for it, carries out the task that `plan` (a file or device)
/// describes and writes events to `events`. Returns whether it came to its good end.
pub async fn run(plan: &Path, events: &Path) -> std::io::Result<bool> {
    let events = Events::open(events)?;
    let work = async {
        let task = task::read(plan)?;
        carry_out(task, PrivateDir::in_temp, &events).await
    };
    let good = report(work, &events).await;
    events.close().await;
    Ok(good)
}

/// On a machine that is used as it is, carries out the task that comes by standard input,
/// writes events to standard output, and works in a directory of its own below `place`.
/// Stops, and leaves nothing behind, when nobody is left to work for. Returns whether the
/// task came to its good end.
pub async fn run_on_leash(place: &Path) -> std::io::Result<bool> {
    let events = Events::stdout()?;
    let mut leash = Leash::hold();
    let work = async {
        let task = leash.task().await?;
        tokio::select! {
            outcome = carry_out(task, || PrivateDir::below(place), &events) => outcome,
            failure = leash.let_go() => Err(failure),
        }
    };
    let good = report(work, &events).await;
    // Nobody may be left to read the rest.
    let _ = tokio::time::timeout(FAREWELL, events.close()).await;
    Ok(good)
}

/// Tells of the agent, and of the work's end.
async fn report(work: impl Future<Output = Result<(), Failure>>, events: &Events) -> bool {
    events.emit(Event::Started {
        protocol: PROTOCOL,
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        cpu: clock::cpu_model(),
        isa: census::isa(),
        emulates: census::emulates(),
        host_s: host_seconds(),
        host_tsc: tsc(),
    });
    let pulse = events.pulse();
    let outcome = work.await;
    // It holds a sender, and the events close when the last sender is gone.
    pulse.abort();
    let _ = pulse.await;
    match outcome {
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
    }
}

/// The order of everything that happens on the host.
async fn carry_out(
    task: Task,
    private_dir: impl FnOnce() -> Result<PrivateDir, Failure>,
    events: &Events,
) -> Result<(), Failure> {
    events.stage(Stage::Host);
    let order = match task {
        Task::Experiment(order) => order,
        Task::Trial(order) => return trial::run(order, events).await,
    };
    let _pulse = order
        .pulse_s
        .map(|seconds| events.quick_pulse(Duration::from_secs_f64(seconds)));
    let counted = Counted::here(order.sampling.cycles)?;
    if !order.kvm.is_empty() {
        let parameters = parameters::verify(&order.kvm, counted.reasons.isa())?;
        events.emit(Event::Parameters { parameters });
    }
    let private_dir = private_dir()?;
    let dir = private_dir.path();

    // Before QEMU starts, so that its very first exit is counted.
    let armed = if order.reads(Channel::Trace) {
        Some(trace::arm()?)
    } else {
        None
    };

    events.stage(Stage::Qemu);
    let mut qemu = Qemu::start(&order, dir, events)?;
    let trace = armed.map(|armed| armed.of(qemu.process(), counted.reasons));
    let outcome = with_qemu(&order, counted, dir, trace.as_ref(), &mut qemu, events).await;
    // A QEMU that is not asked to quit, because something failed, is killed here.
    qemu.stop().await;
    // The first failure is the cause.
    outcome.and(trace.map_or(Ok(()), Trace::disarm))
}

async fn with_qemu(
    order: &Order,
    counted: Counted,
    dir: &Path,
    trace: Option<&Trace>,
    qemu: &mut Qemu,
    events: &Events,
) -> Result<(), Failure> {
    events.stage(Stage::Qmp);
    let watchdog = qemu
        .watchdog()
        .in_stage(Stage::Qmp, order.deadlines.exchange_s);
    let qmp = Qmp::connect(&qemu::qmp_socket(dir), counted, &watchdog).await?;
    events.emit(Event::Qemu {
        version: qmp.version(&watchdog).await?,
    });
    // Without a channel nothing is read, and any KVM will do.
    if !order.sampling.channels.is_empty() {
        qmp.require_census(&watchdog).await?;
    }
    let census = Census {
        order,
        qmp: &qmp,
        trace,
    };
    match qemu.lines().filter(|_| !order.guest.ssh) {
        Some(lines) => watched::run(&census, lines, &watchdog, events).await?,
        None => with_guest(&census, counted, &watchdog, events).await?,
    }

    events.stage(Stage::Shutdown);
    let watchdog = watchdog.in_stage(Stage::Shutdown, order.deadlines.exchange_s);
    qmp.quit(&watchdog).await
}

/// A guest that lets us in.
async fn with_guest(
    census: &Census<'_>,
    counted: Counted,
    watchdog: &Watchdog,
    events: &Events,
) -> Result<(), Failure> {
    let order = census.order;
    events.stage(Stage::Guest);
    let guest = watchdog.in_stage(Stage::Guest, order.deadlines.guest_ssh_s);
    let port = census.qmp.ssh_port(&guest).await?;
    let target =
        SshTarget::of(order, port).map_err(|why| guest.failure(FailureKind::Protocol, why))?;
    let login = Login::wait(target, &guest).await?;

    events.stage(Stage::Sampling);
    let watchdog = watchdog.in_stage(Stage::Sampling, order.deadlines.exchange_s);
    if order.reads(Channel::Cpuid) {
        let mut sampler = Sampler::start(&login, counted, &watchdog).await?;
        events.emit(Event::Discovered(sampler.discovery()));
        events.emit(Event::Statuses {
            statuses: sampler.statuses(&watchdog).await?,
        });
        census
            .samples(Some(&mut sampler), &watchdog, events)
            .await?;
        census
            .phases(Some(&mut sampler), &login, &watchdog, events)
            .await?;
    } else if !order.sampling.channels.is_empty() {
        census.samples(None, &watchdog, events).await?;
        census.phases(None, &login, &watchdog, events).await?;
    }

    events.stage(Stage::Inspecting);
    let watchdog = watchdog.in_stage(Stage::Inspecting, order.deadlines.exchange_s);
    for command in &order.inspect {
        events.emit(Event::Inspected(
            census.inspect(command, &login, &watchdog).await?,
        ));
    }
    Ok(())
}

/// What the channels are read from.
struct Census<'a> {
    order: &'a Order,
    qmp: &'a Qmp,
    trace: Option<&'a Trace>,
}

/// What a sample is called.
struct Title<'a> {
    number: u32,
    label: &'a str,
    phase: &'a str,
}

impl Census<'_> {
    /// Follows the schedule. Its moments are moments of the guest's clock where the guest
    /// can be asked, else of the host's.
    async fn samples(
        &self,
        mut sampler: Option<&mut Sampler>,
        watchdog: &Watchdog,
        events: &Events,
    ) -> Result<(), Failure> {
        let mut last = None;
        for (number, moment) in (1..).zip(&self.order.sampling.schedule) {
            if let (Moment::After(seconds), Some(last)) = (moment, last) {
                match sampler.as_deref_mut() {
                    Some(sampler) => sampler.wait_until(last + seconds, watchdog).await?,
                    None => watchdog.sleep_until(last + seconds).await?,
                }
            }
            let phase = match moment {
                Moment::Boot => "boot",
                Moment::After(_) => "idle",
                // A guest without SSH has those (`watched`).
                Moment::Line(_) | Moment::End => "run",
            };
            let title = Title {
                number,
                label: &moment.label(),
                phase,
            };
            let sample = self.sample(title, sampler.as_deref_mut(), watchdog).await?;
            last = Some(sample.clocks.guest_s.unwrap_or(sample.clocks.host_s));
            events.emit(Event::Sample(Box::new(sample)));
        }
        Ok(())
    }

    /// Runs each phase's workload and takes a sample after it.
    async fn phases(
        &self,
        mut sampler: Option<&mut Sampler>,
        login: &Login,
        watchdog: &Watchdog,
        events: &Events,
    ) -> Result<(), Failure> {
        let working = watchdog.in_stage(Stage::Workload, self.order.deadlines.phase_s);
        let first = self.order.sampling.schedule.len() as u32 + 1;
        for (number, phase) in (first..).zip(&self.order.phases) {
            events.emit(Event::Phase {
                name: phase.name.clone(),
                host_s: host_seconds(),
            });
            workload::run(phase, login, &working).await?;
            let title = Title {
                number,
                label: &phase.name,
                phase: &phase.name,
            };
            let sample = self.sample(title, sampler.as_deref_mut(), watchdog).await?;
            events.emit(Event::Sample(Box::new(sample)));
        }
        Ok(())
    }

    async fn sample(
        &self,
        title: Title<'_>,
        sampler: Option<&mut Sampler>,
        watchdog: &Watchdog,
    ) -> Result<Sample, Failure> {
        let stats = self.order.reads(Channel::Stats);
        let (host_s, host_tsc) = (host_seconds(), tsc());
        let mut clocks = Clocks {
            guest_s: None,
            host_s,
            guest_tsc: None,
            host_tsc,
            host_end_tsc: None,
        };
        let trace = match self.trace {
            Some(trace) => Some(self.standstill(trace, watchdog).await?),
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
        Ok(Sample {
            number: title.number,
            label: title.label.to_owned(),
            phase: title.phase.to_owned(),
            clocks,
            trace,
            stats_before: before,
            cpuid,
            stats_after: after,
        })
    }

    /// Reads tracepoint and statistics while the guest stands still, so that both have
    /// counted the same exits.
    async fn standstill(
        &self,
        trace: &Trace,
        watchdog: &Watchdog,
    ) -> Result<TraceReading, Failure> {
        // A guest that has not started, or has ended, stands still already.
        let running = self.qmp.running(watchdog).await?;
        if running {
            self.qmp.pause(watchdog).await?;
        }
        let stats = self.qmp.stats(watchdog).await?;
        let tally = trace
            .read()
            .map_err(|why| watchdog.failure(FailureKind::Host, why))?;
        if running {
            self.qmp.resume(watchdog).await?;
        }
        Ok(TraceReading {
            counts: tally.counts,
            other: tally.other,
            stats,
        })
    }

    async fn stats(
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

    async fn inspect(
        &self,
        command: &str,
        login: &Login,
        watchdog: &Watchdog,
    ) -> Result<Inspection, Failure> {
        let census = !self.order.sampling.channels.is_empty();
        let before = self.stats(census, watchdog).await?;
        let output = login.exec(command, watchdog).await?;
        let after = self.stats(census, watchdog).await?;
        Ok(Inspection {
            command: command.to_owned(),
            exit: output.exit,
            stdout: output.stdout,
            stderr: output.stderr,
            before,
            after,
        })
    }
}
