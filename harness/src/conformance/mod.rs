//! `exitlab conformance`: boots a kernel, lets the agent judge its exit census rule by
//! rule, and reports. [`run`] is the story.
//!
//! The rules are in [`rule`]; how each is judged is in the agent's `trial`, because it
//! happens on the host.

mod report;
mod rule;

use std::path::Path;

use crate::agent::{Task, TrialOrder};
use crate::artifact::Cache;
use crate::config::Plan;
use crate::doctor;
use crate::error::{Error, Result};
use crate::event::{Event, PROTOCOL};
use crate::image;
use crate::kernel;
use crate::platform::{self, Boot, Machine};
use crate::results::Results;
use crate::run;
use crate::signals::Interrupt;
use crate::ui::Ui;

pub use report::{Report, line};
pub use rule::{Finding, Rule, Verdict};

/// The report's file in the results directory.
const REPORT: &str = "conformance.json";

/// Boots the kernel of a plan, and judges its exit census.
pub async fn run(
    plan: &Plan,
    order: TrialOrder,
    out: &Path,
    cache: &Cache,
    ui: &mut Ui,
    interrupt: &mut Interrupt,
) -> Result<Report> {
    Results::require_absent(out)?;
    ui.choice(plan);
    doctor::check(plan, cache.root()).require()?;
    ui.stage("kernel");
    let build = async {
        let kernel = kernel::build(cache, &plan.kernel, &|progress| ui.note(progress)).await?;
        let host = image::build_bare_host(cache, platform::host_form(plan.platform)).await?;
        Ok((kernel, host))
    };
    let (kernel, host) = interrupt.or(build).await?;
    let mut results = Results::create(out)?;
    let mut report = Report::new(plan, &kernel, &order);

    let task = Task::Trial(order);
    let boot = Boot {
        kernel: &kernel,
        image: &host,
        task: &task,
    };
    let trial = trial(plan, boot, cache, &mut results, &mut report, ui);
    let outcome = interrupt.or(trial).await;
    results.close_machine();
    outcome?;
    results.json(REPORT, &report)?;
    Ok(report)
}

async fn trial(
    plan: &Plan,
    boot: Boot<'_>,
    cache: &Cache,
    results: &mut Results,
    report: &mut Report,
    ui: &mut Ui,
) -> Result<()> {
    ui.stage("host boots");
    let mut machine = platform::start(plan, boot, cache, &results.machine_dir()).await?;
    let mut judging = None;
    match listen(&mut machine, results, report, &mut judging, ui).await {
        Ok(()) => {
            ui.stage("host powers off");
            for line in machine.power_off().await? {
                results.host_console(&line)?;
            }
            Ok(())
        }
        Err(error) => {
            // The first error is the cause.
            let _ = machine.stop().await;
            match (judging, error) {
                // A host that dies of what it was asked says more than any answer.
                (Some(rule), Error::Experiment { message, tail, .. }) => {
                    report.died(rule, &message, &tail);
                    Ok(())
                }
                (_, error) => Err(error),
            }
        }
    }
}

/// Takes in what the host says until its agent's last event. `judging` is the rule that
/// has no finding yet.
async fn listen(
    machine: &mut Machine,
    results: &mut Results,
    report: &mut Report,
    judging: &mut Option<Rule>,
    ui: &mut Ui,
) -> Result<()> {
    loop {
        let event = match machine.next().await? {
            platform::Report::Console(line) => {
                results.host_console(&line)?;
                ui.host_console(&line);
                continue;
            }
            platform::Report::Event(event) => event,
        };
        results.event(&event)?;
        ui.event(&event);
        match *event {
            Event::Started { protocol, .. } if protocol != PROTOCOL => {
                return Err(run::stale(protocol));
            }
            Event::Started { kernel, cpu, .. } => report.host(kernel, cpu),
            Event::Judging { rule } => *judging = Some(rule),
            Event::Found(finding) => {
                *judging = None;
                report.findings.push(finding);
            }
            Event::Failed {
                stage,
                kind,
                message,
                tail,
            } => {
                // Not the death of a host: its agent still speaks.
                *judging = None;
                return Err(run::failure(stage, kind, message, tail));
            }
            Event::Finished { .. } => return Ok(()),
            _ => {}
        }
    }
}
