//! Two logs: where they part, what each side did there, and what moved, cause by cause.

mod causes;
mod told;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::parting::{Exits, Parting, partings};
use super::{Log, Names};
use crate::compare::{CellCounts, Difference, channels_of, unlike};
use crate::reading::{records, results_of};
use causes::{Causes, Track};
use exitlab_base::error::{Error, Result};
use exitlab_model::record::RunRecord;

pub use told::{Exit, Moved};
pub use words::table;

/// How much is told.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Partings of each vCPU.
    pub partings: usize,
    /// Exits before and in each of them.
    pub context: usize,
    /// Causes that moved.
    pub causes: usize,
}

/// Most partings that are counted where not all are told.
const MOST_PARTINGS: usize = 10_000;

/// What became of two logs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The sides: as they were named, with the number of their exits.
    pub base: Side,
    /// The same of the other.
    pub head: Side,
    /// In what the experiments differ, and what else must be known.
    pub notes: Vec<String>,
    /// vCPUs that part; those that do not are not among them.
    pub vcpus: Vec<Parted>,
    /// Causes of which there are not as many on both sides, the most moved first.
    pub causes: Vec<Moved>,
    /// How many there are of them, those that are not told included.
    pub moved: usize,
}

/// A side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// As it was named.
    pub name: String,
    /// Exits in its log.
    pub exits: u64,
}

/// Where the two logs of a vCPU part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parted {
    /// Which.
    pub vcpu: u16,
    /// How many partings there are, without those of the host's interrupts alone.
    pub number: usize,
    /// From which exit of the base on interrupts of the host came elsewhere or not at all, and
    /// how many partings are that alone.
    pub hosts: Option<Hosts>,
    /// The first of them.
    pub partings: Vec<Shown>,
}

/// Interrupts of the host which one side does not have there. They are not the guest's doing:
/// whatever the host does takes another moment if anything about the experiment differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hosts {
    /// The number of the first such exit of the base, from 0.
    pub from: usize,
    /// How many partings are of nothing else.
    pub partings: usize,
}

/// One parting, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// How many exits both have just before it.
    pub common: usize,
    /// The last of these.
    pub before: Vec<Exit>,
    /// How many exits the base has to itself.
    pub only_base: usize,
    /// The first of these, and the one that follows if they are few.
    pub base: Vec<Exit>,
    /// How many the head has to itself.
    pub only_head: usize,
    /// The first of these, and the one that follows if they are few.
    pub head: Vec<Exit>,
    /// Whether both meet again.
    pub meets: bool,
}

/// Holds two runs against each other.
///
/// # Errors
///
/// [`Error::Config`] if one of them is no run with a log, or if they are of different
/// processors.
pub fn diverge(base: &Path, head: &Path, extent: Extent) -> Result<Divergence> {
    let (of_base, of_head) = (record_of(base)?, record_of(head)?);
    if of_base.isa != of_head.isa {
        return Err(Error::Config {
            message: "one run is of VMX, the other of SVM: no exit of one is one of the other"
                .to_owned(),
            cure: "give two runs of one platform".to_owned(),
        });
    }
    let mut causes = Causes::default();
    let mut read = |path: &Path, record: &RunRecord| -> Result<(Side, BTreeMap<u16, Track>)> {
        let log = Log::open(&results_of(path))?;
        let side = Side {
            name: path.display().to_string(),
            exits: log.exits(),
        };
        Ok((side, causes.read(log, &Names::of(record))?))
    };
    let (base, one) = read(base, &of_base)?;
    let (head, other) = read(head, &of_head)?;
    let notes = notes(&of_base, &of_head)?;
    let (moved, number) = moved(&causes, &one, &other, extent.causes);
    Ok(Divergence {
        base,
        head,
        notes,
        vcpus: parted(&causes, &one, &other, extent),
        causes: moved,
        moved: number,
    })
}

/// The record of one run.
fn record_of(path: &Path) -> Result<RunRecord> {
    let mut all = records(path)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(Error::Config {
            message: format!("{} is a matrix", path.display()),
            cure: "give one of its runs: a directory below cells".to_owned(),
        }),
    }
}

/// What must be known before two logs are held against each other.
fn notes(base: &RunRecord, head: &RunRecord) -> Result<Vec<String>> {
    let cell = |record: &RunRecord| {
        let wrong = |what: String| Error::Config {
            message: format!("a record has no counts: {what}"),
            cure: "run the experiment again".to_owned(),
        };
        let channel = channels_of(record).first().copied();
        let channel = channel.ok_or_else(|| wrong("no sample was taken".to_owned()))?;
        CellCounts::of_record(record, BTreeMap::new(), channel, "run").map_err(wrong)
    };
    let (one, other) = (cell(base)?, cell(head)?);
    let mut notes = Vec::new();
    if base.platform != head.platform {
        let (base, head) = (&base.platform, &head.platform);
        notes.push(format!("the platforms differ: {base} and {head}"));
    }
    let unlike = unlike(&one, &other);
    notes.extend(unlike.iter().map(|Difference { name, base, head }| {
        let say = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        format!(
            "different experiments: {name} is {} and {}",
            say(base),
            say(head)
        )
    }));
    if let Some(cell) = [&one, &other]
        .into_iter()
        .find(|cell| !cell.key.repeatable())
    {
        let platform = &cell.key.platform;
        notes.push(format!(
            "on {platform} no two runs are alike: each parts by itself"
        ));
    }
    for (side, record) in [("base", base), ("head", head)] {
        let Some(log) = &record.log else { continue };
        if log.left_out > 0 {
            let more = log.left_out;
            notes.push(format!(
                "the log of the {side} ends before the run: {more} exits more"
            ));
        }
        if log.lost > 0 {
            let lost = log.lost;
            notes.push(format!(
                "the log of the {side} lacks {lost} events that the kernel lost"
            ));
        }
    }
    Ok(notes)
}

