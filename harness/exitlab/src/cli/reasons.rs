//! Arguments of `reasons`.

use clap::Args;

use super::ListFormat;

const REASONS_EXAMPLES: &str = "\
Examples:
  exitlab reasons
  exitlab reasons --sdm 2021 --format csv          as far as a manual of then knows them";

/// `exitlab reasons`
#[derive(Debug, Clone, Args)]
#[command(after_help = REASONS_EXAMPLES)]
pub struct ReasonsArgs {
    /// Only the reasons that Intel's SDM of this year defines.
    #[arg(long, value_name = "YEAR")]
    pub sdm: Option<u16>,
    /// How the list is written.
    #[arg(long, value_enum, default_value_t = ListFormat::Table, value_name = "FORMAT")]
    pub format: ListFormat,
}
