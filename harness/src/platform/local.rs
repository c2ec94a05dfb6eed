//! `local`: this machine as it is. Its kernel carries the exit census already; the agent
//! runs here, as a child, and nothing on the machine is changed.

use std::path::Path;

use tokio::process::Command;

use super::leash::Leash;
use super::machine::{Aftermath, CONSOLE, EVENTS, Machine};
use crate::agent::{self, Task};
use crate::artifact::Cache;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::process::Supervised;

/// Starts the agent.
pub fn start(plan: &Plan, task: &Task, cache: &Cache, dir: &Path) -> Result<Machine> {
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    let place = agent::place_in(cache.root());
    let mut command = Command::new(exe);
    command.args(["agent", "--below"]).arg(&place);
    command.current_dir(dir);
    let (process, pipe) = Supervised::spawn_piped(command, &dir.join(EVENTS), &dir.join(CONSOLE))?;
    let leash = Leash::hold(pipe, task)?;
    Ok(Machine::as_it_is(
        "the agent",
        process,
        dir,
        &plan.deadlines,
        leash,
        Aftermath::Here(place),
    ))
}
