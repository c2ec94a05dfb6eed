//! The events of a run, as they are written down.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use exitlab_base::artifact::Lock;
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_model::event::Event;
use exitlab_model::layout::EVENTS;

use crate::litter::{MACHINE, OWNER};

/// Most bytes that are read at once.
const PIECE: u64 = 4 << 20;

/// Longest line that an event has, bytes; a sample with all that can be counted has less.
const LONGEST: usize = 16 << 20;

/// Follows the events of a results directory.
#[derive(Debug)]
pub struct Feed {
    dir: PathBuf,
    path: PathBuf,
    read: u64,
    /// A line whose end has not come yet.
    rest: Vec<u8>,
    lines: u64,
}

/// What came.
#[derive(Debug, PartialEq)]
pub enum News {
    /// These events, of which there may be none.
    Events(Vec<Event>),
    /// The run begins again, with another attempt of its host: nothing of before counts.
    Again,
}

impl Feed {
    /// Of this results directory, in which the events need not be yet.
    pub fn of(dir: &Path) -> Feed {
        Feed {
            dir: dir.to_owned(),
            path: dir.join(EVENTS),
            read: 0,
            rest: Vec::new(),
            lines: 0,
        }
    }

    /// Whether there is something to follow.
    pub fn has_begun(&self) -> bool {
        self.path.is_file()
    }

    /// What was written since the last time.
    ///
    /// # Errors
    /// If it cannot be read, or is not what exitlab writes.
    pub fn more(&mut self) -> Result<News> {
        let failed = |e| Error::io("read", &self.path)(e);
        let length = match std::fs::metadata(&self.path) {
            Ok(file) => file.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(News::Events(Vec::new()));
            }
            Err(e) => return Err(failed(e)),
        };
        if length < self.read {
            *self = Feed::of(&self.dir);
            return Ok(News::Again);
        }
        if length == self.read {
            return Ok(News::Events(Vec::new()));
        }
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.read)).map_err(failed)?;
        let mut piece = Vec::new();
        file.take(PIECE).read_to_end(&mut piece).map_err(failed)?;
        self.read += piece.len() as u64;
        self.rest.extend(piece);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.lines += 1;
            events.push(serde_json::from_slice(&line).map_err(|e| self.foreign(&e.to_string()))?);
        }
        match self.rest.len() > LONGEST {
            true => Err(self.foreign("a line without end")),
            false => Ok(News::Events(events)),
        }
    }

    /// Whether somebody is still writing.
    pub fn is_going_on(&self) -> bool {
        let machine = Dir::open(&self.dir).and_then(|dir| dir.inner(MACHINE));
        let free = machine.and_then(|machine| Lock::try_existing_in(&machine, OWNER));
        matches!(free, Ok(None))
    }

    fn foreign(&self, why: &str) -> Error {
        Error::Config {
            message: format!(
                "{}, line {}, is no event of this exitlab: {why}",
                self.path.display(),
                self.lines
            ),
            cure: "watch results of this version, and whole ones".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PULSE: &str = "{\"event\":\"pulse\",\"host_s\":1.5}\n";

    fn some(news: News) -> usize {
        match news {
            News::Events(events) => events.len(),
            News::Again => panic!("it begins again"),
        }
    }

    #[test]
    fn events_come_once_each_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut feed = Feed::of(dir.path());
        assert_eq!(some(feed.more().unwrap()), 0);
        assert!(!feed.has_begun() && !feed.is_going_on());
        let mut file = File::create(dir.path().join(EVENTS)).unwrap();
        file.write_all(&PULSE.as_bytes()[..9]).unwrap();
        assert_eq!(some(feed.more().unwrap()), 0);
        file.write_all(&PULSE.as_bytes()[9..]).unwrap();
        file.write_all(PULSE.as_bytes()).unwrap();
        assert_eq!(some(feed.more().unwrap()), 2);
        assert_eq!(some(feed.more().unwrap()), 0);
        file.set_len(0).unwrap();
        assert_eq!(feed.more().unwrap(), News::Again);
        assert_eq!(some(feed.more().unwrap()), 0);
    }

    #[test]
    fn what_is_no_event_is_named_by_its_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(EVENTS), format!("{PULSE}nonsense\n")).unwrap();
        let error = Feed::of(dir.path()).more().unwrap_err().to_string();
        assert!(
            error.contains("events.jsonl, line 2, is no event"),
            "{error}"
        );
    }
}
