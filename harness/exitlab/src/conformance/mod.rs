//! `exitlab conformance`: boots a kernel, lets the agent judge its exit census rule by
//! rule, and reports. [`run`] is the story; `grading` has it for many kernels.
//!
//! The rules are in `exitlab_model::rule`; how each is judged is in the agent's `trial`, because it
//! happens on the host.

mod broken;
mod report;

use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::doctor;
use crate::out_dir::OutDir;
use crate::results::Results;
use crate::session::Session;
use exitlab_base::error::{Error, Result};
use exitlab_host::image;
use exitlab_host::platform::{self, Boot};
use exitlab_kernel as kernel;
use exitlab_kernel::look::{self, Unfit};
use exitlab_model::event::Event;
use exitlab_model::failure::FailureKind;
use exitlab_model::hardware;
use exitlab_model::layout;
use exitlab_model::order::{Task, TrialOrder};
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::reasons::Isa;

pub use broken::{Broken, Why};
pub use report::Report;

/// Has a kernel that cannot unpack itself say so on the serial port, and one that panics before
/// its console is there (Documentation/admin-guide/kernel-parameters.txt, `earlyprintk`).
const EARLY_WORDS: &str = "earlyprintk=serial,ttyS0,115200";

/// The default of `deadlines.host_boot`, seconds.
const DEFAULT_BOOT_S: f64 = 300.0;

/// How long a kernel under trial may take until the agent speaks, seconds: of the emulator's
/// work where the host is emulated. exitlab's own takes 5 on `tcg-svm` and 15 on `bochs-vmx`.
fn boot_s(platform: PlatformKind) -> f64 {
    match platform {
        PlatformKind::TcgSvm => 30.0,
        _ => 60.0,
    }
}

/// Boots the kernel of a plan, and judges its exit census. What was judged of a trial that
/// breaks off comes with the error.
pub async fn run(
    plan: &Plan,
    order: TrialOrder,
    out: &OutDir,
    cx: &mut Context,
) -> Result<Report, Box<Broken>> {
    if let KernelSource::Package(_) = plan.kernel.source {
        return Err(without_census().into());
    }
    out.prepare()?;
    cx.ui.choice(plan);
    if let KernelSource::Image(path) = &plan.kernel.source {
        cx.ui.stage("image");
        let look = look_at(path.clone(), isa(plan));
        let unfit = cx.interrupt.or(look).await?.err();
        if let Some(unfit) = unfit {
            return Err(Broken::unfit(path, unfit));
        }
    }
    let mut heard = Heard::default();
    let outcome = try_out(&for_trial(plan), order, out, cx, &mut heard).await;
    outcome.map_err(|error| {
        let Heard { report, failed } = heard;
        let why = Why::Failed(error, failed);
        Box::new(Broken { why, report })
    })
}

/// A distribution's kernel as it is has nothing to judge.
fn without_census() -> Error {
    Error::Config {
        message: "kernel.source: a distribution's kernel has no exit census to judge".to_owned(),
        cure: "judge its modules with the census (exitlab kernel modules), or a kernel that is \
               built from a source"
            .to_owned(),
    }
}

/// Reads the image of the user's own, beside whatever else goes on.
async fn look_at(path: PathBuf, isa: Option<Isa>) -> Result<Result<(), Unfit>> {
    let work = tokio::task::spawn_blocking(move || {
        let seen = look::look(&path)?;
        isa.map_or(Ok(()), |isa| look::fits(&seen, isa))
    });
    work.await
        .map_err(|e| Error::io("look at", "the image")(std::io::Error::other(e)))
}

/// The virtualization of the host that boots.
fn isa(plan: &Plan) -> Option<Isa> {
    match plan.host.accelerator {
        _ if plan.platform.isa().is_some() => plan.platform.isa(),
        Accelerator::Tcg => Some(Isa::Svm),
        Accelerator::Kvm => hardware::isa(Path::new("/")),
    }
}

/// A plan as a trial has it: silence is known early, and a kernel's early words are heard.
fn for_trial(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    // Another one than the default is the user's own.
    if plan.deadlines.host_boot_s == DEFAULT_BOOT_S {
        plan.deadlines.host_boot_s = boot_s(plan.platform);
    }
    if matches!(plan.kernel.source, KernelSource::Image(_)) {
        let own = std::mem::take(&mut plan.host.cmdline);
        plan.host.cmdline = format!("{EARLY_WORDS} {own}").trim_end().to_owned();
    }
    plan
}

/// What is known of a trial that goes on.
#[derive(Default)]
struct Heard {
    /// What was found; none until the kernel is there.
    report: Option<Report>,
    /// How the agent says it failed.
    failed: Option<FailureKind>,
}

async fn try_out(
    plan: &Plan,
    order: TrialOrder,
    out: &OutDir,
    cx: &mut Context,
    heard: &mut Heard,
) -> Result<Report> {
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    let form = platform::host_form(plan.platform).ok_or_else(|| not_booted(plan))?;
    doctor::check_machine(plan, cache.root()).require()?;
    ui.stage("kernel");
    let build = async {
        let kernel = kernel::build(cache, &plan.kernel, &|progress| ui.note(progress)).await?;
        let host = image::build_bare_host(cache, form).await?;
        Ok((kernel, host))
    };
    let (kernel, host) = interrupt.or(build).await?;
    let mut results = Results::create(out)?;
    let report = heard.report.insert(Report::new(plan, &kernel, &order));

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
    let work = judge(session, report, &mut heard.failed);
    let outcome = interrupt.or(work).await;
    results.close_machine();
    outcome?;
    results.json(layout::CONFORMANCE, report)?;
    Ok(report.clone())
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
async fn judge(
    session: Session<'_>,
    report: &mut Report,
    failed: &mut Option<FailureKind>,
) -> Result<()> {
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
            Event::Failed { kind, .. } => {
                judging = None;
                *failed = Some(*kind);
            }
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
        ) if !was_ended(&message) => {
            report.died(rule, &message, &tail);
            Ok(())
        }
        (_, outcome) => outcome,
    }
}

/// Whether somebody ended the emulator, which says nothing about the host
/// (`QEMU ended (signal: 9 (SIGKILL))`).
fn was_ended(message: &str) -> bool {
    ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]
        .iter()
        .any(|signal| message.contains(&format!("({signal})")))
}
