//! A guest that lets us in: it is asked for its counters, runs the phases' workloads and the
//! commands of `inspect`.

use exitlab_base::bounded::shortened;
use exitlab_model::event::{Event, Stage};
use exitlab_model::failure::FailureKind;
use exitlab_model::plan::Moment;
use exitlab_model::record::{Channel, Inspection};
use exitlab_model::symbols::{Mappings, Symbols, Told};

use crate::census::Counted;
use crate::clock::host_seconds;
use crate::failure::Failure;
use crate::login::SshTarget;
use crate::sample::{Channels, Title};
use crate::sampler::Sampler;
use crate::shell::{End, Printed, Shell, exec, last_lines};
use crate::watchdog::Watchdog;
use crate::workload;

/// Bytes that are kept of what a command of `inspect` prints, of each stream.
const MOST_PRINTED: usize = 512 << 10;

/// What tells the addresses of the guest's kernel.
const SYMBOLS: &str = "cat /proc/kallsyms";

/// Bytes of that that are kept: a distribution's kernel with its modules has 15 million.
const MOST_SYMBOLS: usize = 32 << 20;

/// What tells which files its programs execute, and where. Kernel threads have no `exe`, and who
/// is not root sees its own programs only.
const PROGRAMS: &str = "for p in /proc/[0-9]*; do [ -e $p/exe ] && read -r name < $p/comm && \
     echo \"@ $name\" && cat $p/maps; done 2> /dev/null; true";

/// Bytes of that that are kept: a desktop's three hundred programs have as many.
const MOST_PROGRAMS: usize = 16 << 20;

/// Characters that are kept of why it did not.
const MOST_SAID: usize = 200;

/// Waits until the guest's SSH server lets us in, which is for `reach` to try.
pub async fn log_in<S: Shell>(
    channels: &Channels<'_>,
    watchdog: &Watchdog,
    reach: impl AsyncFnOnce(SshTarget, &Watchdog) -> Result<S, Failure>,
) -> Result<S, Failure> {
    let order = channels.order;
    channels.events.stage(Stage::Guest);
    let guest = watchdog.in_stage(Stage::Guest, order.deadlines.guest_ssh_s);
    let port = channels.qmp.ssh_port(&guest).await?;
    let target = SshTarget::of(order, port);
    let target = target.map_err(|why| guest.failure(FailureKind::Protocol, why))?;
    reach(target, &guest).await
}

