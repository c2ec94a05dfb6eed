//! A host: the process that stands for it, its console and its agent's events. An emulator
//! stands for a host that exitlab boots; the agent itself, or the SSH connection to it, for
//! a machine that is used as it is.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exitlab_base::bounded::{Admission, Allowance, shortened};
use exitlab_base::error::{Error, Result};
use exitlab_base::process::Supervised;
use exitlab_model::event::{Event, Stage};
use exitlab_model::layout::EMULATOR_LOG;
use exitlab_model::plan::Deadlines;
use exitlab_model::stream::{Broken, Reader, Taken};

use super::aftermath::Aftermath;
use super::emulated::Silence;
use super::heard::{
    self, HALTED, LONGEST_EVENT, LONGEST_LINE, MOST_CONSOLE, MOST_FILE, PANIC, SHOWN,
};
use super::leash::Leash;
use super::patience::{Pace, Patience};
use super::watch::Growing;

/// How often the emulator's files are looked at.
const POLL: Duration = Duration::from_millis(25);

/// How often those of an agent on a leash are: it may be listened to for hours, and works on the
/// same machine as what it counts.
const POLL_LEASH: Duration = Duration::from_millis(100);

/// How long an emulator may take to end after the host's power-off.
const POWER_OFF: Duration = Duration::from_secs(20);

/// How long an emulator may take to end when it is asked to stop.
const GRACE: Duration = Duration::from_secs(2);

/// How many lines of the console an error shows.
const TAIL: usize = 15;

/// The host's console, in the machine's directory.
pub const CONSOLE: &str = "console";

/// The agent's events, in the machine's directory.
pub const EVENTS: &str = "events";

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
    allowance: Allowance,
    events: Growing,
    stream: Reader,
    emulator_log: PathBuf,
    waiting: VecDeque<Result<Report>>,
    tail: VecDeque<String>,
    panicked: bool,
    boot_deadline: Duration,
    silence_deadline: Duration,
    patience: Patience,
    emulated: Option<Silence>,
    pace: Pace,
    warned: bool,
    heard: bool,
    guest_runs: bool,
}

impl Machine {
    /// Watches over an emulator that was just started.
    pub fn booted(
        name: &'static str,
        emulator: Supervised,
        dir: &Path,
        deadlines: &Deadlines,
        pace: Pace,
    ) -> Machine {
        let machine = Machine::watch(name, emulator, dir, deadlines, None, Aftermath::None);
        machine.at(pace)
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
        let process = emulator.id();
        Machine {
            name,
            emulator,
            leash,
            aftermath,
            console: Growing::new(&dir.join(CONSOLE), LONGEST_LINE),
            allowance: Allowance::new(MOST_CONSOLE),
            events: Growing::new(&dir.join(EVENTS), LONGEST_EVENT),
            stream: Reader::default(),
            emulator_log: dir.join(EMULATOR_LOG),
            waiting: VecDeque::new(),
            tail: VecDeque::new(),
            panicked: false,
            boot_deadline: Duration::from_secs_f64(deadlines.host_boot_s),
            silence_deadline: Duration::from_secs_f64(deadlines.silence_s),
            patience: Patience::with(process, Pace::Real),
            emulated: None,
            pace: Pace::Real,
            warned: false,
            heard: false,
            guest_runs: false,
        }
    }

    fn at(self, pace: Pace) -> Machine {
        Machine {
            patience: Patience::with(self.emulator.id(), pace),
            pace,
            ..self
        }
    }

    /// Its QEMU has a monitor in `dir`, which knows how far the host's clock got.
    pub fn with_monitor(self, dir: &Path) -> Machine {
        Machine {
            emulated: Some(Silence::of(dir)),
            ..self
        }
    }