fn parted(
    causes: &Causes,
    base: &BTreeMap<u16, Track>,
    head: &BTreeMap<u16, Track>,
    extent: Extent,
) -> Vec<Parted> {
    let none = Track::default();
    let mut vcpus: Vec<u16> = base.keys().chain(head.keys()).copied().collect();
    vcpus.sort_unstable();
    vcpus.dedup();
    let parted = vcpus.into_iter().filter_map(|vcpu| {
        let one = base.get(&vcpu).unwrap_or(&none);
        let other = head.get(&vcpu).unwrap_or(&none);
        let all = partings(
            &one.exits,
            &other.exits,
            causes,
            MOST_PARTINGS.max(extent.partings),
        );
        let (hosts, all) = of_the_guest(causes, one, other, all);
        let shown = all.iter().take(extent.partings);
        let shown: Vec<Shown> = shown
            .map(|parting| shown_parting(causes, one, other, parting, extent.context))
            .collect();
        (!all.is_empty() || hosts.is_some()).then_some(Parted {
            vcpu,
            number: all.len(),
            hosts,
            partings: shown,
        })
    });
    parted.collect()
}

/// Passes over partings of the host's interrupts alone: what is common before and after one is
/// common still.
fn of_the_guest(
    causes: &Causes,
    base: &Track,
    head: &Track,
    all: Vec<Parting>,
) -> (Option<Hosts>, Vec<Parting>) {
    let mut hosts: Option<Hosts> = None;
    let mut common = 0;
    let mut kept = Vec::new();
    for parting in all {
        let own = |track: &Track, range: &std::ops::Range<usize>| {
            let exits = track.exits.get(range.clone()).unwrap_or_default();
            causes.are_the_hosts(exits)
        };
        common += parting.common;
        if parting.meets && own(base, &parting.base) && own(head, &parting.head) {
            let from = parting.base.start;
            hosts.get_or_insert(Hosts { from, partings: 0 }).partings += 1;
            continue;
        }
        kept.push(Parting { common, ..parting });
        common = 0;
    }
    (hosts, kept)
}

fn shown_parting(
    causes: &Causes,
    base: &Track,
    head: &Track,
    parting: &Parting,
    context: usize,
) -> Shown {
    let before = parting
        .base
        .start
        .saturating_sub(context.min(parting.common));
    let before = before..parting.base.start;
    // What a side has to itself, and where it goes on: of a side that has nothing, that alone.
    let from = |own: &std::ops::Range<usize>| {
        let shown = own.len().saturating_add(1).min(context.max(1));
        own.start..own.start.saturating_add(shown)
    };
    Shown {
        common: parting.common,
        before: causes.exits(base, before),
        only_base: parting.base.len(),
        base: causes.exits(base, from(&parting.base)),
        only_head: parting.head.len(),
        head: causes.exits(head, from(&parting.head)),
        meets: parting.meets,
    }
}

/// Causes of which there are not as many on both sides: the first so many, and how many.
fn moved(
    causes: &Causes,
    base: &BTreeMap<u16, Track>,
    head: &BTreeMap<u16, Track>,
    most: usize,
) -> (Vec<Moved>, usize) {
    let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for exit in base.values().flat_map(|track| &track.exits) {
        counts.entry(causes.alike(*exit)).or_default().0 += 1;
    }
    for exit in head.values().flat_map(|track| &track.exits) {
        counts.entry(causes.alike(*exit)).or_default().1 += 1;
    }
    counts.retain(|_, (base, head)| base != head);
    let number = counts.len();
    let mut all: Vec<Moved> = counts
        .into_iter()
        .map(|(exit, (base, head))| causes.moved(exit, base, head))
        .collect();
    // Stable, and equals in the order of their words.
    all.sort_by(|one, other| {
        let by = |moved: &Moved| moved.base.abs_diff(moved.head);
        let words = |moved: &Moved| {
            let Moved {
                reason,
                detail,
                place,
                ..
            } = moved.clone();
            (reason, detail, place)
        };
        by(other)
            .cmp(&by(one))
            .then_with(|| words(one).cmp(&words(other)))
    });
    all.truncate(most);
    (all, number)
}

#[cfg(test)]
mod tests;
