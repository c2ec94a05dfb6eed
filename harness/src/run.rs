//! The story of the conductor: the only file that knows the order of the stages.

use std::path::{Path, PathBuf};

use crate::agent::{Order, Task};
use crate::artifact::Cache;
use crate::config::Plan;
use crate::doctor;
use crate::error::{Error, FailureKind, Result};
use crate::event::{Event, PROTOCOL, Stage};
use crate::image::{self, GuestImage, HostImage, HostParts};
use crate::kernel::{self, HostKernel};
use crate::platform::{self, Boot, Machine, Report};
use crate::provenance;
use crate::record::{HostMoment, Outcome, RunRecord, SCHEMA};
use crate::results::Results;
use crate::signals::Interrupt;
use crate::ui::Ui;

/// A run that came to its good end.
#[derive(Debug)]
pub struct Run {
    /// The results directory.
    pub dir: PathBuf,
    /// What it measured.
    pub record: RunRecord,
}

/// Everything that a host boots from.
#[derive(Debug)]
pub struct Artifacts {
    /// The kernel of host and guest.
    pub kernel: HostKernel,
    /// The guest's initramfs.
    pub guest: GuestImage,
    /// The host's root file system.
    pub host: HostImage,
}

/// Runs an experiment: from kernel source to tables in `out`.
pub async fn run(
    plan: &Plan,
    out: &Path,
    cache: &Cache,
    ui: &mut Ui,
    interrupt: &mut Interrupt,
) -> Result<Run> {
    Results::require_absent(out)?;
    ui.choice(plan);
    doctor::check(plan, cache.root()).require()?;
    let artifacts = interrupt.or(build(plan, cache, ui)).await?;
    let mut results = Results::create(out)?;
    let mut record = new_record(plan, &artifacts)?;
    results.record(&record)?;

    let experiment = experiment(plan, &artifacts, cache, &mut results, &mut record, ui);
    let outcome = interrupt.or(experiment).await;

    results.close_machine();
    record.outcome = match &outcome {
        Ok(()) => Outcome::Complete,
        Err(Error::Interrupted) => Outcome::Interrupted,
        Err(error) => Outcome::Failed {
            message: error.to_string(),
        },
    };
    record.finished = Some(provenance::now());
    let kept = keep(&results, &record);
    // The first error is the cause; that its record could not be kept comes second.
    outcome?;
    kept?;
    Ok(Run {
        dir: results.dir().to_owned(),
        record,
    })
}

/// Builds kernel and images, or finds them in the cache.
pub async fn build(plan: &Plan, cache: &Cache, ui: &mut Ui) -> Result<Artifacts> {
    ui.stage("kernel");
    let kernel = kernel::build(cache, &plan.kernel, &|progress| ui.note(progress)).await?;
    ui.stage("guest image");
    let guest = image::build_guest(cache, &plan.guest).await?;
    ui.stage("host image");
    let parts = HostParts {
        guest_kernel: &kernel.image,
        guest_image: &guest,
    };
    let form = platform::host_form(plan.platform);
    let host = image::build_host(cache, parts, form).await?;
    Ok(Artifacts {
        kernel,
        guest,
        host,
    })
}

/// Boots the host, and listens to its agent to the end.
async fn experiment(
    plan: &Plan,
    artifacts: &Artifacts,
    cache: &Cache,
    results: &mut Results,
    record: &mut RunRecord,
    ui: &mut Ui,
) -> Result<()> {
    ui.stage("host boots");
    let task = Task::Experiment(Box::new(Order::of(plan, image::kit())));
    let boot = Boot {
        kernel: &artifacts.kernel,
        image: &artifacts.host,
        task: &task,
    };
    let mut machine = platform::start(plan, boot, cache, &results.machine_dir()).await?;
    match listen(&mut machine, results, record, ui).await {
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
            Err(error)
        }
    }
}

/// Takes in what the host says until its agent's last event.
async fn listen(
    machine: &mut Machine,
    results: &mut Results,
    record: &mut RunRecord,
    ui: &mut Ui,
) -> Result<()> {
    loop {
        match machine.next().await? {
            Report::Console(line) => {
                results.host_console(&line)?;
                ui.host_console(&line);
            }
            Report::Event(event) => {
                results.event(&event)?;
                ui.event(&event);
                if take_in(*event, record)? {
                    return Ok(());
                }
                if record.samples.last().is_some() {
                    results.record(record)?;
                }
            }
        }
    }
}

/// Enters an event into the record. True for the last event of a good run.
fn take_in(event: Event, record: &mut RunRecord) -> Result<bool> {
    match event {
        Event::Started {
            protocol,
            kernel,
            cpu,
            isa,
            emulates,
            host_s,
            host_tsc,
        } => {
            if protocol != PROTOCOL {
                return Err(stale(protocol));
            }
            record.provenance.host_kernel = kernel;
            record.provenance.cpu = cpu;
            record.isa = isa;
            record.emulates = emulates;
            record.agent_started = Some(HostMoment { host_s, host_tsc });
        }
        Event::Qemu { version } => record.provenance.qemu = version,
        Event::Parameters { parameters } => record.kvm_parameters = parameters,
        Event::Discovered(discovery) => record.discovery = Some(discovery),
        Event::Statuses { statuses } => record.statuses = statuses,
        Event::Sample(sample) => record.samples.push(*sample),
        Event::Inspected(inspection) => record.inspections.push(inspection),
        Event::Failed {
            stage,
            kind,
            message,
            tail,
        } => {
            return Err(failure(stage, kind, message, tail));
        }
        Event::Finished { .. } => return Ok(true),
        Event::Stage { .. }
        | Event::Pulse { .. }
        | Event::Phase { .. }
        | Event::Judging { .. }
        | Event::Found(_)
        | Event::GuestConsole { .. }
        | Event::QemuLog { .. } => {}
    }
    Ok(false)
}

pub(crate) fn failure(
    stage: Stage,
    kind: FailureKind,
    message: String,
    tail: Vec<String>,
) -> Error {
    Error::Experiment {
        stage: stage.to_string(),
        message,
        tail,
        cure: kind.cure().to_owned(),
    }
}

pub(crate) fn stale(protocol: u32) -> Error {
    Error::Experiment {
        stage: Stage::Host.to_string(),
        message: format!("the agent speaks protocol {protocol}, this exitlab {PROTOCOL}"),
        tail: Vec::new(),
        cure: "remove the cached host image and run again".to_owned(),
    }
}

fn new_record(plan: &Plan, artifacts: &Artifacts) -> Result<RunRecord> {
    let provenance = provenance::collect(plan, artifacts)?;
    Ok(RunRecord {
        schema: SCHEMA,
        experiment: plan.name.clone(),
        started: provenance::now(),
        finished: None,
        outcome: Outcome::Unfinished,
        platform: plan.platform_name(),
        isa: None,
        emulates: false,
        agent_started: None,
        discovery: None,
        kvm_parameters: Vec::new(),
        plan: serde_json::to_value(plan).unwrap_or_default(),
        provenance,
        statuses: Vec::new(),
        samples: Vec::new(),
        inspections: Vec::new(),
    })
}

/// Keeps the record, and tables of what was sampled.
fn keep(results: &Results, record: &RunRecord) -> Result<()> {
    results.record(record)?;
    if record.samples.is_empty() {
        Ok(())
    } else {
        results.tables(record)
    }
}
