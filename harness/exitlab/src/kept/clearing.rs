//! Clears away results and parts of the cache: what goes, what stays and why.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use comfy_table::{CellAlignment, Table, presets};

use exitlab_base::artifact::{self, Contents, Item};
use exitlab_base::dir::Dir;
use exitlab_base::error::Result;
use exitlab_base::foreign;

use super::removal::{self, Removed};
use super::words::{age, moment, size};
use super::{Found, Kept, listing};

/// What is to go of what could.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// Now.
    pub now: SystemTime,
    /// Only what was not used, or written, for so long.
    pub older_than: Option<Duration>,
    /// So many of the newest stay: of the results of a directory, and of each part of the cache.
    pub keep: usize,
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stays {
    /// Somebody works with it.
    InUse,
    /// It is not as old as was asked.
    Young,
    /// It is one of the newest.
    Newest,
}

impl Stays {
    fn words(self) -> &'static str {
        match self {
            Stays::InUse => "in use",
            Stays::Young => "too young",
            Stays::Newest => "of the newest",
        }
    }
}

impl Selection {
    /// What becomes of things, the newest first: each with whether it is in use, and since
    /// when it is as it is.
    fn judge(&self, things: &[(bool, SystemTime)]) -> Vec<Option<Stays>> {
        let mut kept = 0;
        let judge = |&(in_use, since): &(bool, SystemTime)| {
            if in_use {
                return Some(Stays::InUse);
            }
            if kept < self.keep {
                kept += 1;
                return Some(Stays::Newest);
            }
            let age = self.now.duration_since(since).unwrap_or_default();
            let young = self.older_than.is_some_and(|least| age < least);
            young.then_some(Stays::Young)
        };
        things.iter().map(judge).collect()
    }
}

/// What goes of some things, and what stays.
#[derive(Debug)]
pub struct Chosen<T> {
    go: Vec<T>,
    stay: Vec<(T, Stays)>,
    /// What is not exitlab's, or cannot be told: it stays in any case.
    foreign: Vec<String>,
}

impl<T> Chosen<T> {
    /// Whether anything goes.
    pub fn is_empty(&self) -> bool {
        self.go.is_empty()
    }

    /// Deals things out, which come the newest first.
    fn add(&mut self, things: Vec<T>, judged: Vec<Option<Stays>>) {
        for (thing, stays) in things.into_iter().zip(judged) {
            match stays {
                None => self.go.push(thing),
                Some(why) => self.stay.push((thing, why)),
            }
        }
    }

    /// `2 stay in use, 1 stays too young`; nothing if all goes.
    fn staying(&self) -> String {
        let mut numbers: BTreeMap<Stays, usize> = BTreeMap::new();
        for (_, why) in &self.stay {
            *numbers.entry(*why).or_default() += 1;
        }
        let say = |(why, number): (&Stays, &usize)| format!("{number} {}", why.words());
        let parts: Vec<String> = numbers.iter().map(say).collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!("stays: {}\n", parts.join(", ")),
        }
    }

    fn others(&self) -> String {
        let line = |what: &String| format!("  {}\n", foreign::line(what));
        let lines: String = self.foreign.iter().map(line).collect();
        match lines.is_empty() {
            true => lines,
            false => format!("not exitlab's, or damaged; left alone:\n{lines}"),
        }
    }
}

/// Chooses of results.
pub fn of_results(all: Vec<Kept>, selection: &Selection) -> Chosen<Kept> {
    let (results, others): (Vec<Kept>, Vec<Kept>) = all
        .into_iter()
        .partition(|kept| matches!(kept.found, Found::Results(_)));
    let mut results = results;
    results.sort_by_key(|kept| std::cmp::Reverse((kept.when(), kept.name.clone())));
    let say = |kept: &Kept| format!("{}: {}", kept.path().display(), listing::outcome(kept));
    let mut chosen = Chosen {
        go: Vec::new(),
        stay: Vec::new(),
        foreign: others.iter().map(say).collect(),
    };
    let things: Vec<(bool, SystemTime)> = results
        .iter()
        .map(|kept| (kept.in_use, kept.measure.changed))
        .collect();
    let judged = selection.judge(&things);
    chosen.add(results, judged);
    chosen
}

