//! The `exitlab` binary: starts logging, runs one command, and ends with its words and exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use exitlab::cli::Cli;
use exitlab::command;
use exitlab_base::{error, inherited};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    inherited::settle();
    let cli = Cli::parse();
    start_logging(cli.verbose);
    match command::run(cli.command) {
        Ok(ended) => {
            if let Some(words) = ended.for_people() {
                say(&words);
            }
            ExitCode::from(ended.exit_code())
        }
        Err(error) => {
            say(&error::for_people(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

/// `RUST_LOG` decides if it can be understood, else the number of `-v`s.
fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "exitlab=info",
        2 => "exitlab=debug",
        _ => "trace",
    };
    let own = std::env::var("RUST_LOG").ok();
    let own = own.filter(|text| !text.is_empty());
    let own: Option<Targets> = own.and_then(|text| text.parse().ok());
    let filter = own.or_else(|| level.parse().ok()).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}

fn say(words: &str) {
    // With standard error closed, the exit code is all that can be said.
    let _ = std::io::stderr().write_all(words.as_bytes());
}
