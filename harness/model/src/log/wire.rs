//! The log of one vCPU as bytes: what most exits share is said once, and most numbers are small,
//! so an exit takes some eight bytes.
//!
//! ```text
//! exit  = time since the exit before, duration + 1 or 0, cause, [value]
//! cause = its number, or the number after the last and what it is
//! ```
//!
//! Numbers are LEB128, seven bits a byte, the lowest first.

use std::collections::HashMap;

use super::{Cause, LoggedExit, ToldBy};

/// So many causes have numbers; then all of them are forgotten, on both sides.
const MOST_CAUSES: usize = 1 << 16;

/// Makes the bytes.
#[derive(Debug, Default)]
pub struct Encoder {
    numbers: HashMap<Cause, u64>,
    last_ns: u64,
    last_rip: u64,
}

impl Encoder {
    /// Puts an exit behind the others. Times of one vCPU do not decrease.
    pub fn put(&mut self, exit: &LoggedExit, bytes: &mut Vec<u8>) {
        number(exit.time_ns.wrapping_sub(self.last_ns), bytes);
        self.last_ns = exit.time_ns;
        let duration = exit.duration_ns.map_or(0, |ns| ns.saturating_add(1));
        number(duration, bytes);
        let new = self.numbers.len() as u64;
        let cause = &exit.cause;
        match self.numbers.get(cause) {
            Some(known) => number(*known, bytes),
            None => {
                number(new, bytes);
                self.describe(cause, bytes);
                self.numbers.insert(*cause, new);
            }
        }
        if cause.told.has_value() {
            number(exit.value, bytes);
        }
        if self.numbers.len() >= MOST_CAUSES {
            self.numbers.clear();
        }
    }

    fn describe(&mut self, cause: &Cause, bytes: &mut Vec<u8>) {
        number(cause.reason.into(), bytes);
        number(folded(cause.rip.wrapping_sub(self.last_rip)), bytes);
        self.last_rip = cause.rip;
        number(cause.info, bytes);
        number(cause.vector.into(), bytes);
        bytes.push(cause.told as u8);
        if cause.told != ToldBy::Nobody {
            number(cause.key, bytes);
            number(cause.sub, bytes);
        }
    }
}

fn number(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A difference whose small values, of either sign, are small numbers.
fn folded(difference: u64) -> u64 {
    let signed = difference as i64;
    (signed << 1 ^ signed >> 63) as u64
}

fn unfolded(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

/// Bytes that no [`Encoder`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes that are no log")
    }
}

/// Takes the bytes apart again. After something malformed nothing follows.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    causes: Vec<Cause>,
    last_ns: u64,
    last_rip: u64,
}

impl<'a> Decoder<'a> {
    /// Of all bytes of one vCPU.
    pub fn of(bytes: &'a [u8]) -> Decoder<'a> {
        Decoder {
            rest: bytes,
            causes: Vec::new(),
            last_ns: 0,
            last_rip: 0,
        }
    }

    fn exit(&mut self) -> Option<LoggedExit> {
        let time_ns = self.last_ns.wrapping_add(self.number()?);
        // Only the first can be anything.
        if time_ns < self.last_ns {
            return None;
        }
        self.last_ns = time_ns;
        let duration_ns = self.number()?.checked_sub(1);
        let index = usize::try_from(self.number()?).ok()?;
        let cause = match self.causes.get(index) {
            Some(known) => *known,
            None if index == self.causes.len() => {
                let cause = self.cause()?;
                self.causes.push(cause);
                cause
            }
            None => return None,
        };
        let value = match cause.told.has_value() {
            true => self.number()?,
            false => 0,
        };
        if self.causes.len() >= MOST_CAUSES {
            self.causes.clear();
        }
        Some(LoggedExit {
            time_ns,
            duration_ns,
            cause,
            value,
        })
    }

    fn cause(&mut self) -> Option<Cause> {
        let reason = u32::try_from(self.number()?).ok()?;
        let rip = self.last_rip.wrapping_add(unfolded(self.number()?));
        self.last_rip = rip;
        let info = self.number()?;
        let vector = u32::try_from(self.number()?).ok()?;
        let (&told, rest) = self.rest.split_first()?;
        self.rest = rest;
        let told = ToldBy::of(told)?;
        let (key, sub) = match told {
            ToldBy::Nobody => (0, 0),
            _ => (self.number()?, self.number()?),
        };
        Some(Cause {
            reason,
            rip,
            info,
            vector,
            told,
            key,
            sub,
        })
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for at in 0..10 {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<LoggedExit, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let exit = self.exit();
        if exit.is_none() {
            self.rest = &[];
        }
        Some(exit.ok_or(Malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_exit() -> impl Strategy<Value = LoggedExit> {
        // Few causes, so that they come again.
        let cause =
            (0..5_u32, any::<bool>(), 0..10_u8, 0..3_u64).prop_map(|(reason, high, told, sub)| {
                let told = ToldBy::of(told).unwrap_or_default();
                let key = if told == ToldBy::Nobody { 0 } else { 0x3f8 };
                Cause {
                    reason,
                    rip: if high { u64::MAX - 3 } else { 0x1000 },
                    info: u64::from(reason) << 60,
                    vector: reason,
                    told,
                    key,
                    sub: if told == ToldBy::Nobody { 0 } else { sub },
                }
            });
        let times = (any::<u32>(), proptest::option::of(0..u64::MAX - 1));
        (times, cause, any::<u64>()).prop_map(|((time, duration_ns), cause, value)| LoggedExit {
            time_ns: time.into(),
            duration_ns,
            value: if cause.told.has_value() { value } else { 0 },
            cause,
        })
    }

    fn encoded(exits: &[LoggedExit]) -> Vec<u8> {
        let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
        for exit in exits {
            encoder.put(exit, &mut bytes);
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(mut exits in prop::collection::vec(any_exit(), 0..60)) {
            exits.sort_by_key(|exit| exit.time_ns);
            let decoded: Result<Vec<_>, _> = Decoder::of(&encoded(&exits)).collect();
            prop_assert_eq!(decoded, Ok(exits));
        }

        #[test]
        fn damaged_bytes_are_read_or_refused(
            mut exits in prop::collection::vec(any_exit(), 1..20),
            at: prop::sample::Index,
            byte: u8,
            cut: prop::sample::Index,
        ) {
            exits.sort_by_key(|exit| exit.time_ns);
            let mut bytes = encoded(&exits);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let length = bytes.len();
            prop_assert!(Decoder::of(&bytes).count() <= length);
        }
    }

    #[test]
    fn many_causes_are_forgotten_on_both_sides() {
        let exits: Vec<LoggedExit> = (0..MOST_CAUSES as u64 + 100)
            .map(|n| LoggedExit {
                time_ns: n,
                duration_ns: Some(1),
                cause: Cause {
                    rip: n,
                    ..Cause::default()
                },
                value: 0,
            })
            .collect();
        let decoded: Result<Vec<_>, _> = Decoder::of(&encoded(&exits)).collect();
        assert!(decoded == Ok(exits));
    }
}
