//! Which cell of one side is compared with which of the other.

use std::collections::BTreeSet;

use super::alike::say_the_same_of;
use super::counts::{CellCounts, CellKey};
use exitlab_base::error::{Error, Result};

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// As the user named it.
    pub name: String,
    /// Its cells, by key.
    pub cells: Vec<CellCounts>,
    /// Runs that lie there and are no good.
    pub left_out: Vec<LeftOut>,
}

/// A run that is not used: it failed, was interrupted, is not finished, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is, and why it is no good.
    pub why: String,
    /// Which cell it is of, if that is known.
    pub key: Option<CellKey>,
}

impl Side {
    /// The cell of that key.
    pub fn cell(&self, key: &CellKey) -> Option<&CellCounts> {
        self.cells.iter().find(|cell| cell.key == *key)
    }

    /// The cell that another side's `cell` is of: the one of that key, or the only one whose
    /// plan says what the key says, where one side has an axis that the other has not.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if there are several.
    pub fn counterpart(&self, cell: &CellCounts) -> Result<Option<&CellCounts>> {
        if let Some(same) = self.cell(&cell.key) {
            return Ok(Some(same));
        }
        let mut found = self.cells.iter().filter(|own| meets(own, cell));
        let first = found.next();
        if let (Some(first), Some(second)) = (first, found.next()) {
            return Err(Error::Config {
                message: format!(
                    "{}: {} is both {} and {}",
                    self.name, cell.key, first.key, second.key
                ),
                cure: "choose one of them with --base-cells, or leave the other out".to_owned(),
            });
        }
        Ok(first)
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

/// Whether two cells of unequal axes are of one cell: a key that both have for an axis has one
/// value, and of any other their plans say the same.
fn meets(one: &CellCounts, other: &CellCounts) -> bool {
    let (own, others) = (&one.key.values, &other.key.values);
    let same = |key: &String| match (own.get(key), others.get(key)) {
        (Some(value), Some(other)) => value == other,
        _ => say_the_same_of(key, one, other),
    };
    one.key.platform == other.key.platform
        && one.key.experiment == other.key.experiment
        && own.keys().chain(others.keys()).all(same)
}

/// Pairs the cells of two sides ([`Side::counterpart`]); and if each side has only one, these.
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
                let base = base.counterpart(head).transpose()?;
                Some(base.map(|base| Pair { base, head }))
            };
            head.cells.iter().filter_map(pair).collect::<Result<_>>()?
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::compare::fixture::planned;

    fn cell(values: &[(&str, &str)], plan: &[(&str, &str)]) -> CellCounts {
        let mut cell = planned("e", plan);
        let values = values
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        cell.key.values = values.collect();
        if let Some((_, platform)) = plan.iter().find(|(key, _)| *key == "platform") {
            cell.key.platform = (*platform).to_owned();
        }
        cell
    }

    fn side(cells: Vec<CellCounts>) -> Side {
        Side {
            name: "side".to_owned(),
            cells,
            left_out: Vec::new(),
        }
    }

    fn matched(base: &Side, head: &Side) -> Vec<[String; 2]> {
        let pairs = pairs(base, head).unwrap();
        let keys = |pair: &Pair| [pair.base.key.to_string(), pair.head.key.to_string()];
        pairs.iter().map(keys).collect()
    }

    #[test]
    fn a_matrix_over_platforms_meets_a_run_of_one_of_them_and_the_other_way_round() {
        let one = |platform: &str| cell(&[("platform", platform)], &[("platform", platform)]);
        let matrix = side(vec![one("bochs-vmx"), one("tcg-svm")]);
        let single = |platform: &str| side(vec![cell(&[], &[("platform", platform)])]);
        let expected = [
            "e on tcg-svm, platform=tcg-svm".to_owned(),
            "e on tcg-svm".to_owned(),
        ];
        let pair = matched(&matrix, &single("tcg-svm"));
        assert_eq!(pair, std::slice::from_ref(&expected));
        let [of_base, of_head] = expected;
        assert_eq!(matched(&single("tcg-svm"), &matrix), [[of_head, of_base]]);
        assert!(pairs(&matrix, &single("nested")).is_err());
    }

    #[test]
    fn a_matrix_over_a_key_meets_a_run_whose_plan_has_its_value() {
        let of = |memory: &str, mib: &str, machine: &str| {
            cell(
                &[("guest.memory", memory), ("guest.machine", machine)],
                &[("guest.memory_mib", mib), ("guest.machine", machine)],
            )
        };
        let matrix = side(vec![
            of("256M", "256", "q35"),
            of("512M", "512", "q35"),
            of("256M", "256", "pc"),
            of("512M", "512", "pc"),
        ]);
        let plan = [("guest.memory_mib", "512"), ("guest.machine", "pc")];
        let plain = side(vec![cell(&[], &plan)]);
        let pair = matched(&matrix, &plain);
        let key = "e on bochs-vmx, guest.machine=pc, guest.memory=512M";
        assert_eq!(pair[0][0], key);
        // One axis of both, the other of one.
        let half = side(vec![
            cell(&[("guest.machine", "pc")], &plan),
            cell(
                &[("guest.machine", "q35")],
                &[("guest.memory_mib", "1024"), ("guest.machine", "q35")],
            ),
        ]);
        assert_eq!(matched(&matrix, &half).len(), 1, "no cell has 1024 MiB");
        assert_eq!(matched(&matrix, &half)[0][0], key);
        let twice = side(vec![matrix.cells[0].clone(), {
            let mut other = matrix.cells[0].clone();
            other
                .key
                .values
                .insert("guest.memory".to_owned(), "0.25G".to_owned());
            other
        }]);
        let plain = [("guest.memory_mib", "256"), ("guest.machine", "q35")];
        let error = pairs(&twice, &side(vec![cell(&[], &plain)])).unwrap_err();
        assert!(error.to_string().contains("is both"), "{error}");
    }
}
