//! A host: the process that stands for it, its console and its agent's events. An emulator
//! stands for a host that exitlab boots; the agent itself, or the SSH connection to it, for
//! a machine that is used as it is.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use exitlab_base::error::{Error, Result};
use exitlab_base::process::Supervised;
use exitlab_model::event::Event;
use exitlab_model::plan::Deadlines;
use exitlab_model::stream::{Broken, Reader, Taken};

use super::leash::Leash;
use super::remote::Remote;
use super::watch::Growing;

/// How often the emulator's files are looked at.
const POLL: Duration = Duration::from_millis(25);

/// How long an emulator may take to end after the host's power-off.
const POWER_OFF: Duration = Duration::from_secs(20);

/// How long an emulator may take to end when it is asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How long clearing up may take.
const SWEEP: Duration = Duration::from_secs(20);

/// How many lines of the console an error shows.
const TAIL: usize = 15;

/// What the host's kernel prints when it cannot go on.
const PANIC: &str = "Kernel panic - not syncing";

/// The host's console, in the machine's directory.
pub const CONSOLE: &str = "console";

/// The agent's events, in the machine's directory.
pub const EVENTS: &str = "events";

/// What clears up after an agent that was killed, on a machine that is used as it is.
#[derive(Debug)]
pub enum Aftermath {
    /// Nothing: the machine is gone.
    None,
    /// Agents of this machine.
    Here {
        /// The agent's program.
        agent: PathBuf,
        /// Where agents work.
        place: PathBuf,
    },
    /// Agents of another machine.
    There {
        /// The machine.
        remote: Box<Remote>,
        /// The agent's program there.
        binary: PathBuf,
        /// Where agents work there.
        agents: PathBuf,
    },
}

impl Aftermath {
    /// Clears up. What fails does no harm: the next agent there does the same.
    async fn clear(&self) {
        let cleared = match self {
            Aftermath::None => Ok(()),
            Aftermath::Here { agent, place } => sweep(agent, place).await,
            Aftermath::There {
                remote,
                binary,
                agents,
            } => remote.sweep(binary, agents).await,
        };
        if let Err(error) = cleared {
            tracing::warn!("{error}");
        }
    }
}

/// Clears up after agents of this machine that were killed.
async fn sweep(agent: &Path, place: &Path) -> Result<()> {
    let mut command = Command::new(agent);
    command.arg("--sweep").arg(place).stdin(Stdio::null());
    command.kill_on_drop(true);
    let status = tokio::time::timeout(SWEEP, command.status());
    let failed = |why: String| Error::Experiment {
        stage: "host".to_owned(),
        message: format!("failed to clear up below {}: {why}", place.display()),
        tail: Vec::new(),
        cure: "the next run here clears up as well".to_owned(),
    };
    match status.await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(status.to_string())),
        Ok(Err(error)) => Err(Error::io("run", agent)(error)),
        Err(_) => Err(failed(format!("not done within {} s", SWEEP.as_secs()))),
    }
}

/// One thing that a machine has to say.
#[derive(Debug)]
pub enum Report {
    /// The agent's event.
    Event(Box<Event>),
    /// A line of the host's console.
    Console(String),
}

/// A running host.
pub struct Machine {
    name: &'static str,
    emulator: Supervised,
    leash: Option<Leash>,
    aftermath: Aftermath,
    console: Growing,
    events: Growing,
    stream: Reader,
    waiting: VecDeque<Result<Report>>,
    tail: VecDeque<String>,
    boot_deadline: Duration,
    silence_deadline: Duration,
    heard: Option<Instant>,
    started: Instant,
}

impl Machine {
    /// Watches over an emulator that was just started.
    pub fn booted(
        name: &'static str,
        emulator: Supervised,
        dir: &Path,
        deadlines: &Deadlines,
    ) -> Machine {
        Machine::watch(name, emulator, dir, deadlines, None, Aftermath::None)
    }

    /// Watches over an agent on a machine that is used as it is.
    pub fn as_it_is(
        name: &'static str,
        agent: Supervised,
        dir: &Path,
        deadlines: &Deadlines,
        leash: Leash,
        aftermath: Aftermath,
    ) -> Machine {
        Machine::watch(name, agent, dir, deadlines, Some(leash), aftermath)
    }

    fn watch(
        name: &'static str,
        emulator: Supervised,
        dir: &Path,
        deadlines: &Deadlines,
        leash: Option<Leash>,
        aftermath: Aftermath,
    ) -> Machine {
        Machine {
            name,
            emulator,
            leash,
            aftermath,
            console: Growing::new(&dir.join(CONSOLE)),
            events: Growing::new(&dir.join(EVENTS)),
            stream: Reader::default(),
            waiting: VecDeque::new(),
            tail: VecDeque::new(),
            boot_deadline: Duration::from_secs_f64(deadlines.host_boot_s),
            silence_deadline: Duration::from_secs_f64(deadlines.silence_s),
            heard: None,
            started: Instant::now(),
        }
    }

