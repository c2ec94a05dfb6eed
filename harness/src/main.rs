//! The `exitlab` binary: starts logging, runs one command, maps its error to an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use exitlab::cli::Cli;
use exitlab::error::Error;
use exitlab::{command, ui};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    match command::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "exitlab=info",
        2 => "exitlab=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

fn report(error: &Error) {
    // With standard error closed, the exit code is all that can be said.
    let _ = std::io::stderr().write_all(ui::error_text(error).as_bytes());
}
