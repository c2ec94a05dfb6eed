//! A part of a matrix: every N-th cell. Cells that follow each other differ in what changes
//! fastest, so that parts are of about one size.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Part `number` of `of`, from 1. There is no other way to have one than [`Shard::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(!try_from)]
pub struct Shard {
    number: u32,
    of: u32,
}

/// A part as a file has it, which may be none.
#[derive(Deserialize)]
struct Written {
    number: u32,
    of: u32,
}

impl Shard {
    /// Part `number` of `of`; none if there is no such part.
    pub fn new(number: u32, of: u32) -> Option<Shard> {
        (1..=of).contains(&number).then_some(Shard { number, of })
    }

    /// Whether a cell, counted from 0, is part of it.
    pub fn has(self, cell: usize) -> bool {
        cell % self.of as usize == self.number as usize - 1
    }
}

impl TryFrom<Written> for Shard {
    type Error = String;

    fn try_from(Written { number, of }: Written) -> Result<Shard, String> {
        Shard::new(number, of).ok_or_else(|| format!("there is no part {number} of {of}"))
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            Shard::new(number, of)
        });
        parts.ok_or_else(|| "a part is written I/N, from 1/N to N/N".to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_cell_is_in_one_part() {
        let parts: Vec<Shard> = (1..=3).map(|n| Shard::new(n, 3).unwrap()).collect();
        for cell in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(cell)).count(), 1);
        }
        assert_eq!("2/3".parse(), Ok(parts[1]));
        for bad in ["", "0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever numbers a file holds: a part that is one, or an error.
        #[test]
        fn a_part_that_was_read_is_one(number in 0..5_u32, of in 0..5_u32, cell in 0..9_usize) {
            let text = format!(r#"{{"number": {number}, "of": {of}}}"#);
            let read: Result<Shard, _> = serde_json::from_str(&text);
            prop_assert_eq!(read.is_ok(), number >= 1 && number <= of);
            if let Ok(shard) = read {
                prop_assert_eq!(shard.has(cell), cell % of as usize + 1 == number as usize);
            }
        }
    }
}
