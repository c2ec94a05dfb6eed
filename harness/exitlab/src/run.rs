//! The story of the conductor: the only file that knows the order of the stages.

use std::path::PathBuf;

use crate::booted::Booted;
use crate::build::{Artifacts, build};
use crate::context::Context;
use crate::doctor;
use crate::minutes::{self, Minutes};
use crate::out_dir::OutDir;
use crate::own_symbols::OwnSymbols;
use crate::pages;
use crate::provenance;
use crate::results::Results;
use crate::seed::fresh_seed;
use crate::session::Session;
use crate::ui::Ui;
use exitlab_analysis::export::grouped;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_host::image;
use exitlab_host::platform::Boot;
use exitlab_model::event::Event;
use exitlab_model::layout::{RUN, TABLE};
use exitlab_model::order::{HostFiles, Order, Task};
use exitlab_model::plan::Plan;
use exitlab_model::platform::PlatformKind;
use exitlab_model::record::{CellName, Outcome, Provenance, RecordedPlan, RunRecord};

/// The guest's QEMU on a machine that exitlab does not boot: on its search path.
const QEMU: &str = "qemu-system-x86_64";

/// How often a host is started that QEMU's emulation of SVM stops.
const ATTEMPTS: u32 = 3;

/// A run that took every sample of its plan.
#[derive(Debug)]
pub struct Run {
    /// The results directory.
    pub dir: PathBuf,
    /// What it measured.
    pub record: RunRecord,
}

impl Run {
    /// Fails unless every promise holds.
    pub fn require_promises(&self) -> Result<()> {
        let Outcome::ChecksFailed { broken } = &self.record.outcome else {
            return Ok(());
        };
        Err(Error::Checks {
            message: format!("the run is not complete: {}", broken.join("; ")),
            cure: format!(
                "see the checks in {}: they tell what was counted and what had to be; compare, \
                 gate and baseline take such a run with --broken-checks only",
                self.dir.join(TABLE).display()
            ),
        })
    }
}

/// Runs an experiment: from kernel source to tables in `out`. `cell` says which one of a
/// matrix it is.
pub async fn run(
    plan: &Plan,
    cell: Option<CellName>,
    out: &OutDir,
    cx: &mut Context,
) -> Result<Run> {
    match cell {
        None => out.prepare()?,
        // In the directory of its matrix, which is.
        Some(_) => out.require_absent()?,
    }
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    ui.choice(plan);
    say_limit(plan, ui);
    doctor::check(plan, cache.root()).require()?;
    let own = plan.guest_symbols.as_deref();
    let own = own.map(OwnSymbols::read).transpose()?;
    let prepare = async {
        let artifacts = build(plan, cache, ui).await?;
        let booted = Booted::of(plan, &artifacts, cache).await?;
        Ok((artifacts, booted))
    };
    let (artifacts, booted) = interrupt.or(prepare).await?;
    let mut results = Results::create(out)?;
    let mut record = new_record(plan, cell, &artifacts, &booted)?;
    results.record(&record)?;

    let experiment = attempts(plan, &artifacts, cache, &mut results, &mut record, ui);
    let outcome = interrupt.or(experiment).await;
    let outcome = outcome.and_then(|()| booted.require_unchanged(cache));

    results.close_machine();
    // Symbols of the user's name what is in it, so it comes before all else that is kept.
    let logged = results.log(&record);
    let outcome = outcome.and(logged).and_then(|()| match &own {
        Some(own) => own.name(&mut record, results.dir()),
        None => Ok(()),
    });
    record.outcome = minutes::outcome(&outcome, &record);
    record.finished = Some(provenance::now());
    let kept = keep(&results, &record);
    if kept.is_ok() {
        draw(&results, &record, ui);
    }
    // The first error is the cause; that its record could not be kept comes second.
    outcome?;
    kept?;
    Ok(Run {
        dir: results.dir().to_owned(),
        record,
    })
}

/// What a log does not hold is said before it is missed.
fn say_limit(plan: &Plan, ui: &Ui) {
    if let Some(log) = &plan.sampling.log {
        let limit = grouped(log.limit.into());
        ui.say(&format!(
            "the log keeps the first {limit} exits, some 10 bytes of the host's memory each; \
             those after them are counted only (sampling.log_limit)"
        ));
    }
}