    /// The next thing the host says: a race of an event, the host's death and silence.
    pub async fn next(&mut self) -> Result<Report> {
        loop {
            if let Some(leash) = &mut self.leash {
                leash.tend();
            }
            // Whatever is waiting, the deadlines go on.
            self.patience.look().await;
            if let Some(report) = self.waiting.pop_front() {
                return report;
            }
            // Looked at before the files: what an emulator wrote before it ended is read.
            let ended = self.emulator.try_exited()?;
            let more = self.read()?;
            self.check_sizes()?;
            self.check_silence().await?;
            if more {
                continue;
            }
            if let Some(how) = ended {
                let cut = self.cut_off();
                return Err(self.died(&match self.agents_end() {
                    Some(status) => format!("the agent ended without a word (status {status})"),
                    None => format!("{} ended ({how}){cut}", self.name),
                }));
            }
            if self.panicked {
                return Err(self.died("the host's kernel panicked"));
            }
            if self.tail.iter().any(|line| line.contains(HALTED)) {
                return Err(self.died("the host's kernel halted before it began"));
            }
            let pause = self.leash.as_ref().map_or(POLL, |_| POLL_LEASH);
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks an agent on a leash for its good end.
    pub fn ask_to_end(&mut self) {
        self.leash.iter_mut().for_each(Leash::end);
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
        while matches!(self.read(), Ok(true)) && self.check_sizes().is_ok() {}
        let mut rest: Vec<Result<Report>> = std::mem::take(&mut self.waiting).into();
        self.emulator.stop(GRACE).await?;
        self.aftermath.clear().await;
        let left_out = self.allowance.left_out().into_iter();
        rest.extend(left_out.map(|line| Ok(Report::Console(line))));
        Ok(rest)
    }

    /// Stops the host at once.
    pub async fn stop(self) -> Result<()> {
        let stopped = self.emulator.stop(GRACE).await;
        self.aftermath.clear().await;
        stopped.map(drop)
    }

    /// Takes in what came. Returns whether there may be more already.
    fn read(&mut self) -> Result<bool> {
        let before = self.console.read() + self.events.read();
        for line in self.console.lines()? {
            self.panicked |= line.contains(PANIC);
            self.console_line(line);
        }
        for line in self.events.lines()? {
            match self.stream.take(&line) {
                Ok(Taken::Noise) => self.console_line(line),
                Ok(Taken::Marker) => self.hear(),
                Ok(Taken::Event(event)) => {
                    self.hear();
                    self.guest_runs |= matches!(*event, Event::Stage { stage, .. }
                        if matches!(stage, Stage::Guest | Stage::Sampling | Stage::Judging));
                    let event = Box::new(heard::bounded(*event));
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
        Ok(self.console.read() + self.events.read() > before)
    }

    fn console_line(&mut self, line: String) {
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(shortened(&line, SHOWN));
        let line = match self.allowance.admit(line.len()) {
            Admission::Kept => line,
            Admission::Full => self.allowance.full(),
            Admission::Counted => return,
        };
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
            Some(event) if self.events.pending() > 0 => format!(" in the middle of {event}"),
            _ => String::new(),
        }
    }

    /// The exit status of an agent that is not at its end, as the host's init tells it
    /// (`image/host-init.sh`).
    fn agents_end(&self) -> Option<&str> {
        let mut lines = self.tail.iter().rev().map(|line| line.trim());
        lines.find_map(|line| line.strip_prefix("exitlab: the agent ended with status "))
    }

    fn hear(&mut self) {
        self.heard = true;
        self.patience.heard();
        self.emulated.iter_mut().for_each(Silence::ended);
    }

    /// Fails if the host, or what emulates it, fills this machine's disk.
    fn check_sizes(&self) -> Result<()> {
        let log = std::fs::metadata(&self.emulator_log).map_or(0, |log| log.len());
        let files = [
            ("console", self.console.read()),
            ("events", self.events.read()),
            ("emulator's log", log),
        ];
        if let Some((what, _)) = files.iter().find(|(_, size)| *size > MOST_FILE) {
            let most = MOST_FILE >> 20;
            return Err(self.died(&format!("the {what} came to more than {most} MiB")));
        }
        let pending = self.events.pending();
        if pending > LONGEST_EVENT as u64 {
            let what = format!("the host sent {pending} bytes without the end of an event");
            return Err(self.died(&what));
        }
        Ok(())
    }

    fn cure(&self) -> String {
        // The log exists as soon as there is a line to be in it.
        let (console, look) = match self.tail.is_empty() {
            true => ("", "look"),
            false => (
                "host-console.log and ",
                "look at host-console.log in the results directory, and",
            ),
        };
        match self.aftermath {
            Aftermath::None => format!(
                "look at {console}{EMULATOR_LOG} in the results directory; for a host that is \
                 only slow, raise deadlines.host_boot or deadlines.silence"
            ),
            Aftermath::Here { .. } => format!(
                "{look} whether somebody ended the agent (or the kernel did, for want of memory)"
            ),
            Aftermath::There { .. } => format!(
                "{look} whether the machine can still be reached; the agent there clears up by \
                 itself within a minute"
            ),
        }
    }

    /// The end of the host's console, or of what the emulator printed.
    fn last_words(&self) -> Vec<String> {
        match self.tail.is_empty() {
            true => self.emulator.tail(),
            false => self.tail.iter().cloned().collect(),
        }
    }

    fn died(&self, what: &str) -> Error {
        Error::Experiment {
            stage: if self.heard { "host" } else { "host boots" }.to_owned(),
            message: what.to_owned(),
            tail: self.last_words(),
            cure: self.cure(),
        }
    }
}

mod silence;
#[cfg(test)]
mod tests;
