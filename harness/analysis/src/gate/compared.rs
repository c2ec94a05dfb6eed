//! What was compared with what, for people: so that a gate that passed says of what.

use super::rules::{Origin, Rules};
use crate::compare::{CellCounts, Difference, Pair, Side, unknown_below, unlike, unpaired};

/// More cells than these are counted.
const LISTED: usize = 20;

/// A line for each cell, and one for what was left aside.
pub(super) fn lines(
    rules: &Rules,
    base: Option<&Side>,
    head: &Side,
    pairs: &[Pair],
) -> Vec<String> {
    let line = |cell: &CellCounts| match pairs.iter().find(|p| std::ptr::eq(p.head, cell)) {
        Some(pair) => paired(rules, pair),
        None => format!("{}: by itself, {}", cell.key, extent(cell)),
    };
    let mut lines: Vec<String> = head.cells.iter().take(LISTED).map(line).collect();
    if head.cells.len() > LISTED {
        lines.push(format!("… and {} more cells", head.cells.len() - LISTED));
    }
    let aside: Vec<String> = base
        .into_iter()
        .flat_map(|base| unpaired(base, pairs))
        .map(|cell| cell.key.to_string())
        .collect();
    if !aside.is_empty() {
        lines.push(format!("only in the base: {}", aside.join(" | ")));
    }
    let sides = base.into_iter().chain([head]);
    lines.extend(sides.flat_map(|side| side.left_out.iter().map(|run| run.why.clone())));
    lines
}

fn extent(cell: &CellCounts) -> String {
    let phases = cell.phase_names().join(", ");
    format!(
        "repeats: {}, channel {}, phases {phases}",
        cell.repeats, cell.channel
    )
}

/// `boot-vs-idle on tcg-svm: 3 repeats against 1, channel stats, phases boot, idle 1; the same
/// plan; equal provenance, so every exit counts`
fn paired(rules: &Rules, pair: &Pair) -> String {
    let Pair { base, head } = pair;
    let against = match base.key == head.key {
        true => String::new(),
        false => format!(" against {}", base.key),
    };
    let (allowed, forbidden) = rules.sorted(unlike(base, head));
    let mut parts = vec![format!(
        "{}{against}: repeats {} against {}, channel {}, phases {}",
        head.key,
        head.repeats,
        base.repeats,
        head.channel,
        head.phase_names().join(", ")
    )];
    parts.push(match (allowed.is_empty(), forbidden.is_empty()) {
        (true, true) => "the same plan".to_owned(),
        (_, false) => format!("unlike plans: {}", told(&forbidden)),
        (false, true) => format!("plans differ as they may: {}", told(&allowed)),
    });
    let kernel = base.facts.kernels(&head.facts);
    if !kernel.is_empty() {
        parts.push(format!("the kernel under test differs: {}", told(&kernel)));
    }
    // What the plans differ in was said.
    let plans: Vec<String> = allowed
        .iter()
        .chain(&forbidden)
        .map(|d| format!("plan {}", d.name))
        .collect();
    let mut around = base.facts.surroundings(&head.facts);
    around.retain(|d| !plans.contains(&d.name));
    let by_it = rules.rules.iter().any(|r| r.provenance != Origin::Any);
    parts.push(match around.is_empty() {
        true if !plans.is_empty() => "all else is equal".to_owned(),
        true if by_it => "equal provenance, so every exit counts".to_owned(),
        true => "equal provenance".to_owned(),
        false => format!("provenance differs: {}", told(&around)),
    });
    parts.extend(unknown_below(base, head));
    parts.join("; ")
}

/// Differences in a few words; the beginning of a digest tells it from others.
fn told(differences: &[Difference]) -> String {
    const CHARS: usize = 40;
    let say = |value: &Option<String>| match value {
        Some(value) => value.chars().take(CHARS).collect(),
        None => "none".to_owned(),
    };
    let one = |d: &Difference| format!("{} {} → {}", d.name, say(&d.base), say(&d.head));
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}
