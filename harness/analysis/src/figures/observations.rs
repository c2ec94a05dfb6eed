//! What stands out in a table of counts. Ties go to the lower reason number.

use std::cmp::Reverse;

use super::{CountTable, Row};

/// The observations of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// The highest count in the last column.
    pub highest: Option<Counted>,
    /// The lowest count in the last column that is not zero.
    pub fewest: Option<Counted>,
    /// Most new exits in the last interval.
    pub fastest: Option<Grown>,
    /// Fastest relative growth from the first column to the last, among reasons that
    /// happened before the first.
    pub fastest_relative: Option<RelativeGrowth>,
    /// Reasons that are not zero and the same in all columns, of which there are at
    /// least two.
    pub unchanged: Vec<u32>,
    /// Sum over all reasons, one for each column.
    pub totals: Vec<u128>,
}

/// A reason and its count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Basic exit reason.
    pub reason: u32,
    /// Its name.
    pub name: String,
    /// Its count in the last column.
    pub count: u64,
}

/// A reason and its new exits in one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// Basic exit reason.
    pub reason: u32,
    /// Its name.
    pub name: String,
    /// Exits in the interval.
    pub new: i128,
}

/// A reason and its growth from the first column to the last.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeGrowth {
    /// Basic exit reason.
    pub reason: u32,
    /// Its name.
    pub name: String,
    /// Growth in percent of the first count.
    pub percent: f64,
}

impl Observations {
    /// What stands out in `table`.
    pub fn of(table: &CountTable) -> Observations {
        let happened = || table.rows.iter().filter(|row| row.last() > 0);
        Observations {
            highest: happened()
                .min_by_key(|row| Reverse(row.last()))
                .map(Counted::of),
            fewest: happened().min_by_key(|row| row.last()).map(Counted::of),
            fastest: fastest(table),
            fastest_relative: fastest_relative(table),
            unchanged: unchanged(table),
            totals: table.totals(),
        }
    }
}

impl Counted {
    fn of(row: &Row) -> Counted {
        Counted {
            reason: row.reason,
            name: row.name.clone(),
            count: row.last(),
        }
    }
}

fn fastest(table: &CountTable) -> Option<Grown> {
    let grown = table
        .rows
        .iter()
        .filter_map(|row| Some((row, *row.deltas().last()?)));
    let (row, new) = grown
        .filter(|&(_, new)| new > 0)
        .min_by_key(|&(_, new)| Reverse(new))?;
    Some(Grown {
        reason: row.reason,
        name: row.name.clone(),
        new,
    })
}

fn fastest_relative(table: &CountTable) -> Option<RelativeGrowth> {
    let grown = table
        .rows
        .iter()
        .filter(|row| row.boot() > 0 && row.growth() > 0);
    // last/boot, compared by products: exact where quotients of floats would tie.
    let row = grown.min_by(|a, b| {
        let a_is = u128::from(a.last()) * u128::from(b.boot());
        let b_is = u128::from(b.last()) * u128::from(a.boot());
        b_is.cmp(&a_is)
    })?;
    let percent = row.growth() as f64 / row.boot() as f64 * 100.0;
    Some(RelativeGrowth {
        reason: row.reason,
        name: row.name.clone(),
        percent,
    })
}

fn unchanged(table: &CountTable) -> Vec<u32> {
    let same = |row: &&Row| {
        row.counts.len() > 1 && row.boot() > 0 && row.counts.iter().all(|&n| n == row.boot())
    };
    table
        .rows
        .iter()
        .filter(same)
        .map(|row| row.reason)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::figures::fixture::{self, table};

    #[test]
    fn facts_of_the_reference() {
        let seen = Observations::of(&fixture::reference());
        let highest = seen.highest.unwrap();
        assert_eq!((highest.reason, highest.count), (48, 13_763_857));
        let fewest = seen.fewest.unwrap();
        assert_eq!((fewest.reason, fewest.count), (47, 2));
        let fastest = seen.fastest.unwrap();
        assert_eq!((fastest.reason, fastest.new), (32, 5_678));
        let relative = seen.fastest_relative.unwrap();
        assert_eq!(
            (relative.reason, format!("{:.1}", relative.percent)),
            (12, "24.1".to_owned())
        );
        assert_eq!(seen.unchanged, [0, 28, 29, 46, 47, 54, 55]);
        assert_eq!(seen.totals, [14_300_952, 14_335_884, 14_347_402]);
    }

    #[test]
    fn ties_go_to_the_lower_number() {
        let seen = Observations::of(&table(
            "reason,count_1,count_2\n9,5,10\n3,5,10\n4,1,2\n2,1,2\n",
        ));
        assert_eq!(seen.highest.unwrap().reason, 3);
        assert_eq!(seen.fewest.unwrap().reason, 2);
        assert_eq!(seen.fastest.unwrap().reason, 3);
        assert_eq!(seen.fastest_relative.unwrap().reason, 2);
    }

    #[test]
    fn nothing_is_claimed_without_evidence() {
        let one = Observations::of(&table("reason,count_1\n9,5\n"));
        assert_eq!(
            (one.fastest, one.fastest_relative, one.unchanged),
            (None, None, vec![])
        );
        let idle = Observations::of(&table("reason,count_1,count_2\n9,0,0\n10,7,6\n"));
        assert_eq!(
            (idle.fastest, idle.fastest_relative, idle.unchanged),
            (None, None, vec![])
        );
        let late = Observations::of(&table("reason,count_1,count_2\n9,0,4\n"));
        assert_eq!(late.fastest_relative, None);
    }
}
