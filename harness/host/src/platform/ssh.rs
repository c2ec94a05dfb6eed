//! `ssh`: another machine as it is. exitlab
//! brings its agent and the guest's images there, only what is missing, and runs the
//! agent over the connection. The agent ends and clears up when the connection does.

use std::path::Path;

use super::aftermath::Aftermath;
use super::leash::Leash;
use super::machine::{CONSOLE, EVENTS, Machine};
use super::remote::{Demand, Facts, Part, Remote};
use crate::image::{AGENT, companion};
use exitlab_base::error::Result;
use exitlab_base::process::Supervised;
use exitlab_model::order::Task;
use exitlab_model::plan::Plan;
use exitlab_model::record::Channel;

/// What the task needs of the machine. Without a channel nothing is read, and any KVM will do;
/// the tracepoint is any kernel's, and what lacks for it only the agent can see.
fn demand(plan: &Plan, task: &Task, facts: &Facts) -> Demand {
    let sampling = &plan.sampling;
    let census = sampling.channels.iter().any(|c| *c != Channel::Trace);
    match task {
        Task::Attach(_) => Demand::Agent,
        _ if census && (!sampling.auto || facts.has_census()) => Demand::Census,
        _ => Demand::Guest,
    }
}

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
    facts.require(remote.address(), demand(plan, &task, &facts))?;
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
