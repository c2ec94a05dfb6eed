//! The results directory of a run. Raw samples are kept as they arrive; every table is
//! written whole, to a temporary file that is then renamed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use exitlab_analysis::export;
use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::foreign;
use exitlab_model::event::Event;
use exitlab_model::layout::{self, EMULATOR_LOG};
use exitlab_model::reasons::ReasonTable;
use exitlab_model::record::RunRecord;

use crate::litter::{MACHINE, OWNER};
use crate::log_book::LogBook;
use crate::out_dir::OutDir;

/// The emulator's directory while it is being made: it has its name when its lock is held.
const NEW_MACHINE: &str = ".machine-new";

/// The results directory of a run that is going on.
#[derive(Debug)]
pub struct Results {
    dir: PathBuf,
    events: Log,
    host_console: Log,
    guest_console: Log,
    qemu: Log,
    /// The exits that came so far.
    exits: LogBook,
    /// Held as long as the emulator's directory is somebody's.
    owner: Option<Lock>,
    /// Held as long as anything is written: `exitlab clean` leaves the directory alone. Some
    /// file systems know no such lock.
    _in_use: Option<Lock>,
}

impl Results {
    /// Creates the directory. What nothing was kept in goes again when this is dropped.
    pub fn create(out: &OutDir) -> Result<Results> {
        let dir = out.take(|path| std::fs::create_dir(path))?;
        let dir = dir.canonicalize().map_err(Error::io("find", dir))?;
        let mut results = Results {
            events: Log::new(&dir, layout::EVENTS),
            host_console: Log::new(&dir, layout::HOST_CONSOLE),
            guest_console: Log::new(&dir, layout::GUEST_CONSOLE),
            qemu: Log::new(&dir, layout::QEMU_LOG),
            exits: LogBook::default(),
            owner: None,
            _in_use: Dir::open(&dir).and_then(|dir| Lock::share(&dir)).ok(),
            dir,
        };
        results.make_machine()?;
        Ok(results)
    }