/// Follows the schedule, then the phases, then looks around.
pub async fn run(
    channels: &Channels<'_>,
    counted: Counted,
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<(), Failure> {
    let (order, events) = (channels.order, channels.events);
    let exchange_s = order.deadlines.exchange_s;
    events.stage(Stage::Sampling);
    let sampling = watchdog.in_stage(Stage::Sampling, exchange_s);
    if order.reads(Channel::Cpuid) {
        let mut sampler = Sampler::start(shell, counted, &sampling).await?;
        events.emit(Event::Discovered(sampler.discovery()));
        events.emit(Event::Statuses {
            statuses: sampler.statuses(&sampling).await?,
        });
        schedule(channels, Some(&mut sampler), &sampling).await?;
        phases(channels, Some(&mut sampler), shell, &sampling).await?;
    } else if !order.sampling.channels.is_empty() {
        schedule(channels, None, &sampling).await?;
        phases(channels, None, shell, &sampling).await?;
    }
    events.stage(Stage::Inspecting);
    let inspecting = watchdog.in_stage(Stage::Inspecting, exchange_s);
    for command in &order.inspect {
        let found = inspect(channels, command, shell, &inspecting).await?;
        events.emit(Event::Inspected(found));
    }
    if order.sampling.places || order.sampling.log.is_some() {
        let told = names(channels, shell, &inspecting).await?;
        events.emit(Event::Symbols(told));
    }
    Ok(())
}

/// Follows the schedule. Its moments are moments of the guest's clock where the guest can be
/// asked, else of the host's.
async fn schedule(
    channels: &Channels<'_>,
    mut sampler: Option<&mut Sampler>,
    watchdog: &Watchdog,
) -> Result<(), Failure> {
    let mut last = None;
    for (number, moment) in (1..).zip(&channels.order.sampling.schedule) {
        if let (Moment::After(seconds), Some(last)) = (moment, last) {
            match sampler.as_deref_mut() {
                Some(sampler) => sampler.wait_until(last + seconds, watchdog).await?,
                None => watchdog.sleep_until(last + seconds).await?,
            }
        }
        let phase = match moment {
            Moment::Boot => "boot",
            Moment::After(_) => "idle",
            // Only a guest without SSH has those.
            Moment::Line(_) | Moment::End => "run",
        };
        let label = &moment.label();
        let title = Title {
            number,
            label,
            phase,
        };
        let taken = channels.sample(title, sampler.as_deref_mut(), watchdog);
        let clocks = taken.await?;
        last = Some(clocks.guest_s.unwrap_or(clocks.host_s));
    }
    Ok(())
}

/// Runs each phase's workload and takes a sample after it.
async fn phases(
    channels: &Channels<'_>,
    mut sampler: Option<&mut Sampler>,
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<(), Failure> {
    let order = channels.order;
    let working = watchdog.in_stage(Stage::Workload, order.deadlines.phase_s);
    let first = order.sampling.schedule.len() as u32 + 1;
    for (number, phase) in (first..).zip(&order.phases) {
        channels.events.emit(Event::Phase {
            name: phase.name.clone(),
            host_s: host_seconds(),
        });
        if let Some(left) = workload::run(phase, shell, &working).await? {
            channels.events.emit(Event::LeftBehind(left));
        }
        let title = Title {
            number,
            label: &phase.name,
            phase: &phase.name,
        };
        let taken = channels.sample(title, sampler.as_deref_mut(), watchdog);
        taken.await?;
    }
    Ok(())
}

/// What names the places that were counted. A guest that does not tell it is no failure.
async fn names(
    channels: &Channels<'_>,
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<Told, Failure> {
    let symbols = symbols(shell, watchdog).await?;
    let mappings = programs(shell, watchdog).await?;
    let seen = channels.addresses();
    let seen = seen.map_err(|why| watchdog.failure(FailureKind::Host, why))?;
    let mappings = mappings.of(seen.iter().copied());
    let (symbols, lacks) = match symbols {
        Ok(all) => (all.of(seen).iter().cloned().collect(), None),
        Err(why) => (Vec::new(), Some(why)),
    };
    Ok(Told {
        symbols,
        mappings,
        lacks,
    })
}

/// The kernel's own table: its addresses are those of this boot, wherever the kernel was put, and
/// its modules are in it. A guest may have none, or hide it.
async fn symbols(
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<Result<Symbols, String>, Failure> {
    let printed = Printed::up_to(MOST_SYMBOLS);
    let end = exec(shell, SYMBOLS, "the guest's symbols", &printed, watchdog).await?;
    let (stdout, stderr) = printed.texts();
    if end != End::Exit(0) {
        let said = shortened(stderr.trim(), MOST_SAID);
        return Ok(Err(format!("`{SYMBOLS}` in the guest: {end}: {said}")));
    }
    let parsed = Symbols::parse(&stdout);
    Ok(parsed.map_err(|why| format!("/proc/kallsyms of the guest: {why}")))
}

/// What programs execute, of those that run now.
async fn programs(shell: &dyn Shell, watchdog: &Watchdog) -> Result<Mappings, Failure> {
    let printed = Printed::up_to(MOST_PROGRAMS);
    exec(shell, PROGRAMS, "the guest's programs", &printed, watchdog).await?;
    let (stdout, _) = printed.texts();
    Ok(Mappings::parse(&stdout))
}

async fn inspect(
    channels: &Channels<'_>,
    command: &str,
    shell: &dyn Shell,
    watchdog: &Watchdog,
) -> Result<Inspection, Failure> {
    let counts = channels.census;
    let before = channels.stats(counts, watchdog).await?;
    let printed = Printed::up_to(MOST_PRINTED);
    let end = exec(shell, command, command, &printed, watchdog).await;
    let (stdout, stderr) = printed.texts();
    let end = end.map_err(|mut failure| {
        failure.tail.extend(last_lines(&stdout, &stderr));
        failure
    })?;
    let after = channels.stats(counts, watchdog).await?;
    let (exit, signal) = match end {
        End::Exit(status) => (status, None),
        // As shells tell it.
        End::Signal(number) => (128 + number, Some(number)),
    };
    Ok(Inspection {
        command: command.to_owned(),
        exit,
        signal,
        stdout,
        stderr,
        before,
        after,
    })
}
