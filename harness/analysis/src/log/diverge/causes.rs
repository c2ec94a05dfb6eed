//! What exits are, by number: equal on both sides if they have the same words, so that another
//! kernel's addresses do not make them different.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::told::{Exit, Moved};
use crate::log::parting::Exits;
use crate::log::{Log, Names};
use exitlab_base::error::Result;
use exitlab_model::log::Cause;

/// The exits of one vCPU, by the number of their cause, and when they were.
#[derive(Debug, Default)]
pub struct Track {
    /// Causes.
    pub exits: Vec<u32>,
    times: Vec<u64>,
}

/// All causes of both sides.
#[derive(Debug, Default)]
pub struct Causes {
    known: Vec<Known>,
    numbers: HashMap<Known, u32>,
    /// What each one is alike to.
    alike: Vec<u32>,
    /// Whether it comes when the host has something to do.
    hosts: Vec<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Known {
    reason: String,
    detail: String,
    place: String,
}

impl Causes {
    /// Reads a side.
    pub fn read(&mut self, log: Log, names: &Names) -> Result<BTreeMap<u16, Track>> {
        let mut tracks: BTreeMap<u16, Track> = BTreeMap::new();
        let mut seen: HashMap<Cause, u32> = HashMap::new();
        for row in log {
            let row = row?;
            let cause = row.exit.cause;
            let number = match seen.get(&cause) {
                Some(number) => *number,
                None => {
                    let number = self.number(&cause, names);
                    seen.insert(cause, number);
                    number
                }
            };
            let track = tracks.entry(row.vcpu).or_default();
            track.exits.push(number);
            track.times.push(row.exit.time_ns);
        }
        Ok(tracks)
    }

    fn number(&mut self, cause: &Cause, names: &Names) -> u32 {
        let known = Known {
            reason: names.reason(cause.reason),
            detail: names.detail(cause),
            place: names.place(cause.rip),
        };
        let hosts = names.is_the_hosts(cause.reason);
        let alike = match (hosts, names.within_its_page(cause.rip)) {
            (true, _) => Known {
                detail: String::new(),
                place: String::new(),
                ..known.clone()
            },
            (false, Some(place)) => Known {
                place,
                ..known.clone()
            },
            (false, None) => return self.enter(known, hosts),
        };
        let number = self.enter(known, hosts);
        let alike = self.enter(alike, hosts);
        if let Some(place) = self.alike.get_mut(number as usize) {
            *place = alike;
        }
        number
    }

    fn enter(&mut self, known: Known, hosts: bool) -> u32 {
        if let Some(number) = self.numbers.get(&known) {
            return *number;
        }
        let number = self.known.len() as u32;
        self.alike.push(number);
        self.hosts.push(hosts);
        self.known.push(known.clone());
        self.numbers.insert(known, number);
        number
    }

    /// Whether none of these exits is the guest's doing: they came when the host had something
    /// to do.
    pub fn are_the_hosts(&self, exits: &[u32]) -> bool {
        exits.iter().all(|cause| self.is_the_hosts(*cause))
    }

    /// Some exits of a vCPU, as far as it has them.
    pub fn exits(&self, track: &Track, range: Range<usize>) -> Vec<Exit> {
        let exits = range.filter_map(|number| {
            let known = self.known.get(*track.exits.get(number)? as usize)?;
            Some(Exit {
                number,
                time_ns: *track.times.get(number)?,
                reason: known.reason.clone(),
                detail: known.detail.clone(),
                place: known.place.clone(),
            })
        });
        exits.collect()
    }

    /// A cause with its counts.
    pub fn moved(&self, cause: u32, base: u64, head: u64) -> Moved {
        let known = self.known.get(cause as usize);
        let word = |of: fn(&Known) -> &String| known.map(of).cloned().unwrap_or_default();
        Moved {
            reason: word(|known| &known.reason),
            detail: word(|known| &known.detail),
            place: word(|known| &known.place),
            base,
            head,
        }
    }
}

impl Exits for Causes {
    fn alike(&self, cause: u32) -> u32 {
        self.alike.get(cause as usize).copied().unwrap_or(cause)
    }

    fn is_the_hosts(&self, cause: u32) -> bool {
        self.hosts.get(cause as usize).copied().unwrap_or(false)
    }
}
