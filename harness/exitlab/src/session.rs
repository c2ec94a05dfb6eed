//! A session with a host: it is started, listened to until its agent's last event, and
//! brought to its end.

use std::future::Future;
use std::pin::{Pin, pin};

use crate::results::Results;
use crate::ui::Ui;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_host::platform::{self, Boot, Machine, Report};
use exitlab_model::event::Event;
use exitlab_model::failure::FailureKind;
use exitlab_model::order::Task;
use exitlab_model::plan::Plan;

/// What a session is held with.
pub struct Session<'a> {
    /// What is run, and where.
    pub plan: &'a Plan,
    /// What the host boots from; none for a machine that is not booted.
    pub boot: Option<Boot<'a>>,
    /// What the agent is to do.
    pub task: Task,
    /// The cache.
    pub cache: &'a Cache,
    /// Where logs go.
    pub results: &'a mut Results,
    /// Who is shown what happens.
    pub ui: &'a mut Ui,
}

impl Session<'_> {
    /// Holds the session. `heard` is told every event, before anything follows from it.
    pub async fn hold(self, heard: &mut impl FnMut(&Event, &Results) -> Result<()>) -> Result<()> {
        self.hold_until(std::future::pending(), heard).await
    }

    /// The same, and asks the agent for its good end once `until` has come.
    pub async fn hold_until(
        self,
        until: impl Future<Output = ()>,
        heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
    ) -> Result<()> {
        let mut until = pin!(until);
        let words = platform::words(self.plan.platform);
        self.ui.stage(words.start);
        let dir = self.results.machine_dir();
        let ui = &*self.ui;
        let note = |text: &str| ui.note(text);
        let start = platform::start(self.plan, self.boot, &self.task, self.cache, &dir, &note);
        let machine = tokio::select! {
            machine = start => machine?,
            () = &mut until => return Err(Error::Interrupted),
        };
        attend(machine, words.end, self.results, self.ui, until, heard).await
    }
}

/// A host as a session knows it: a real one, or a script in tests.
trait Host {
    /// The next thing it says.
    async fn next(&mut self) -> Result<Report>;
    /// Asks its agent for its good end.
    fn ask_to_end(&mut self);
    /// Waits for its end after its agent's good one; what it said meanwhile.
    async fn power_off(self) -> Result<Vec<Result<Report>>>;
    /// Ends it at once.
    async fn stop(self) -> Result<()>;
}

impl Host for Machine {
    async fn next(&mut self) -> Result<Report> {
        Machine::next(self).await
    }

    fn ask_to_end(&mut self) {
        Machine::ask_to_end(self);
    }

    async fn power_off(self) -> Result<Vec<Result<Report>>> {
        Machine::power_off(self).await
    }

    async fn stop(self) -> Result<()> {
        Machine::stop(self).await
    }
}

/// Listens to a host, and brings it to its end, whichever that is.
async fn attend<H: Host>(
    mut host: H,
    last_stage: &str,
    results: &mut Results,
    ui: &mut Ui,
    until: Pin<&mut impl Future<Output = ()>>,
    heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
) -> Result<()> {
    match listen(&mut host, results, ui, until, heard).await {
        Ok(()) => {
            ui.stage(last_stage);
            for report in host.power_off().await? {
                // An event that comes now is an error: the last one came.
                if let Report::Console(line) = report? {
                    results.host_console(&line)?;
                }
            }
            Ok(())
        }
        Err(error) => {
            // The first error is the cause.
            let _ = host.stop().await;
            Err(error)
        }
    }
}

/// Takes in what the host says until its agent's last event.
async fn listen<H: Host>(
    host: &mut H,
    results: &mut Results,
    ui: &mut Ui,
    mut until: Pin<&mut impl Future<Output = ()>>,
    heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
) -> Result<()> {
    let mut asked = false;
    loop {
        let report = tokio::select! {
            report = host.next() => report?,
            () = &mut until, if !asked => {
                asked = true;
                host.ask_to_end();
                continue;
            }
        };
        let event = match report {
            Report::Console(line) => {
                results.host_console(&line)?;
                ui.host_console(&line);
                continue;
            }
            Report::Event(event) => event,
        };
        results.event(&event)?;
        ui.event(&event);
        heard(&event, results)?;
        match *event {
            Event::Finished { .. } => return Ok(()),
            Event::Failed {
                stage,
                kind,
                message,
                tail,
            } => {
                if kind == FailureKind::GuestSpins {
                    let cure = kind.cure(|file| results.dir().join(file).exists());
                    return Err(Error::Silence {
                        message,
                        tail,
                        cure,
                    });
                }
                return Err(Error::Experiment {
                    stage: stage.to_string(),
                    message,
                    tail,
                    cure: kind.cure(|file| results.dir().join(file).exists()),
                });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
