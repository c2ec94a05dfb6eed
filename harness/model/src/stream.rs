//! The event stream as text. A marker begins it, so that what a login prints before does no
//! harm. Each line after it is numbered and carries a checksum, so that a line that was lost,
//! doubled, moved or changed on its way is seen. The last event says how many there were.
//!
//! ```text
//! exitlab-events 3
//! 1 5e2f01ac {"event":"started", … }
//! 2 09b7c3d4 {"event":"stage", … }
//! ```

use crate::event::{Event, PROTOCOL};
use crate::planned;

/// Begins the stream; the version of the protocol follows.
const MARKER: &str = "exitlab-events ";

/// Most lines that may come before the marker.
const MOST_NOISE_LINES: usize = 1000;

/// Most bytes that may come before the marker.
const MOST_NOISE_BYTES: usize = 64 * 1024;

/// Most characters of a foreign line that an error shows.
const SHOWN: usize = 120;

/// Puts events into lines.
#[derive(Debug, Default)]
pub struct Writer {
    number: u64,
    samples: u32,
    over: bool,
}

impl Writer {
    /// What the stream begins with, with its end.
    pub fn marker() -> String {
        format!("{MARKER}{PROTOCOL}\n")
    }

    /// The next line, with its end. Nothing follows a last event.
    pub fn line(&mut self, mut event: Event) -> Option<String> {
        if self.over {
            return None;
        }
        // Counted before anything can go wrong: what cannot be written is missed by its number.
        self.number += 1;
        match &mut event {
            Event::Sample(_) => self.samples += 1,
            Event::Finished {
                events, samples, ..
            } => {
                *events = self.number;
                *samples = self.samples;
            }
            _ => {}
        }
        self.over = event.is_last();
        let json = serde_json::to_string(&event).ok()?;
        let number = self.number;
        Some(format!("{number} {} {json}\n", checksum(number, &json)))
    }
}

/// The first 32 bits of BLAKE3 over number and event, in hexadecimal digits.
fn checksum(number: u64, json: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_be_bytes());
    hasher.update(json.as_bytes());
    hasher.finalize().to_hex()[..8].to_owned()
}

/// What a line was.
#[derive(Debug)]
pub enum Taken {
    /// Something that is not of the stream: before its marker, or after its last event.
    Noise,
    /// The marker.
    Marker,
    /// The next event.
    Event(Box<Event>),
}

/// The stream is not what the agent wrote, or the agent did not write what it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What would have been right.
    pub expected: String,
    /// What was there instead.
    pub came: String,
    /// What can be done about it.
    pub cure: &'static str,
}

impl Broken {
    /// Lines were lost, doubled, moved or changed between the agent and here.
    fn on_the_way(expected: impl Into<String>, came: impl Into<String>) -> Broken {
        Broken {
            expected: expected.into(),
            came: came.into(),
            cure: "something between the agent and exitlab loses or changes lines, or writes \
                   between them: see events.jsonl and host-console.log for the last good ones, \
                   and run it again",
        }
    }

    /// The agent did not do what it was told, though all that it said arrived.
    pub fn by_the_agent(expected: impl Into<String>, came: impl Into<String>) -> Broken {
        Broken {
            expected: expected.into(),
            came: came.into(),
            cure: "the agent did not follow its plan: see events.jsonl, and report this with the \
                   results directory",
        }
    }

    fn too_much_noise(lines: usize, last: &str) -> Broken {
        Broken {
            expected: "the beginning of the agent's events".to_owned(),
            came: format!("{lines} lines of something else, the last {}", shown(last)),
            cure: "a login there must not print much before it runs a command: see its .bashrc \
                   and what it calls",
        }
    }

    fn other_protocol(protocol: u32) -> Broken {
        Broken {
            expected: format!("protocol {PROTOCOL} of the agent"),
            came: format!("protocol {protocol}"),
            cure: "the host has an agent of another exitlab: build exitlab and exitlab-agent of \
                   one commit, as scripts/run does",
        }
    }
}

/// Takes a stream apart again, and checks all that its lines say of themselves.
#[derive(Debug)]
pub struct Reader {
    at: At,
}

#[derive(Debug)]
enum At {
    /// Before the marker: how many lines and bytes came.
    Before { lines: usize, bytes: usize },
    /// After the marker: the number of the next event, and how many samples came.
    Within { next: u64, samples: u32 },
    /// After the last event.
    After,
}

impl Default for Reader {
    fn default() -> Reader {
        let at = At::Before { lines: 0, bytes: 0 };
        Reader { at }
    }
}

