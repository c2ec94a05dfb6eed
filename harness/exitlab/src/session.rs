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
        let machine = start.await?;
        attend(machine, words.end, self.results, self.ui, heard).await
    }
}

/// A host as a session knows it: a real one, or a script in tests.
trait Host {
    /// The next thing it says.
    async fn next(&mut self) -> Result<Report>;
    /// Waits for its end after its agent's good one; the last lines of its console.
    async fn power_off(self) -> Result<Vec<String>>;
    /// Ends it at once.
    async fn stop(self) -> Result<()>;
}

impl Host for Machine {
    async fn next(&mut self) -> Result<Report> {
        Machine::next(self).await
    }

    async fn power_off(self) -> Result<Vec<String>> {
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
    heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
) -> Result<()> {
    match listen(&mut host, results, ui, heard).await {
        Ok(()) => {
            ui.stage(last_stage);
            for line in host.power_off().await? {
                results.host_console(&line)?;
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
    heard: &mut impl FnMut(&Event, &Results) -> Result<()>,
) -> Result<()> {
    loop {
        let event = match host.next().await? {
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
                    cure: kind.cure(|file| results.dir().join(file).exists()),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::VecDeque;

    use exitlab_model::failure::FailureKind;

    use super::*;
    use crate::out_dir::OutDir;

    /// Says what the script says, then dies; remembers how it was ended.
    struct Scripted<'a> {
        script: VecDeque<Report>,
        end: &'a Cell<&'static str>,
    }

    impl Host for Scripted<'_> {
        async fn next(&mut self) -> Result<Report> {
            self.script.pop_front().ok_or_else(|| Error::Experiment {
                stage: "host".to_owned(),
                message: "Bochs ended".to_owned(),
                tail: Vec::new(),
                cure: String::new(),
            })
        }

        async fn power_off(self) -> Result<Vec<String>> {
            self.end.set("powered off");
            Ok(vec!["power down".to_owned()])
        }

        async fn stop(self) -> Result<()> {
            self.end.set("stopped");
            Ok(())
        }
    }

    fn started(protocol: u32) -> Event {
        Event::Started {
            protocol,
            kernel: "6.12".to_owned(),
            cpu: String::new(),
            isa: None,
            emulates: false,
            host_s: 0.5,
            host_tsc: 1,
        }
    }

    fn finished() -> Event {
        Event::Finished { host_s: 2.0 }
    }

    /// What comes of a session with that host: its outcome, how the host was ended, and what
    /// was heard and logged.
    async fn attended(script: Vec<Report>) -> (Result<()>, &'static str, usize, String) {
        let parent = tempfile::tempdir().unwrap();
        let mut results = Results::create(&OutDir::given(parent.path().join("run"))).unwrap();
        let (end, mut events) = (Cell::new("left running"), 0);
        let host = Scripted {
            script: script.into(),
            end: &end,
        };
        let mut heard = |_: &Event, _: &Results| {
            events += 1;
            Ok(())
        };
        let mut ui = Ui::silent();
        let outcome = attend(host, "the end", &mut results, &mut ui, &mut heard).await;
        let console = std::fs::read_to_string(results.dir().join("host-console.log"));
        (outcome, end.get(), events, console.unwrap_or_default())
    }

    fn event(event: Event) -> Report {
        Report::Event(Box::new(event))
    }

    #[tokio::test]
    async fn a_good_host_is_heard_to_the_end_and_powers_itself_off() {
        let script = vec![
            Report::Console("Linux version 6.12".to_owned()),
            event(started(PROTOCOL)),
            event(finished()),
            event(started(PROTOCOL)),
        ];
        let (outcome, end, events, console) = attended(script).await;
        outcome.unwrap();
        assert_eq!(
            (end, events),
            ("powered off", 2),
            "nothing after the last event"
        );
        assert_eq!(console, "Linux version 6.12\npower down\n");
    }

    #[tokio::test]
    async fn a_host_that_dies_or_whose_agent_fails_is_stopped_and_told_by_the_first_error() {
        let (outcome, end, events, _) = attended(vec![event(started(PROTOCOL))]).await;
        assert_eq!(outcome.unwrap_err().to_string(), "host: Bochs ended");
        assert_eq!((end, events), ("stopped", 1));

        let failed = Event::Failed {
            stage: Stage::Guest,
            kind: FailureKind::Deadline,
            message: "no SSH login within 6 s".to_owned(),
            tail: vec!["last words".to_owned()],
        };
        let (outcome, end, ..) = attended(vec![event(started(PROTOCOL)), event(failed)]).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.to_string(), "guest boots: no SSH login within 6 s");
        assert_eq!(
            (error.tail(), end),
            (&["last words".to_owned()][..], "stopped")
        );
    }

    #[tokio::test]
    async fn an_agent_of_another_build_is_refused() {
        let script = vec![event(started(PROTOCOL + 1)), event(finished())];
        let (outcome, end, ..) = attended(script).await;
        let error = outcome.unwrap_err();
        assert!(
            error.to_string().contains("the agent speaks protocol"),
            "{error}"
        );
        assert_eq!(end, "stopped");
    }
}
