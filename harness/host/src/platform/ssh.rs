//! `ssh`: another machine as it is. Its kernel carries the exit census already. exitlab
//! brings its agent and the guest's images there, only what is missing, and runs the
//! agent over the connection. The agent ends and clears up when the connection does.

use std::path::Path;

use super::aftermath::Aftermath;
use super::leash::Leash;
use super::machine::{CONSOLE, EVENTS, Machine};
use super::remote::{Part, Remote};
use crate::image::{AGENT, companion};
use exitlab_base::error::Result;
use exitlab_base::process::Supervised;
use exitlab_model::order::Task;
use exitlab_model::plan::Plan;

/// Connects, brings what is missing, starts the agent.
pub async fn start(plan: &Plan, task: &Task, dir: &Path, note: &dyn Fn(&str)) -> Result<Machine> {
    let mut task = task.clone();
    let binary = Part::of(&companion(AGENT)?)?;
    let mut parts = vec![binary.clone()];
    for file in task.files() {
        parts.push(Part::of(file)?);
    }

    let remote = Remote::connect(plan, dir).await?;
    let facts = remote.probe(&parts).await?;
    // Without a channel nothing is read, and any KVM will do.
    facts.require(remote.address(), !plan.sampling.channels.is_empty())?;
    facts.require_room(remote.address(), &parts)?;
    for part in facts.missing(&parts) {
        let (name, size) = (part.name(), part.size() >> 10);
        note(&format!("copying {name}, {size} KiB"));
        remote.bring(part, &facts).await?;
    }
    for (file, part) in task.files().into_iter().zip(&parts[1..]) {
        *file = facts.place_of(part);
    }
    task.use_qemu(facts.qemu());

    let binary = facts.place_of(&binary);
    let command = remote.agent(&binary, &facts.agents());
    let (process, pipe) = Supervised::spawn_piped(command, &dir.join(EVENTS), &dir.join(CONSOLE))?;
    let leash = Leash::hold(pipe, &task)?;
    let aftermath = Aftermath::There {
        agents: facts.agents(),
        binary,
        remote: Box::new(remote),
    };
    let name = "the agent";
    Ok(Machine::as_it_is(
        name,
        process,
        dir,
        &plan.deadlines,
        leash,
        aftermath,
    ))
}