    /// The next thing the host says: a race of an event, the host's death and silence.
    pub async fn next(&mut self) -> Result<Report> {
        loop {
            if let Some(leash) = &mut self.leash {
                leash.tend();
            }
            // Looked at before the files: what an emulator wrote before it ended is read.
            let ended = self.emulator.try_exited()?;
            self.read()?;
            if let Some(report) = self.waiting.pop_front() {
                return report;
            }
            if let Some(how) = ended {
                let cut = self.cut_off();
                return Err(self.died(&format!("{} ended ({how}){cut}", self.name)));
            }
            if self.tail.iter().any(|line| line.contains(PANIC)) {
                return Err(self.died("the host's kernel panicked"));
            }
            self.check_silence()?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for the end of a host that powers itself off; stops it if it does not. What it
    /// said meanwhile must be no event.
    pub async fn power_off(mut self) -> Result<Vec<Result<Report>>> {
        let wait = async {
            while matches!(self.emulator.try_exited(), Ok(None)) {
                tokio::time::sleep(POLL).await;
            }
        };
        let _ = tokio::time::timeout(POWER_OFF, wait).await;
        let _ = self.read();
        let rest = std::mem::take(&mut self.waiting);
        self.emulator.stop(GRACE).await?;
        self.aftermath.clear().await;
        Ok(rest.into())
    }

    /// Stops the host at once.
    pub async fn stop(self) -> Result<()> {
        let stopped = self.emulator.stop(GRACE).await;
        self.aftermath.clear().await;
        stopped.map(drop)
    }

    fn read(&mut self) -> Result<()> {
        for line in self.console.lines()? {
            self.console_line(line);
        }
        for line in self.events.lines()? {
            match self.stream.take(&line) {
                Ok(Taken::Noise) => self.console_line(line),
                Ok(Taken::Marker) => self.heard = Some(Instant::now()),
                Ok(Taken::Event(event)) => {
                    self.heard = Some(Instant::now());
                    self.waiting.push_back(Ok(Report::Event(event)));
                }
                Err(broken) => {
                    // Told after all that came before it.
                    let error = self.broken(broken);
                    self.waiting.push_back(Err(error));
                    break;
                }
            }
        }
        Ok(())
    }

    fn console_line(&mut self, line: String) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        self.waiting.push_back(Ok(Report::Console(line)));
    }

    fn broken(&self, broken: Broken) -> Error {
        Error::Stream {
            expected: broken.expected,
            came: broken.came,
            tail: self.last_words(),
            cure: broken.cure.to_owned(),
        }
    }

    /// That the host ended in the middle of an event, if it did.
    fn cut_off(&self) -> String {
        match self.stream.awaited() {
            Some(event) if self.events.is_cut_off() => format!(" in the middle of {event}"),
            _ => String::new(),
        }
    }

    fn check_silence(&self) -> Result<()> {
        match self.heard {
            None if self.started.elapsed() > self.boot_deadline => Err(self.died(&format!(
                "no word from the host within {} s",
                self.boot_deadline.as_secs_f64()
            ))),
            Some(heard) if heard.elapsed() > self.silence_deadline => Err(Error::Silence {
                message: format!(
                    "the host fell silent for {} s",
                    self.silence_deadline.as_secs_f64()
                ),
                tail: self.last_words(),
                cure: self.cure().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn cure(&self) -> &'static str {
        match self.aftermath {
            Aftermath::None => {
                "look at host-console.log and emulator.log in the results directory; for a host \
                 that is only slow, raise deadlines.host_boot or deadlines.silence"
            }
            Aftermath::Here { .. } => {
                "look at host-console.log in the results directory, and whether somebody ended \
                 the agent (or the kernel did, for want of memory)"
            }
            Aftermath::There { .. } => {
                "look at host-console.log in the results directory, and whether the machine can \
                 still be reached; the agent there clears up by itself within a minute"
            }
        }
    }

    /// The end of the host's console, or of what the emulator printed.
    fn last_words(&self) -> Vec<String> {
        if self.tail.is_empty() {
            self.emulator.tail()
        } else {
            self.tail.iter().cloned().collect()
        }
    }

    fn died(&self, what: &str) -> Error {
        Error::Experiment {
            stage: if self.heard.is_some() {
                "host"
            } else {
                "host boots"
            }
            .to_owned(),
            message: what.to_owned(),
            tail: self.last_words(),
            cure: self.cure().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
