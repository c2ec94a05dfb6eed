//! A matrix of experiments, as `matrix.json` keeps it. It is written before anything runs,
//! holds every plan, and is what a matrix is resumed, merged and read by.

mod shard;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::layout;
use crate::plan::Plan;

pub use shard::Shard;

/// Version of `matrix.json`.
pub const SCHEMA: u32 = 1;

/// A key with several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimension {
    /// `guest.machine`
    pub key: String,
    /// As people read them.
    pub values: Vec<String>,
}

/// One experiment of a matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell<P = Plan> {
    /// Its name, fit for a directory: `guest.machine=q35,r1`.
    pub id: String,
    /// What it has of each axis.
    pub values: BTreeMap<String, String>,
    /// Which of the repeats, from 1.
    pub repeat: u32,
    /// What is run.
    pub plan: P,
}

/// What a matrix consists of. Who reads results alone need not understand the plans, which
/// may be another version's: to them they are [`serde::de::IgnoredAny`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index<P = Plan> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// Digest of all cells with their plans (BLAKE3, hex): equal for the same work.
    pub plan_digest: String,
    /// The keys with several values.
    pub axes: Vec<Dimension>,
    /// How often each combination runs.
    pub repeat: u32,
    /// Which part of the cells runs here; none for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// All cells, also those of other shards.
    pub cells: Vec<Cell<P>>,
}

/// Why a `matrix.json` cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// It is no index.
    Json(serde_json::Error),
    /// It is one of this version, not of [`SCHEMA`].
    Schema(u32),
}

impl<P: DeserializeOwned> Index<P> {
    /// Reads what a `matrix.json` holds.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn parse(text: &[u8]) -> Result<Index<P>, Unreadable> {
        let index: Index<P> = serde_json::from_slice(text).map_err(Unreadable::Json)?;
        match index.schema {
            SCHEMA => Ok(index),
            other => Err(Unreadable::Schema(other)),
        }
    }
}

impl<P> Index<P> {
    /// The cells that run here, in the plan's order.
    pub fn mine(&self) -> impl Iterator<Item = &Cell<P>> {
        let shard = self.shard;
        let cells = self.cells.iter().enumerate();
        cells
            .filter(move |(number, _)| shard.is_none_or(|shard| shard.has(*number)))
            .map(|(_, cell)| cell)
    }
}

impl<P> Cell<P> {
    /// Its results directory in that of the matrix.
    pub fn dir(&self, matrix: &Path) -> PathBuf {
        matrix.join(layout::CELLS).join(&self.id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    const TEXT: &str = r#"{
        "schema": 1, "experiment": "e", "plan_digest": "d",
        "axes": [{"key": "guest.vcpus", "values": ["1", "2"]}], "repeat": 1,
        "shard": {"number": 2, "of": 2},
        "cells": [
            {"id": "guest.vcpus=1,r1", "values": {"guest.vcpus": "1"}, "repeat": 1, "plan": {}},
            {"id": "guest.vcpus=2,r1", "values": {"guest.vcpus": "2"}, "repeat": 1, "plan": {}}
        ]
    }"#;

    #[test]
    fn an_index_is_read_whatever_its_plans_are_and_knows_its_part() {
        let index: Index<IgnoredAny> = Index::parse(TEXT.as_bytes()).unwrap();
        let mine: Vec<PathBuf> = index.mine().map(|cell| cell.dir(Path::new("m"))).collect();
        assert_eq!(mine, [Path::new("m/cells/guest.vcpus=2,r1")]);
        let strict: Result<Index, Unreadable> = Index::parse(TEXT.as_bytes());
        assert!(matches!(strict, Err(Unreadable::Json(_))), "{strict:?}");
    }

    #[test]
    fn an_index_of_another_version_is_refused() {
        let text = TEXT.replace("\"schema\": 1", "\"schema\": 2");
        let index: Result<Index<IgnoredAny>, Unreadable> = Index::parse(text.as_bytes());
        assert!(matches!(index, Err(Unreadable::Schema(2))), "{index:?}");
    }
}
