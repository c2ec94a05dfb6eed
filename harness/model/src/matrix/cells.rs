//! The cells of a matrix, as many as its axes and repeats ask for, and each of them once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::{Cell, Index, MOST_REPEATS, cell_name};

/// The most cells of a matrix, repeats included: more than any laboratory has patience for,
/// and what a program can hold in its memory.
pub const MOST_CELLS: usize = 10_000;

/// Reads cells, and keeps no more than there may be.
pub(super) fn bounded<'de, D, P>(from: D) -> Result<Vec<Cell<P>>, D::Error>
where
    D: Deserializer<'de>,
    P: Deserialize<'de>,
{
    from.deserialize_seq(Bounded(PhantomData))
}

struct Bounded<P>(PhantomData<P>);

impl<'de, P: Deserialize<'de>> Visitor<'de> for Bounded<P> {
    type Value = Vec<Cell<P>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_CELLS} cells")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = sequence.next_element()? {
            if cells.len() == MOST_CELLS {
                return Err(A::Error::custom(format!("more than {MOST_CELLS} cells")));
            }
            cells.push(cell);
        }
        Ok(cells)
    }
}

/// Holds the cells of an index against its axes and repeats: each combination is there, as
/// often as it is repeated, and is called by its name.
///
/// # Errors
///
/// The first thing that is not so.
pub(super) fn check<P>(index: &Index<P>) -> Result<(), String> {
    let mut axes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for axis in &index.axes {
        let values: BTreeSet<&str> = axis.values.iter().map(String::as_str).collect();
        if values.is_empty() || values.len() != axis.values.len() {
            return Err(format!(
                "the values of {:?} are none, or not all different",
                axis.key
            ));
        }
        if axes.insert(&axis.key, values).is_some() {
            return Err(format!("{:?} is an axis twice", axis.key));
        }
    }
    if !(1..=MOST_REPEATS).contains(&index.repeat) {
        return Err(format!(
            "repeat is {}, not 1 to {MOST_REPEATS}",
            index.repeat
        ));
    }
    let wanted = axes.values().try_fold(index.repeat as usize, |n, values| {
        n.checked_mul(values.len())
    });
    if wanted != Some(index.cells.len()) {
        return Err(format!(
            "it has {} cells, and its axes and repeats do not make as many",
            index.cells.len()
        ));
    }
    let (mut seen, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (number, cell) in (1..).zip(&index.cells) {
        let fits = |(key, value): (&String, &String)| {
            axes.get(key.as_str())
                .is_some_and(|values| values.contains(value.as_str()))
        };
        if cell.values.len() != axes.len() || !cell.values.iter().all(fits) {
            return Err(format!("cell {} has other values than the axes", cell.id));
        }
        if !(1..=index.repeat).contains(&cell.repeat) {
            return Err(format!(
                "cell {} is repeat {} of {}",
                cell.id, cell.repeat, index.repeat
            ));
        }
        if cell_name(number, &cell.values, cell.repeat).as_ref() != Ok(&cell.id) {
            return Err(format!("cell {} is not called by its values", cell.id));
        }
        if !seen.insert((&cell.values, cell.repeat)) || !names.insert(&cell.id) {
            return Err(format!("cell {} is there twice", cell.id));
        }
    }
    Ok(())
}
