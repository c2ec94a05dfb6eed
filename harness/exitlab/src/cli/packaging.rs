//! What packages are made of, and shells ask for.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  exitlab completions bash > ~/.local/share/bash-completion/completions/exitlab
  exitlab completions fish > ~/.config/fish/completions/exitlab.fish

Packages of exitlab bring them.";

/// `exitlab completions`
#[derive(Debug, Clone, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// For which shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `exitlab manual`
#[derive(Debug, Clone, Args)]
pub struct ManualArgs {
    /// The directory that gets the pages.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
