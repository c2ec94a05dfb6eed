//! Rules about what is below a reason: a detail, or a place in the guest.

use super::choice::{BelowChoice, plain};
use super::rules::{Limit, Rule};
use crate::compare::{CellCounts, Item, Pair, Tally};
use crate::figures::Kind;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::cell as shown;
use exitlab_base::toml::nearest;

/// Near matches that an error names.
const MATCHES: usize = 3;

/// Numbers so far from one that was meant are near it: registers of a device.
const NEIGHBOURS: u64 = 15;

/// Refuses a rule about something that a side did not count, or that no side has.
///
/// # Errors
///
/// [`Error::Config`] with the rule's place, and near matches.
pub(super) fn require(
    rule: &Rule,
    cells: &[&CellCounts],
    pairs: &[Pair],
    needs_base: bool,
) -> Result<()> {
    let Some(choice) = rule.below.as_ref().filter(|_| !cells.is_empty()) else {
        return Ok(());
    };
    let [key, sampling] = choice.keys();
    let pair = |cell: &CellCounts| pairs.iter().find(|pair| std::ptr::eq(pair.head, cell));
    let mut sides = Vec::new();
    for cell in cells {
        sides.push((*cell, "the run"));
        let base = pair(cell).filter(|_| needs_base);
        sides.extend(base.map(|pair| (pair.base, "the base")));
    }
    for (cell, which) in &sides {
        if !choice.is_told(cell) {
            return Err(not_counted(rule, cell, which, sampling));
        }
    }
    let names = |cell: &CellCounts| cell.told.named;
    let apart = |cell: &&CellCounts| pair(cell).is_some_and(|p| names(p.base) != names(p.head));
    if key == "place" && needs_base && cells.iter().any(apart) {
        return Err(Error::Config {
            message: format!(
                "{}: rule `{}`: the guest's code has names on one side only",
                rule.place, rule.title
            ),
            cure: "count places on both sides with guests that tell their symbols (docs/why.md)"
                .to_owned(),
        });
    }
    let mut known: Vec<(&Item, &Tally)> = Vec::new();
    for (cell, _) in &sides {
        let items = cell.phases.iter().flat_map(|phase| &phase.below.0);
        known.extend(items.filter(|(item, _)| {
            let of_rule = |reason| rule.scope.reasons.has(reason, cell.isa);
            choice.is_of(item.kind) && of_rule(item.reason)
        }));
    }
    let is_there = known
        .iter()
        .any(|(item, tally)| choice.has(item, tally.name.as_deref()));
    match is_there || may_be_absent(rule) {
        true => Ok(()),
        false => Err(unknown(rule, choice, key, &known)),
    }
}

/// That there is none of something is what a highest number can be about, if it can be at all.
fn may_be_absent(rule: &Rule) -> bool {
    let spelled = rule.below.as_ref().and_then(BelowChoice::kind);
    matches!(rule.limit, Limit::MaxExits(_)) && spelled.is_some()
}

/// What must be said of a case that passed because nothing is there.
pub(super) fn unseen(rule: &Rule, seen: bool) -> Option<String> {
    let choice = rule.below.as_ref().filter(|_| !seen)?;
    Some(format!(
        "there is no `{}` in this phase; that it is spelled as it would be cannot be known from it",
        choice.words()
    ))
}

fn not_counted(rule: &Rule, cell: &CellCounts, which: &str, sampling: &str) -> Error {
    let told = Kind::ALL.into_iter().any(|kind| {
        let of_key = rule.below.as_ref().is_some_and(|choice| choice.is_of(kind));
        of_key && cell.told.has(kind)
    });
    let (what, cure) = match told {
        true => (
            "its host's kernel does not tell these",
            "see what its table says is not counted, or leave the rule out there with platform"
                .to_owned(),
        ),
        false => (
            "it has none",
            format!("run it with {sampling} = true; of such a run, save the baseline again"),
        ),
    };
    Error::Config {
        message: format!(
            "{}: rule `{}` is about what is below a reason, and {which} of {} does not tell it: \
             {what}",
            rule.place, rule.title, cell.key
        ),
        cure,
    }
}

fn unknown(rule: &Rule, choice: &BelowChoice, key: &str, known: &[(&Item, &Tally)]) -> Error {
    let mut near = near(&plain(choice.words()), known);
    near.truncate(MATCHES);
    let near: Vec<String> = near
        .iter()
        .map(|words| format!("`{}`", shown(words)))
        .collect();
    let cure = match (known.is_empty(), near.is_empty()) {
        (true, _) => "nothing at all is below these reasons: check rule.reason".to_owned(),
        (_, false) => format!("did you mean {}?", near.join(" or ")),
        (_, true) => format!(
            "write it as the tables print it; the commonest are {}",
            commonest(known)
        ),
    };
    Error::Config {
        message: format!(
            "{}: rule.{key} = \"{}\": no run has it (rule `{}`)",
            rule.place,
            shown(choice.words()),
            rule.title
        ),
        cure,
    }
}

/// What was meant: spelled nearly so, or called so.
fn near(wanted: &str, known: &[(&Item, &Tally)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |one: &(&Item, &Tally)| {
        let words = one.1.words(one.0);
        if !found.contains(&words) {
            found.push(words);
        }
    };
    let forms = |(item, _): &(&Item, &Tally)| {
        let bare = item.kind.undirected(&item.spelling);
        [plain(&item.spelling), plain(bare)]
    };
    let all: Vec<[String; 2]> = known.iter().map(forms).collect();
    // Of numbers the nearest ones, of names those that are spelled nearly so.
    if let Some((noun, number)) = numbered(wanted) {
        let distance = |form: &String| {
            let (own, other) = numbered(form)?;
            (own == noun).then(|| other.abs_diff(number))
        };
        let mut close: Vec<_> = known
            .iter()
            .zip(&all)
            .filter_map(|(one, forms)| Some((forms.iter().find_map(distance)?, one)))
            .collect();
        close.sort_by_key(|(distance, _)| *distance);
        let least = close.first().map_or(0, |(distance, _)| *distance);
        close.retain(|(distance, _)| *distance <= least.max(NEIGHBOURS));
        close.iter().for_each(|(_, one)| add(one));
    }
    let texts: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
    let close = nearest(wanted, &texts);
    for (one, forms) in known.iter().zip(&all) {
        if forms.iter().any(|form| close.contains(&form.as_str())) {
            add(one);
        }
    }
    for one in known {
        let has = wanted.len() >= 3 && one.1.words(one.0).to_lowercase().contains(wanted);
        if has {
            add(one);
        }
    }
    found
}

/// What stands before a number, and the number.
fn numbered(words: &str) -> Option<(&str, u64)> {
    let (noun, digits) = words.rsplit_once(" 0x")?;
    Some((noun, u64::from_str_radix(digits, 16).ok()?))
}

fn commonest(known: &[(&Item, &Tally)]) -> String {
    let mut known = known.to_vec();
    let sum = |tally: &Tally| tally.counts.iter().map(|&n| u128::from(n)).sum::<u128>();
    known.sort_by_key(|(_, tally)| std::cmp::Reverse(sum(tally)));
    let mut names: Vec<String> = Vec::new();
    for one in &known {
        let name = format!("`{}`", shown(&one.1.words(one.0)));
        if names.len() < MATCHES && !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
