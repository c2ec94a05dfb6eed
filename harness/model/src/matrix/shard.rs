//! A part of a matrix: every N-th cell. Cells that follow each other differ in what changes
//! fastest, so that parts are of about one size.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `number` of `of`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

impl Shard {
    /// Whether a cell, counted from 0, is part of it.
    pub fn has(self, cell: usize) -> bool {
        cell % self.of as usize == self.number as usize - 1
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
            (1..=of).contains(&number).then_some(Shard { number, of })
        });
        parts.ok_or_else(|| "a part is written I/N, from 1/N to N/N".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_in_one_part() {
        let parts: Vec<Shard> = (1..=3).map(|number| Shard { number, of: 3 }).collect();
        for cell in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(cell)).count(), 1);
        }
        assert_eq!("2/3".parse(), Ok(parts[1]));
        for bad in ["", "0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
