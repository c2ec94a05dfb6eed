//! Which cell of one side is compared with which of the other.

use std::collections::BTreeSet;

use super::counts::{CellCounts, CellKey};
use exitlab_base::error::{Error, Result};

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// As the user named it.
    pub name: String,
    /// Its cells, by key.
    pub cells: Vec<CellCounts>,
}

impl Side {
    /// The cell of that key.
    pub fn cell(&self, key: &CellKey) -> Option<&CellCounts> {
        self.cells.iter().find(|cell| cell.key == *key)
    }

    /// The platforms of its cells.
    pub fn platforms(&self) -> BTreeSet<&str> {
        self.cells
            .iter()
            .map(|cell| cell.key.platform.as_str())
            .collect()
    }
}

/// A cell of each side.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The base.
    pub base: &'a CellCounts,
    /// The head.
    pub head: &'a CellCounts,
}

/// Pairs the cells of two sides: those of equal keys; and if each side has only one, these.
///
/// # Errors
///
/// [`Error::Config`] if nothing can be paired, or if platforms or instruction sets differ:
/// such counts say nothing about each other.
pub fn pairs<'a>(base: &'a Side, head: &'a Side) -> Result<Vec<Pair<'a>>> {
    let pairs = match (&*base.cells, &*head.cells) {
        ([one], [other]) => vec![Pair {
            base: one,
            head: other,
        }],
        _ => {
            let pair = |head: &'a CellCounts| {
                let base = base.cell(&head.key)?;
                Some(Pair { base, head })
            };
            head.cells.iter().filter_map(pair).collect()
        }
    };
    if pairs.is_empty() {
        return Err(nothing_in_common(base, head));
    }
    for Pair { base, head } in &pairs {
        let (one, other) = (&base.key.platform, &head.key.platform);
        if one != other {
            return Err(mixed(
                &format!("platform {one}"),
                &format!("platform {other}"),
            ));
        }
        if base.isa != head.isa {
            return Err(mixed(base.isa.name(), head.isa.name()));
        }
    }
    Ok(pairs)
}

/// The cells of `side` that none of `pairs` holds.
pub fn unpaired<'a>(side: &'a Side, pairs: &[Pair]) -> Vec<&'a CellCounts> {
    let held = |cell: &&CellCounts| {
        let same = |other: &CellCounts| std::ptr::eq(*cell, other);
        pairs.iter().any(|pair| same(pair.base) || same(pair.head))
    };
    side.cells.iter().filter(|cell| !held(cell)).collect()
}

fn mixed(base: &str, head: &str) -> Error {
    Error::Config {
        message: format!("the base is of {base}, the head of {head}: their exits do not compare"),
        cure: "give two runs of one platform".to_owned(),
    }
}

fn nothing_in_common(base: &Side, head: &Side) -> Error {
    let list = |side: &Side| {
        let keys: Vec<String> = side.cells.iter().map(|cell| cell.key.to_string()).collect();
        format!("{}: {}", side.name, keys.join(" | "))
    };
    let (one, other) = (base.platforms(), head.platforms());
    if one.is_disjoint(&other) {
        let all = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(" and ");
        return mixed(
            &format!("platform {}", all(one)),
            &format!("platform {}", all(other)),
        );
    }
    Error::Config {
        message: format!(
            "no cell is on both sides:\n  {}\n  {}",
            list(base),
            list(head)
        ),
        cure: "choose one cell of each side with --base-cells and --head-cells".to_owned(),
    }
}
