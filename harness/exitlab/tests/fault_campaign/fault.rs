//! What can go wrong, as a value.

use std::fmt;

use crate::dice::Dice;
use crate::field::Field;
use crate::{caches, inside, runs, tables};

/// Who is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// `exitlab` itself.
    Conductor,
    /// The program that is the host's hardware.
    Emulator,
}

/// Who is struck on the host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// `exitlab-agent`.
    Agent,
    /// The QEMU of the guest.
    Qemu,
}

/// One fault. Moments are parts of the time that an undisturbed run takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// A signal that ends.
    Signal(Who, &'static str, f64),
    /// Standing still for some milliseconds, then going on.
    Pause(Who, f64, u64),
    /// Results on a file system of that many KiB.
    FullDisk(usize),
    /// Something in the cache is not what it was: in a copy of it, or in a layer over it.
    DamagedCache(bool),
    /// The cache, of which a part is missing, on a file system that has room for that many KiB
    /// from some second on.
    FullCache(usize, f64),
    /// A signal to what works on the host.
    Inside(Inside, &'static str, f64),
    /// Bytes that nobody meant in the stream of events.
    GarbledStream(f64),
    /// A guest that writes without end.
    Flood(&'static str),
    /// Another exitlab in the same results directory, or the same cache.
    Two(bool, f64),
    /// The build of a kernel is struck.
    Build(&'static str, &'static str, f64),
    /// Results and files of rules that are not what they were.
    DamagedResults,
}

/// What was seen of one.
pub struct Seen {
    /// How the command ended, in words.
    pub ended: String,
    /// Promises that were not kept.
    pub wrong: Vec<String>,
}

impl Fault {
    /// The next fault. Those that cost little come more often.
    pub fn draw(dice: &mut Dice) -> Fault {
        let who = dice.one(&[Who::Conductor, Who::Emulator]);
        let at = dice.part() * 1.05;
        match dice.below(26) {
            0..4 => Fault::Signal(who, dice.one(&["INT", "TERM", "KILL", "HUP"]), at),
            4..6 => Fault::Pause(who, at, 50 + dice.any() % 3000),
            6..8 => Fault::FullDisk(dice.below(64 << 10)),
            8..10 => Fault::DamagedCache(dice.below(2) == 0),
            10 => Fault::FullCache(dice.below(16 << 10), dice.part() * 4.0),
            11..13 => Fault::GarbledStream(at),
            13 => Fault::Flood(dice.one(&runs::FLOODS)),
            14..16 => Fault::Two(dice.below(2) == 0, at),
            16 => Fault::Build(
                dice.one(&["exitlab", "make", "cc1"]),
                dice.one(&["TERM", "KILL", "INT"]),
                1.0 + dice.part() * 15.0,
            ),
            17..19 => Fault::Inside(
                dice.one(&[Inside::Agent, Inside::Qemu]),
                dice.one(&["INT", "TERM", "KILL", "HUP", "STOP"]),
                at,
            ),
            _ => Fault::DamagedResults,
        }
    }

    /// Lets it happen, and looks at what became of it.
    pub fn inflict(&self, field: &Field, dice: &mut Dice, number: u64) -> Seen {
        let seen = match *self {
            Fault::Signal(who, signal, at) => runs::signal(field, number, who, signal, at),
            Fault::Pause(who, at, ms) => runs::pause(field, number, who, at, ms),
            Fault::FullDisk(kib) => runs::full_disk(field, number, kib),
            Fault::DamagedCache(layers) => caches::damaged(field, number, layers, dice),
            Fault::FullCache(kib, s) => caches::full(field, number, kib, s, dice),
            Fault::Inside(who, signal, at) => inside::signal(field, number, who, signal, at),
            Fault::GarbledStream(at) => runs::garbled(field, number, at, dice),
            Fault::Flood(words) => runs::flood(field, number, words),
            Fault::Two(same, at) => runs::two(field, number, same, at),
            Fault::Build(who, signal, s) => runs::build(field, number, who, signal, s),
            Fault::DamagedResults => tables::damaged(field, number, dice),
        };
        field.swept(seen)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |at: f64| format!("{:.0} %", at * 100.0);
        match self {
            Fault::Signal(who, signal, at) => write!(f, "SIG{signal} to {who} at {}", percent(*at)),
            Fault::Pause(who, at, ms) => {
                write!(f, "{who} stands still {ms} ms at {}", percent(*at))
            }
            Fault::FullDisk(kib) => write!(f, "a disk of {kib} KiB"),
            Fault::DamagedCache(false) => f.write_str("a damaged cache"),
            Fault::DamagedCache(true) => f.write_str("a damaged cache of a lower layer"),
            Fault::FullCache(kib, s) => {
                write!(f, "a cache with room for {kib} KiB after {s:.1} s")
            }
            Fault::Inside(who, signal, at) => {
                write!(f, "SIG{signal} to {who} at {}", percent(*at))
            }
            Fault::GarbledStream(at) => write!(f, "a garbled stream at {}", percent(*at)),
            Fault::Flood(words) => write!(f, "a flood: {words}"),
            Fault::Two(true, at) => write!(f, "two in one directory, {} apart", percent(*at)),
            Fault::Two(false, at) => write!(f, "two at once, {} apart", percent(*at)),
            Fault::Build(who, signal, s) => {
                write!(f, "SIG{signal} to {who} after {s:.1} s of a build")
            }
            Fault::DamagedResults => f.write_str("damaged results"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Who::Conductor => "exitlab",
            Who::Emulator => "the emulator",
        })
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Inside::Agent => "the agent on a machine",
            Inside::Qemu => "QEMU on a machine",
        })
    }
}
