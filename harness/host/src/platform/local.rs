//! `local`: this machine as it is. Its kernel carries the exit census already; the agent
//! runs here, as a child, and nothing on the machine is changed.

use std::path::Path;

use tokio::process::Command;

use super::aftermath::Aftermath;
use super::leash::Leash;
use super::machine::{CONSOLE, EVENTS, Machine};
use crate::image::{AGENT, companion};
use exitlab_base::artifact::Cache;
use exitlab_base::error::Result;
use exitlab_base::process::Supervised;
use exitlab_model::order::{Task, place_in};
use exitlab_model::plan::Plan;

/// Starts the agent.
pub fn start(plan: &Plan, task: &Task, cache: &Cache, dir: &Path) -> Result<Machine> {
    let agent = companion(AGENT)?;
    let place = place_in(cache.root());
    let mut command = Command::new(&agent);
    command.arg("--below").arg(&place);
    command.current_dir(dir);
    let (process, pipe) = Supervised::spawn_piped(command, &dir.join(EVENTS), &dir.join(CONSOLE))?;
    let leash = Leash::hold(pipe, task)?;
    Ok(Machine::as_it_is(
        "the agent",
        process,
        dir,
        &plan.deadlines,
        leash,
        Aftermath::Here { agent, place },
    ))
}
