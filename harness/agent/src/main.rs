//! The `exitlab-agent` binary: what of exitlab runs on the host.
//!
//! It is small, and a program of its own, because its bytes decide counts: the host's kernel
//! reads them from the host's root file system.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use exitlab_agent::{run, run_on_leash, sweep};
use exitlab_base::{inherited, panics};

const USAGE: &str = "\
exitlab-agent runs on the host; exitlab starts it by itself.
  exitlab-agent --plan DEVICE --events DEVICE   take the plan from a device, write events to one
  exitlab-agent --below DIR   take the plan from standard input, write events to standard output,
                              work below DIR as long as standard input gives signs of life
  exitlab-agent --sweep DIR   clear away what killed agents left below DIR";

fn main() -> ExitCode {
    inherited::settle();
    panics::tell_in_one_line("exitlab-agent");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread: the agent's counts must not depend on a scheduler.
    let runtime = inherited::require_files().and_then(|()| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    });
    let outcome = runtime.and_then(|runtime| runtime.block_on(act(&arguments)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn act(arguments: &[&str]) -> std::io::Result<bool> {
    match arguments {
        ["--plan", plan, "--events", events] => run(Path::new(plan), Path::new(events)).await,
        ["--below", place] => run_on_leash(Path::new(place)).await,
        ["--sweep", place] => match sweep(Path::new(place)) {
            Ok(()) => Ok(true),
            Err(error) => {
                say(&error.to_string());
                Ok(false)
            }
        },
        _ => {
            say(USAGE);
            Ok(false)
        }
    }
}

/// For the host's console, or whoever tries it by hand.
fn say(text: &str) {
    // Where standard error is closed nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}
