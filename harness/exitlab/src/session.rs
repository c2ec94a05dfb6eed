//! A session with a host: it is started, listened to until its agent's last event, and
//! brought to its end.

use crate::results::Results;
use crate::ui::Ui;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_host::platform::{self, Boot, Machine, Report};
use exitlab_model::event::{Event, PROTOCOL, Stage};
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
        let words = platform::words(self.plan.platform);
        self.ui.stage(words.start);
        let dir = self.results.machine_dir();
        let ui = &*self.ui;
        let note = |text: &str| ui.note(text);
        let start = platform::start(self.plan, self.boot, &self.task, self.cache, &dir, &note);
        let mut machine = start.await?;
        match listen(&mut machine, self.results, self.ui, heard).await {
            Ok(()) => {
                self.ui.stage(words.end);
                for line in machine.power_off().await? {
                    self.results.host_console(&line)?;
                }
                Ok(())
            }
            Err(error) => {
                // The first error is the cause.
                let _ = machine.stop().await;
                Err(error)
            }
        }
    }
}

/// Takes in what the host says until its agent's last event.
async fn listen(
    machine: &mut Machine,
    results: &mut Results,
    ui: &mut Ui,
    heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
) -> Result<()> {
    loop {
        let event = match machine.next().await? {
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
            Event::Started { protocol, .. } if protocol != PROTOCOL => {
                return Err(stale(protocol));
            }
            Event::Finished { .. } => return Ok(()),
            Event::Failed {
                stage,
                kind,
                message,
                tail,
            } => {
                return Err(Error::Experiment {
                    stage: stage.to_string(),
                    message,
                    tail,
                    cure: kind.cure().to_owned(),
                });
            }
            _ => {}
        }
    }
}

fn stale(protocol: u32) -> Error {
    Error::Experiment {
        stage: Stage::Host.to_string(),
        message: format!("the agent speaks protocol {protocol}, this exitlab {PROTOCOL}"),
        tail: Vec::new(),
        cure: "remove the cached host image and run again".to_owned(),
    }
}
