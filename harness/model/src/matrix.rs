//! A matrix of experiments, as `matrix.json` keeps it. It is written before anything runs,
//! holds every plan, and is what a matrix is resumed, merged and read by.

mod cells;
mod digest;
mod naming;
mod reader;
mod shard;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layout;
use crate::name::PlainName;
use crate::plan::Plan;

pub use cells::MOST_CELLS;
pub use digest::digest;
pub use naming::cell_name;
pub use reader::{Unreadable, read, read_whole};
pub use shard::Shard;

/// Version of `matrix.json`.
pub const SCHEMA: u32 = 1;

/// How often a combination may run.
pub const MOST_REPEATS: u32 = 1000;

/// A key with several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dimension {
    /// `guest.machine`
    pub key: String,
    /// As people read them.
    pub values: Vec<String>,
}

/// One experiment of a matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell<P = Plan> {
    /// Its name, fit for a directory: `guest.machine=q35,r1` ([`cell_name`]).
    pub id: PlainName,
    /// What it has of each axis.
    pub values: BTreeMap<String, String>,
    /// Which of the repeats, from 1.
    pub repeat: u32,
    /// What is run.
    pub plan: P,
}

/// What a matrix consists of. Who reads results alone need not understand the plans, which
/// may be another version's: to them they are [`serde::de::IgnoredAny`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(bound(deserialize = "P: Deserialize<'de>"))]
pub struct Index<P = Plan> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// [`digest`] of all cells with their plans: equal for the same work.
    pub plan_digest: String,
    /// The keys with several values.
    pub axes: Vec<Dimension>,
    /// How often each combination runs.
    pub repeat: u32,
    /// Which part of the cells runs here; none for all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// All cells, also those of other shards; at most [`MOST_CELLS`].
    #[serde(deserialize_with = "cells::bounded")]
    pub cells: Vec<Cell<P>>,
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
mod tests;
