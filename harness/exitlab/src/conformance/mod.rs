//! `exitlab conformance`: boots a kernel, lets the agent judge its exit census rule by
//! rule, and reports. [`run`] is the story.
//!
//! The rules are in `exitlab_model::rule`; how each is judged is in the agent's `trial`, because it
//! happens on the host.

mod report;

use crate::context::Context;
use crate::doctor;
use crate::out_dir::OutDir;
use crate::results::Results;
use crate::session::Session;
use exitlab_base::error::{Error, Result};
use exitlab_host::image;
use exitlab_host::platform::{self, Boot};
use exitlab_kernel as kernel;
use exitlab_model::event::Event;
use exitlab_model::layout;
use exitlab_model::order::{Task, TrialOrder};
use exitlab_model::plan::Plan;

pub use report::Report;

/// Boots the kernel of a plan, and judges its exit census.
pub async fn run(plan: &Plan, order: TrialOrder, out: &OutDir, cx: &mut Context) -> Result<Report> {
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    out.prepare()?;
    ui.choice(plan);
    let form = platform::host_form(plan.platform).ok_or_else(|| not_booted(plan))?;
    doctor::check(plan, cache.root()).require()?;
    ui.stage("kernel");
    let build = async {
        let kernel = kernel::build(cache, &plan.kernel, &|progress| ui.note(progress)).await?;
        let host = image::build_bare_host(cache, form).await?;
        Ok((kernel, host))
    };
    let (kernel, host) = interrupt.or(build).await?;
    let mut results = Results::create(out)?;
    let mut report = Report::new(plan, &kernel, &order);

    let session = Session {
        plan,
        boot: Some(Boot {
            kernel: &kernel,
            image: &host,
        }),
        task: Task::Trial(order),
        cache,
        results: &mut results,
        ui,
    };
    let outcome = interrupt.or(judge(session, &mut report)).await;
    results.close_machine();
    outcome?;
    results.json(layout::CONFORMANCE, &report)?;
    Ok(report)
}

/// Rules switch parameters of KVM, and a broken kernel may die of them.
fn not_booted(plan: &Plan) -> Error {
    Error::Config {
        message: format!(
            "conformance tries a kernel hard: it boots one, and does not do that to {}",
            plan.platform_name()
        ),
        cure: "choose bochs-vmx, tcg-svm or nested with --platform, and the kernel with --kernel"
            .to_owned(),
    }
}

/// Enters what the agent finds into the report.
async fn judge(session: Session<'_>, report: &mut Report) -> Result<()> {
    // The rule that has no finding yet, while the host lives.
    let mut judging = None;
    let mut heard = |event: &Event, _: &Results| {
        match event {
            Event::Started { kernel, cpu, .. } => report.host(kernel.clone(), cpu.clone()),
            Event::Judging { rule } => judging = Some(*rule),
            Event::Found(finding) => {
                judging = None;
                report.findings.push(finding.clone());
            }
            // Not the death of a host: its agent still speaks.
            Event::Failed { .. } => judging = None,
            _ => {}
        }
        Ok(())
    };
    let outcome = session.hold(&mut heard).await;
    match (judging, outcome) {
        // A host that dies of what it was asked says more than any answer.
        (
            Some(rule),
            Err(Error::Experiment { message, tail, .. } | Error::Silence { message, tail, .. }),
        ) => {
            report.died(rule, &message, &tail);
            Ok(())
        }
        (_, outcome) => outcome,
    }
}