/// Runs the experiment. QEMU's SVM can deliver an interrupt twice, and a guest that meets
/// this with a lock held stops for good, its host with it (`docs/determinism.md`). Whether it
/// does hangs on every instruction before, so such a host is started again, with one word
/// more on its command line. All of this repeats, too.
async fn attempts(
    plan: &Plan,
    artifacts: &Artifacts,
    cache: &Cache,
    results: &mut Results,
    record: &mut RunRecord,
    ui: &mut Ui,
) -> Result<()> {
    let mut plan = plan.clone();
    let asked = plan.host.cmdline.clone();
    loop {
        let outcome = experiment(&plan, artifacts, cache, results, record, ui).await;
        match outcome {
            Err(Error::Silence { message, .. })
                if plan.platform == PlatformKind::TcgSvm && record.attempts < ATTEMPTS =>
            {
                record.begin_again();
                results.begin_again()?;
                let attempt = record.attempts;
                plan.host.cmdline = format!("{asked} exitlab.attempt={attempt}");
                ui.say(&format!(
                    "{message}: QEMU stops a guest now and then; attempt {attempt} of {ATTEMPTS}"
                ));
            }
            outcome => return outcome,
        }
    }
}

/// Starts the host, and listens to its agent to the end.
async fn experiment(
    plan: &Plan,
    artifacts: &Artifacts,
    cache: &Cache,
    results: &mut Results,
    record: &mut RunRecord,
    ui: &mut Ui,
) -> Result<()> {
    let session = Session {
        plan,
        boot: artifacts.host.as_ref().map(|image| Boot {
            kernel: &artifacts.kernel,
            image,
        }),
        task: Task::Experiment(Box::new(order(plan, artifacts)?)),
        cache,
        results,
        ui,
    };
    let mut minutes = Minutes::of(plan, record);
    let mut heard = |event: &Event, results: &Results| {
        minutes.take(event)?;
        match minutes.record() {
            record if record.samples.is_empty() => Ok(()),
            record => results.record(record),
        }
    };
    session.hold(&mut heard).await
}

/// The agent's part of the plan.
fn order(plan: &Plan, artifacts: &Artifacts) -> Result<Order> {
    let guest = artifacts.guest.files(&artifacts.kernel.image);
    if artifacts.host.is_some() {
        return Ok(Order::of(plan, image::host_files(&guest)));
    }
    let files = HostFiles {
        qemu: QEMU.into(),
        firmware: None,
        guest,
    };
    let mut order = Order::of(plan, files);
    // Other people may be able to reach the guest's port: only this run knows its keys.
    order.guest.seed = fresh_seed()?;
    Ok(order)
}

fn new_record(
    plan: &Plan,
    cell: Option<CellName>,
    artifacts: &Artifacts,
    booted: &Booted,
) -> Result<RunRecord> {
    let provenance = Provenance {
        booted: booted.digests(),
        ..provenance::collect(plan, artifacts)?
    };
    Ok(RunRecord {
        cell,
        ..RunRecord::begun(
            &plan.name,
            provenance::now(),
            plan.platform_name(),
            RecordedPlan::of(plan).map_err(Error::json("write", RUN))?,
            provenance,
        )
    })
}

/// Writes the page, after everything that is a result. One that cannot be written is no error.
pub(crate) fn draw(results: &Results, record: &RunRecord, ui: &Ui) {
    if let Err(error) = pages::of_run(results.dir(), record) {
        ui.say(&pages::sorry(results.dir(), &error));
    }
}

/// Keeps tables of what was sampled, and the record. The record comes last: a matrix takes a
/// cell for done whose record says so, and then its tables must be there.
pub(crate) fn keep(results: &Results, record: &RunRecord) -> Result<()> {
    let tables = if record.samples.is_empty() {
        Ok(())
    } else {
        results.tables(record)
    };
    if record.outcome == Outcome::Complete {
        tables?;
        return results.record(record);
    }
    results.record(record)?;
    tables
}
