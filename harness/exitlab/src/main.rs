//! The `exitlab` binary: starts logging, runs one command, and ends with its words and exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use exitlab::cli::{Cli, FIRST_STEPS};
use exitlab::command;
use exitlab_base::error::{self, exit_code};
use exitlab_base::{inherited, panics, screen};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    inherited::settle();
    panics::tell_in_one_line("exitlab");
    let cli = Cli::parse();
    start_logging(cli.verbose);
    let Some(command) = cli.command else {
        screen::err(FIRST_STEPS);
        return ExitCode::from(exit_code::CONFIG);
    };
    // What a panic leaves running ends on its way up to here.
    let outcome = catch_unwind(AssertUnwindSafe(|| command::run(command)));
    let Ok(outcome) = outcome else {
        return ExitCode::from(exit_code::INTERNAL);
    };
    match outcome {
        // It was a task's, and nobody waited for it.
        Ok(_) if panics::happened() => ExitCode::from(exit_code::INTERNAL),
        Ok(ended) => {
            if let Some(words) = ended.for_people() {
                screen::err(&words);
            }
            ExitCode::from(ended.exit_code())
        }
        Err(error) => {
            screen::err(&error::for_people(&error));
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
    // Colour codes would get into every file that standard error is sent to.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| screen::Errors);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
}