    /// Makes the emulator's directory. Nobody ever sees it without an owner.
    fn make_machine(&mut self) -> Result<()> {
        let (new, machine) = (self.dir.join(NEW_MACHINE), self.machine_dir());
        std::fs::create_dir(&new).map_err(Error::io("create", &new))?;
        self.owner = Lock::try_acquire(&new.join(OWNER))?;
        std::fs::rename(&new, &machine).map_err(Error::io("create", machine))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the emulator works while the run lasts.
    pub fn machine_dir(&self) -> PathBuf {
        self.dir.join(MACHINE)
    }

    /// Keeps an event; lines of consoles also go to their logs.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        if let Event::Log(part) = event {
            // What it holds has a file of its own.
            return self.exits.take(part);
        }
        let line = serde_json::to_string(event).map_err(Error::json("write", &self.events.path))?;
        self.events.line(&line)?;
        match event {
            Event::GuestConsole { line } => self.guest_console.line(line),
            Event::QemuLog { line } => self.qemu.line(line),
            _ => Ok(()),
        }
    }

    /// Keeps a line of the host's console.
    pub fn host_console(&mut self, line: &str) -> Result<()> {
        self.host_console.line(line)
    }

    /// Rewrites `run.json`: the record, and what its numbers stand for.
    pub fn record(&self, record: &RunRecord) -> Result<()> {
        let isa = record.isa.map(ReasonTable::of);
        let written = Written {
            record,
            reasons: isa.map(named).unwrap_or_default(),
        };
        self.json(layout::RUN, &written)
    }

    /// Writes a file of JSON.
    pub fn json(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let path = self.dir.join(name);
        let mut text = serde_json::to_vec_pretty(content).map_err(Error::json("write", &path))?;
        text.push(b'\n');
        write_whole(&path, &text)
    }

    /// Writes every table of a record.
    pub fn tables(&self, record: &RunRecord) -> Result<()> {
        for (name, text) in export::tables(record) {
            write_whole(&self.dir.join(name), text.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the log of exits, if there is one and samples to hold it against.
    pub fn log(&self, record: &RunRecord) -> Result<()> {
        match &record.log {
            Some(summary) if !record.samples.is_empty() => {
                self.exits.write(&self.dir.join(layout::LOG), summary)
            }
            _ => Ok(()),
        }
    }

    /// Removes what was logged of a host that is started again.
    pub fn begin_again(&mut self) -> Result<()> {
        let logs = [
            &mut self.events,
            &mut self.host_console,
            &mut self.guest_console,
            &mut self.qemu,
        ];
        for log in logs {
            log.clear()?;
        }
        self.exits = LogBook::default();
        let machine = self.machine_dir();
        std::fs::remove_dir_all(&machine).map_err(Error::io("remove", &machine))?;
        self.make_machine()
    }

    /// Clears away what only the emulator needed, keeping its log.
    pub fn close_machine(&self) {
        let machine = self.machine_dir();
        let _ = std::fs::rename(machine.join(EMULATOR_LOG), self.dir.join(EMULATOR_LOG));
        // What cannot be removed does no harm: the run's files are all outside.
        let _ = std::fs::remove_dir_all(machine);
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.close_machine();
        let _ = std::fs::remove_dir_all(self.dir.join(NEW_MACHINE));
        // Only if nothing is in it: a disk may be full before there is a record.
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// A run as `run.json` has it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Written<'a> {
    #[serde(flatten)]
    record: &'a RunRecord,
    /// What each slot of its vectors stands for; none until the host has said whose reasons
    /// they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Named<'a>>,
}

/// An exit reason, by its slot.
#[derive(Serialize, JsonSchema)]
struct Named<'a> {
    /// The index in vectors of counts, cycles and statuses.
    slot: usize,
    /// Its number in the SDM or APM.
    reason: u32,
    /// The same, in hexadecimal digits.
    hex: String,
    /// Its name in the APM, or in the kernel's `uapi/asm/vmx.h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mnemonic: Option<&'a str>,
    /// Its name in the manuals' words.
    name: &'a str,
}

fn named(table: &ReasonTable) -> Vec<Named<'_>> {
    let slots = table.slots().into_iter();
    let name = |(slot, reason)| Named {
        slot,
        reason,
        hex: format!("{reason:#x}"),
        mnemonic: table.get(reason).map(|reason| reason.mnemonic.as_str()),
        name: table.name(reason),
    };
    slots.map(name).collect()
}

/// A log, which exists as soon as it has a line.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    fn new(dir: &Path, name: &str) -> Log {
        Log {
            path: dir.join(name),
            file: None,
        }
    }

    fn clear(&mut self) -> Result<()> {
        match self.file.take() {
            None => Ok(()),
            Some(_) => std::fs::remove_file(&self.path).map_err(Error::io("remove", &self.path)),
        }
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(
                OpenOptions::new()
                    .create_new(true)
                    .append(true)
                    .open(&self.path)
                    .map_err(Error::io("create", &self.path))?,
            ),
        };
        // Logs are read on terminals, too. JSON stays the same JSON.
        let whole = format!("{}\n", foreign::text(line));
        file.write_all(whole.as_bytes())
            .map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_model::reasons::Isa;
    use exitlab_model::record::{Provenance, RecordedPlan};

    #[test]
    fn an_existing_directory_is_refused_and_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("run");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("precious"), "data").unwrap();
        let error = Results::create(&OutDir::given(&dir)).unwrap_err();
        assert_eq!(error.exit_code(), exitlab_base::error::exit_code::CONFIG);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn a_record_says_what_its_slots_stand_for_and_reads_back() {
        let parent = tempfile::tempdir().unwrap();
        let results = Results::create(&OutDir::given(parent.path().join("run"))).unwrap();
        let plan = RecordedPlan::try_from(serde_json::json!({})).unwrap();
        let mut record = RunRecord::begun(
            "x",
            "2026-11-26T01:02:03Z".to_owned(),
            "tcg-svm".to_owned(),
            plan,
            Provenance::default(),
        );
        let written = || {
            let text = std::fs::read_to_string(results.dir().join(layout::RUN)).unwrap();
            let read: RunRecord = serde_json::from_str(&text).unwrap();
            (
                read,
                serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            )
        };
        results.record(&record).unwrap();
        assert_eq!(written().1.get("reasons"), None, "nobody knows yet");
        for isa in [Isa::Vmx, Isa::Svm] {
            record.isa = Some(isa);
            results.record(&record).unwrap();
            let (read, value) = written();
            assert_eq!(read, record);
            let table = ReasonTable::of(isa);
            let reasons = value["reasons"].as_array().unwrap();
            assert_eq!(reasons.len(), table.len_slots());
            for reason in table.defined() {
                let slot = table.slot(reason.number).unwrap();
                assert_eq!(reasons[slot]["slot"], slot);
                assert_eq!(reasons[slot]["reason"], reason.number);
                assert_eq!(reasons[slot]["mnemonic"], reason.mnemonic);
            }
        }
    }

    #[test]
    fn what_nothing_was_kept_in_is_not_left_behind() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("run");
        let results = Results::create(&OutDir::given(&dir)).unwrap();
        assert!(results.machine_dir().is_dir());
        // As a disk that is full.
        let cannot = std::fs::create_dir(dir.join("run.json"));
        cannot.unwrap();
        assert!(results.json("run.json", &1).is_err());
        std::fs::remove_dir(dir.join("run.json")).unwrap();
        drop(results);
        assert!(!dir.exists());

        let mut results = Results::create(&OutDir::given(&dir)).unwrap();
        results.host_console("last words").unwrap();
        let owner = results.machine_dir().join(OWNER);
        assert!(Lock::try_acquire(&owner).unwrap().is_none(), "it is held");
        results.begin_again().unwrap();
        assert!(
            Lock::try_acquire(&owner).unwrap().is_none(),
            "it is held again"
        );
        results.host_console("last words").unwrap();
        drop(results);
        let left: Vec<_> = std::fs::read_dir(&dir).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
