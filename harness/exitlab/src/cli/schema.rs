//! Arguments of `schema`.

use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  exitlab schema run                       what a run.json of this version holds
  exitlab schema matrix >matrix.schema.json";

/// `exitlab schema`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct SchemaArgs {
    /// Of which file.
    #[arg(value_enum, value_name = "FILE")]
    pub file: SchemaFile,
}

/// The files of a results directory that programs read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// `run.json`
    Run,
    /// `matrix.json`
    Matrix,
}