impl Reader {
    /// Takes in a line without its end.
    ///
    /// # Errors
    ///
    /// What was expected, and what came. Nothing more can be taken in then.
    pub fn take(&mut self, line: &str) -> Result<Taken, Broken> {
        match self.at {
            At::Before { lines, bytes } => self.before(line, lines + 1, bytes + line.len()),
            At::Within { next, samples } => self.within(line, next, samples),
            // What a connection prints at its end does no harm; an event does.
            At::After => match opened(line) {
                None => Ok(Taken::Noise),
                Some((number, event)) => Err(Broken::on_the_way(
                    "nothing after the last event",
                    numbered(number, &event),
                )),
            },
        }
    }

    /// What a line that is cut off in its middle is a part of; none where that is not known.
    pub fn awaited(&self) -> Option<String> {
        match self.at {
            At::Within { next, .. } => Some(format!("event {next}")),
            At::Before { .. } | At::After => None,
        }
    }

    fn before(&mut self, line: &str, lines: usize, bytes: usize) -> Result<Taken, Broken> {
        // What was printed last may lack its end.
        let version = line.rsplit_once(MARKER).map(|(_, version)| version);
        let version = version.and_then(|version| version.parse::<u32>().ok());
        match (version, serde_json::from_str(line)) {
            (Some(PROTOCOL), _) => {
                self.at = At::Within {
                    next: 1,
                    samples: 0,
                };
                Ok(Taken::Marker)
            }
            // Up to version 2 there was no marker.
            (Some(protocol), _) | (None, Ok(Event::Started { protocol, .. })) => {
                Err(Broken::other_protocol(protocol))
            }
            _ if lines > MOST_NOISE_LINES || bytes > MOST_NOISE_BYTES => {
                Err(Broken::too_much_noise(lines, line))
            }
            _ => {
                self.at = At::Before { lines, bytes };
                Ok(Taken::Noise)
            }
        }
    }

    fn within(&mut self, line: &str, next: u64, samples: u32) -> Result<Taken, Broken> {
        let expected = || format!("event {next}");
        let Some((number, event)) = opened(line) else {
            return Err(Broken::on_the_way(expected(), shown(line)));
        };
        let came = numbered(number, &event);
        if number > next {
            let why = format!("{came}: {} missing", lines(number - next));
            return Err(Broken::on_the_way(expected(), why));
        }
        if number < next {
            let why = format!("{came} a second time");
            return Err(Broken::on_the_way(expected(), why));
        }
        match (&event, next) {
            (Event::Started { protocol, .. }, 1) if *protocol != PROTOCOL => {
                return Err(Broken::other_protocol(*protocol));
            }
            (Event::Started { .. }, 1) => {}
            (_, 1) => return Err(Broken::by_the_agent("`started` first", came)),
            (Event::Started { .. }, _) => {
                return Err(Broken::by_the_agent("`started` only once", came));
            }
            _ => {}
        }
        let samples = samples + u32::from(matches!(event, Event::Sample(_)));
        if let Event::Finished {
            events: said_events,
            samples: said_samples,
            ..
        } = event
            && (said_events, said_samples) != (next, samples)
        {
            return Err(Broken::by_the_agent(
                format!("{next} events with {samples} samples"),
                format!("`finished` after {said_events} with {said_samples}"),
            ));
        }
        self.at = match event.is_last() {
            true => At::After,
            false => At::Within {
                next: next + 1,
                samples,
            },
        };
        Ok(Taken::Event(Box::new(event)))
    }
}

fn lines(number: u64) -> String {
    match number {
        1 => "1 line is".to_owned(),
        number => format!("{number} lines are"),
    }
}

/// Number and event of a line whose checksum is right.
fn opened(line: &str) -> Option<(u64, Event)> {
    let (number, rest) = line.split_once(' ')?;
    let (sum, json) = rest.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    if sum != checksum(number, json) {
        return None;
    }
    Some((number, serde_json::from_str(json).ok()?))
}

/// `event 12 (sample 3 (idle +5s))`
fn numbered(number: u64, event: &Event) -> String {
    let name = match event {
        Event::Sample(sample) => planned::name_of(sample),
        other => {
            let value = serde_json::to_value(other).unwrap_or_default();
            value["event"].as_str().unwrap_or("unknown").to_owned()
        }
    };
    format!("event {number} ({})", cut(&name))
}

/// A foreign line, harmless and not too long.
fn shown(line: &str) -> String {
    format!("'{}'", cut(line))
}

fn cut(text: &str) -> String {
    let mut kept: String = text.chars().take(SHOWN).collect();
    kept = kept.escape_debug().to_string();
    match text.chars().count() {
        count if count > SHOWN => format!("{kept}… ({count} characters)"),
        _ => kept,
    }
}

#[cfg(test)]
mod tests;