/// Chooses of a cache.
pub fn of_cache(contents: &Contents, selection: &Selection) -> Chosen<Item> {
    let mut parts: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    for item in &contents.items {
        parts.entry(&item.part).or_default().push(item.clone());
    }
    let mut chosen = Chosen {
        go: Vec::new(),
        stay: Vec::new(),
        foreign: contents.foreign.clone(),
    };
    for mut items in parts.into_values() {
        items.sort_by_key(|item| std::cmp::Reverse(item.used));
        let things: Vec<(bool, SystemTime)> =
            items.iter().map(|item| (item.in_use, item.used)).collect();
        let judged = selection.judge(&things);
        chosen.add(items, judged);
    }
    chosen
}

/// What would go of results, in lines.
pub fn results_table(chosen: &Chosen<Kept>, now: SystemTime) -> String {
    let mut table = table(&[
        "results",
        "began (UTC)",
        "sort",
        "outcome",
        "size",
        "unchanged",
    ]);
    for kept in &chosen.go {
        let Found::Results(about) = &kept.found else {
            continue;
        };
        table.add_row([
            foreign::cell(&kept.path().display().to_string()),
            moment(kept.when()),
            about.sort.word().to_owned(),
            listing::outcome(kept),
            size(kept.measure.bytes),
            age(kept.measure.changed, now),
        ]);
    }
    aligned(&mut table, &[4, 5]);
    let bytes = chosen.go.iter().map(|kept| kept.measure.bytes).sum();
    told(chosen, "results", &table, bytes)
}

/// What would go of a cache, a line for each part.
pub fn cache_table(chosen: &Chosen<Item>, now: SystemTime) -> String {
    let mut parts: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in &chosen.go {
        parts.entry(&item.part).or_default().push(item);
    }
    let mut table = table(&["part of the cache", "number", "size", "unused for"]);
    for (part, items) in parts {
        let times = || items.iter().map(|item| item.used);
        let ages = [times().max(), times().min()].map(|time| time.map(|time| age(time, now)));
        let [Some(least), Some(most)] = ages else {
            continue;
        };
        let range = match least == most {
            true => most,
            false => format!("{least} to {most}"),
        };
        let bytes = items.iter().map(|item| item.bytes).sum();
        let number = items.len().to_string();
        table.add_row([foreign::cell(part), number, size(bytes), range]);
    }
    aligned(&mut table, &[1, 2]);
    let bytes = chosen.go.iter().map(|item| item.bytes).sum();
    told(chosen, "things in the cache", &table, bytes)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    table
}

fn aligned(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn told<T>(chosen: &Chosen<T>, what: &str, table: &Table, bytes: u64) -> String {
    let sum = match chosen.is_empty() {
        true => format!("No {what} to remove.\n"),
        false => format!(
            "{}\n\n{} {what}, {}\n",
            table.trim_fmt(),
            chosen.go.len(),
            size(bytes)
        ),
    };
    sum + &chosen.staying() + &chosen.others()
}

/// Removes results, and says what went and what did not.
pub fn remove_results(chosen: &Chosen<Kept>) -> Result<String> {
    let (mut number, mut bytes, mut more) = (0_usize, 0_u64, String::new());
    for kept in &chosen.go {
        let path = foreign::line(&kept.path().display().to_string());
        match removal::remove(&Dir::open(&kept.place)?, &kept.name)? {
            Removed::Gone => {}
            Removed::InUse => {
                more += &format!("{path}: in use, left\n");
                continue;
            }
            Removed::Rest(rest) => {
                let rest: Vec<String> = rest.iter().map(|name| foreign::cell(name)).collect();
                let rest = foreign::line(&rest.join(", "));
                more += &format!("{path}: not exitlab's, left: {rest}\n");
            }
        }
        number += 1;
        bytes = bytes.saturating_add(kept.measure.bytes);
    }
    Ok(format!(
        "removed: {number} results, {}\n{more}",
        size(bytes)
    ))
}

/// Removes parts of a cache, and says what went and what did not.
pub fn remove_from_cache(contents: &Contents, chosen: &Chosen<Item>) -> Result<String> {
    let (mut number, mut bytes, mut more) = (0_usize, 0_u64, String::new());
    for item in &chosen.go {
        match contents.remove(item)? {
            artifact::Removed::Gone => {
                number += 1;
                bytes = bytes.saturating_add(item.bytes);
            }
            artifact::Removed::InUse => {
                let (part, name) = (foreign::cell(&item.part), foreign::cell(&item.name));
                more += &format!("{part}/{name}: in use, left\n");
            }
        }
    }
    let size = size(bytes);
    Ok(format!(
        "removed: {number} things in the cache, {size}\n{more}"
    ))
}
