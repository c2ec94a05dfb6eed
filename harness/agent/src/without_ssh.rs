//! A guest without SSH: it is started, watched, and sampled by time, by the lines of its
//! console, and at its end.

use std::time::Duration;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::plan::Moment;

use crate::awaited::Found;
use crate::failure::Failure;
use crate::qmp::{Halt, Qmp};
use crate::sample::{Channels, Title};
use crate::watchdog::Watchdog;

/// How long the last lines of a guest that has ended may take to come out of QEMU.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts the guest, whose console tells of the lines that it waits for by `found`, and follows the schedule.
pub async fn run(
    channels: &Channels<'_>,
    found: Found,
    watchdog: &Watchdog,
) -> Result<(), Failure> {
    channels.events.stage(Stage::Sampling);
    let deadlines = &channels.order.deadlines;
    let mut watched = Watched {
        qmp: channels.qmp,
        found,
        lines: 0,
        last_s: 0.0,
        watchdog: watchdog.in_stage(Stage::Sampling, deadlines.exchange_s),
        working: watchdog.in_stage(Stage::Sampling, deadlines.phase_s),
    };
    for (number, moment) in (1..).zip(&channels.order.sampling.schedule) {
        watched.wait_for(moment).await?;
        let label = &moment.label();
        // A phase is called by the moment that ended it.
        let title = Title {
            number,
            label,
            phase: label,
        };
        let clocks = channels.sample(title, None, &watched.watchdog).await?;
        watched.last_s = clocks.host_s;
        if *moment == Moment::Boot {
            watched.qmp.resume(&watched.watchdog).await?;
        }
    }
    Ok(())
}

/// A guest that is only watched.
struct Watched<'a> {
    qmp: &'a Qmp,
    found: Found,
    /// How many lines were waited for.
    lines: usize,
    /// When the last sample was taken, seconds of the host's clock.
    last_s: f64,
    watchdog: Watchdog,
    /// With the deadline for what the guest takes its time for.
    working: Watchdog,
}

impl Watched<'_> {
    async fn wait_for(&mut self, moment: &Moment) -> Result<(), Failure> {
        match moment {
            Moment::Boot => Ok(()),
            Moment::After(seconds) => self.time(self.last_s + seconds).await,
            Moment::Line(text) => self.line(text).await,
            Moment::End => {
                let end = self.working.wait("end of the guest", self.qmp.halted());
                require_end(end.await?, &self.working)
            }
        }
    }

    async fn time(&mut self, until_s: f64) -> Result<(), Failure> {
        let watchdog = &self.watchdog;
        tokio::select! {
            biased;
            slept = watchdog.sleep_until(until_s) => slept,
            end = self.qmp.halted() => {
                let end = end.map_err(|why| watchdog.failure(FailureKind::Protocol, why))?;
                require_end(end, watchdog)?;
                Err(too_early("its next sample was due", watchdog))
            }
        }
    }

    async fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.lines += 1;
        let working = &self.working;
        let wanted = format!("a line that contains '{text}'");
        let seen = async {
            tokio::select! {
                biased;
                seen = is_found(self.found.clone(), self.lines) => Ok(seen),
                end = self.qmp.halted() => {
                    // What it printed last may still be on its way.
                    let rest = is_found(self.found.clone(), self.lines);
                    match tokio::time::timeout(LAST_LINES, rest).await {
                        Ok(seen) => Ok(seen),
                        Err(_) => end.map(|end| Seen::Not(Some(end))),
                    }
                }
            }
        };
        match working
            .wait(&format!("line that contains '{text}'"), seen)
            .await?
        {
            Seen::Yes => Ok(()),
            Seen::Not(Some(end)) => {
                require_end(end, working)?;
                Err(too_early(&format!("it printed {wanted}"), working))
            }
            // Its console is closed: QEMU is gone or about to be.
            Seen::Not(None) => Err(working.gone(&wanted).await),
        }
    }
}

enum Seen {
    Yes,
    /// And why not: how the guest stopped, or that there will be no more lines.
    Not(Option<Halt>),
}

async fn is_found(mut found: Found, lines: usize) -> Seen {
    match found.wait_for(|found| *found >= lines).await {
        Ok(_) => Seen::Yes,
        Err(_) => Seen::Not(None),
    }
}

/// Only a guest that shut down or reset has come to an end.
fn require_end(end: Halt, watchdog: &Watchdog) -> Result<(), Failure> {
    match end {
        Halt::Shutdown => Ok(()),
        Halt::Other(state) => {
            let why = format!("the guest stopped: QEMU calls it {state}");
            Err(watchdog.failure(FailureKind::GuestDied, why))
        }
    }
}

fn too_early(before: &str, watchdog: &Watchdog) -> Failure {
    let verb = if watchdog.panicked() {
        "panicked"
    } else {
        "ended"
    };
    let why = format!("the guest {verb} before {before}");
    watchdog.failure(FailureKind::GuestDied, why)
}
