//! The agent runs on the host: it starts QEMU, speaks QMP, logs in to the guest over
//! SSH, follows the schedule, and emits events. The same code for every platform.
//!
//! `experiment` is the story; every other module is one noun of it.

mod argv;
mod attach;
mod awaited;
mod census;
mod clock;
mod console;
mod conversation;
mod events;
mod experiment;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod keys;
mod kvm_debug;
mod leash;
mod leftovers;
mod login;
mod no_kvm;
mod parameters;
mod private_dir;
mod qemu;
mod qmp;
mod running_vms;
mod sample;
mod sampler;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod scripted_guest;
mod secrets;
mod seed;
mod shell;
mod signals;
mod spin;
mod task;
mod trace;
mod trial;
mod watchdog;
mod with_ssh;
mod without_ssh;
mod workload;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use exitlab_base::panics;
use exitlab_model::event::{Event, PROTOCOL, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::order::Task;

use clock::{host_seconds, tsc};
use events::Events;
use failure::Failure;
use leash::Leash;
use private_dir::PrivateDir;

/// Clears away what killed agents left on this machine, below `place` and in the kernel.
///
/// # Errors
///
/// If the directory of agents cannot be locked.
pub fn sweep(place: &Path) -> exitlab_base::error::Result<()> {
    trace::sweep();
    private_dir::sweep(place)
}

/// How long the last events may take on their way out.
const FAREWELL: Duration = Duration::from_secs(10);

/// On a host that was booted for it, carries out the task that `plan` (a file or device)
/// describes and writes events to `events`. Returns whether it came to its good end.
pub async fn run(plan: &Path, events: &Path) -> std::io::Result<bool> {
    let events = Events::open(events)?;
    let work = async {
        let task = task::read(plan)?;
        let (_never, end) = watch::channel(false);
        carry_out(task, PrivateDir::in_temp, end, &events).await
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
        let end = leash.end();
        tokio::select! {
            outcome = carry_out(task, || PrivateDir::below(place), end, &events) => outcome,
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
    let outcome = panics::caught(work).await.unwrap_or_else(|words| {
        let message = format!("the agent panicked, which is a mistake of exitlab's: {words}");
        Err(Failure::new(Stage::Host, FailureKind::Panic, message))
    });
    // It holds a sender, and the events close when the last sender is gone.
    pulse.abort();
    let _ = pulse.await;
    match outcome {
        Ok(()) => {
            events.emit(Event::finished(host_seconds()));
            true
        }
        Err(failure) => {
            events.emit(failure.into_event());
            false
        }
    }
}

async fn carry_out(
    task: Task,
    private_dir: impl FnOnce() -> Result<PrivateDir, Failure>,
    end: watch::Receiver<bool>,
    events: &Events,
) -> Result<(), Failure> {
    events.stage(Stage::Host);
    match task {
        Task::Experiment(order) => experiment::run(&order, private_dir, events).await,
        Task::Trial(order) => trial::run(order, events).await,
        Task::Attach(order) => attach::run(&order, end, events).await,
    }
}
