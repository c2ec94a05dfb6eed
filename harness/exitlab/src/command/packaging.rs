//! What packages are made of: the manual's pages and the shells' completions, from the command
//! line's own types.

use clap::CommandFactory;

use super::told::print;
use crate::cli::{Cli, CompletionsArgs, ManualArgs};
use exitlab_base::error::{Error, Result};

/// Prints what a shell completes `exitlab` by.
pub fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "exitlab", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Writes a page (section 1) for exitlab and for each of its commands.
pub fn manual(args: &ManualArgs) -> Result<()> {
    let dir = &args.out;
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(Error::io("write", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("man1");
        manual(&ManualArgs { out: out.clone() }).unwrap();
        for command in Cli::command().get_subcommands() {
            let page = out.join(format!("exitlab-{}.1", command.get_name()));
            assert_eq!(page.is_file(), !command.is_hide_set(), "{}", page.display());
        }
        let page = std::fs::read_to_string(out.join("exitlab.1")).unwrap();
        assert!(page.contains(".TH exitlab 1"), "{page}");
    }
}
