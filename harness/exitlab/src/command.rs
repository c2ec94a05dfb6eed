//! What each command does with its arguments.

mod ab;
mod asked;
mod attach;
mod bisect;
mod conformance;
mod keeping;
mod kernels;
mod logs;
mod matrix;
mod packaging;
mod regression;
mod report;
mod told;
mod trial;
mod watch;

use std::path::{Path, PathBuf};

use asked::{cache_dir, context, listen, load, load_matrix, out_dir};
use told::{print, shown, table};

use crate::cli::{BuildArgs, Command, DoctorArgs, Part, ReasonsArgs, RunArgs};
use crate::ended::Ended;
use crate::matrix::{self as cells, Work};
use crate::ui::{Progress, Ui};
use crate::{doctor, run, schema, timings};
use exitlab_analysis::export;
use exitlab_analysis::reading::results_of;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::inherited;
use exitlab_host::image;
use exitlab_kernel as kernel;
use exitlab_model::plan::Plan;
use exitlab_model::reasons::Isa;

/// Runs one command to its end.
pub fn run(command: Command) -> Result<Ended> {
    let cache = command.cache().and_then(|args| cache_dir(args).ok());
    start(command).map_err(|error| match cache {
        None => error,
        Some(cache) => error.of_cache(&std::path::absolute(&cache).unwrap_or(cache)),
    })
}

fn start(command: Command) -> Result<Ended> {
    inherited::require_files().map_err(Error::io("start", "the runtime"))?;
    // One thread: the conductor only waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("start", "the runtime"))?;
    runtime.block_on(async {
        let done = match command {
            Command::Ab(args) => return ab::run(*args).await,
            Command::Bisect(args) => return bisect::run(*args).await,
            Command::Conformance(args) => return conformance::run(*args).await,
            Command::Gate(args) => return regression::gate(args),
            Command::Attach(args) => attach::run(*args).await,
            Command::Watch(args) => watch::run(args).await,
            Command::Run(args) => run_experiment(args).await,
            Command::BisectStep(args) => bisect::step(&args),
            Command::Plan(args) => matrix::plan(&args),
            Command::Merge(args) => matrix::merge(&args),
            Command::Build(args) => build(args).await,
            Command::Doctor(args) => check(args),
            Command::Report(args) => report::report(args),
            Command::Compare(args) => regression::compare(args),
            Command::Log(args) => logs::log(&args),
            Command::Diverge(args) => logs::diverge(&args),
            Command::Baseline(args) => regression::baseline(args),
            Command::Verdicts(args) => regression::verdicts(args),
            Command::Export(args) => keeping::export(&args),
            Command::Schema(args) => print(&schema::schema(args.file)),
            Command::List(args) => keeping::list(&args),
            Command::Clean(args) => keeping::clean(&args),
            Command::Reasons(args) => reasons(args),
            Command::Completions(args) => packaging::completions(&args),
            Command::Manual(args) => packaging::manual(&args),
            Command::Kernel(command) => kernels::run(command).await,
        };
        done.map(|()| Ended::Well)
    })
}

async fn run_experiment(args: RunArgs) -> Result<()> {
    let dir = cache_dir(&args.cache)?;
    if let Some(results) = &args.resume {
        let results = results_of(results);
        return run_cells(&args, Work::resume(&results, &dir)?, &dir).await;
    }
    let matrix = load_matrix(&args.experiment)?;
    let [cell] = matrix.cells.as_slice() else {
        let name = matrix.cells.first().map_or("", |cell| &cell.plan.name);
        let out = out_dir(args.out.clone(), name);
        let work = Work::begin(&matrix, args.shard, &out, &dir)?;
        return run_cells(&args, work, &dir).await;
    };
    if args.shard.is_some() {
        return Err(Error::Config {
            message: "--shard wants a matrix, and this is one experiment".to_owned(),
            cure: "leave --shard out, or set repeat or a list of values".to_owned(),
        });
    }
    let plan = &cell.plan;
    let out = out_dir(args.out, &plan.name);
    let mut cx = context(Cache::open(dir)?, &args.shown)?;
    let outcome = run::run(plan, None, &out, &mut cx).await;
    let good = |done: &run::Run| done.require_promises().is_ok();
    cx.ui.end(outcome.as_ref().is_ok_and(good));
    let done = outcome?;
    let dir = shown(&done.dir);
    let attempts = match done.record.attempts {
        1 => String::new(),
        attempts => format!("attempt {attempts} of its host: a first one counts otherwise\n"),
    };
    print(&format!(
        "{}\n{attempts}results: {}\n",
        table(&done.record),
        dir
    ))?;
    tell_timings(args.timings, &cx.ui, &done.dir)?;
    done.require_promises()
}

/// Where the time went, if that is wanted.
fn tell_timings(wanted: bool, ui: &Ui, dir: &Path) -> Result<()> {
    if !wanted {
        return Ok(());
    }
    let path = dir.join(timings::FILE);
    let text = format!("{:#}\n", timings::trace(ui.spans()));
    write_whole(&path, text.as_bytes())?;
    print(&format!("\n{}", timings::table(ui.spans())))
}

async fn run_cells(args: &RunArgs, work: Work, cache: &Path) -> Result<()> {
    let mut cx = context(Cache::open(cache)?, &args.shown)?;
    let jobs = args.jobs.map(usize::from);
    let outcome = cells::run(work, jobs, &mut cx).await;
    cx.ui.end(outcome.is_ok());
    let ran = outcome?;
    print(&format!(
        "{}\n\n{} cells done, {} of them before.\nresults: {}\n",
        cells::summary::table(&ran.index, &ran.dir),
        ran.done,
        ran.before,
        shown(&ran.dir)
    ))?;
    tell_timings(args.timings, &cx.ui, &ran.dir)
}

async fn build(args: BuildArgs) -> Result<()> {
    let plan = load(&args.experiment)?;
    let dir = cache_dir(&args.cache)?;
    doctor::check(&plan, &dir).require()?;
    let cache = Cache::open(dir)?;
    let mut ui = Ui::new(Progress::Auto, false);
    let mut interrupt = listen()?;
    ui.choice(&plan);
    let work = build_part(args.part, &plan, &cache, &mut ui);
    let outcome = interrupt.or(work).await;
    ui.end(outcome.is_ok());
    print(&format!("{}\n", outcome?.display()))
}

async fn build_part(part: Part, plan: &Plan, cache: &Cache, ui: &mut Ui) -> Result<PathBuf> {
    match part {
        Part::Kernel => {
            ui.stage("kernel");
            let note = |text: &str| ui.note(text);
            Ok(kernel::build(cache, &plan.kernel, &note).await?.image)
        }
        Part::GuestImage => {
            ui.stage("guest image");
            let note = |text: &str| ui.note(text);
            let guest = image::build_guest(cache, &plan.guest, &note).await?;
            // Of a guest that is nothing but a kernel, the kernel.
            let main = guest.main().or(plan.guest.kernel.as_deref());
            Ok(main.unwrap_or(cache.root()).to_owned())
        }
        Part::HostImage => {
            let host = crate::build::build(plan, cache, ui).await?.host;
            host.map(|host| host.path).ok_or_else(|| Error::Config {
                message: format!("{} boots no host: it has no image", plan.platform),
                cure: "choose another --platform".to_owned(),
            })
        }
    }
}

fn check(args: DoctorArgs) -> Result<()> {
    let plan = load(&args.experiment)?;
    let report = doctor::check(&plan, &cache_dir(&args.cache)?);
    print(&report.render())?;
    print(&doctor::platforms(&plan))?;
    report.require()
}

fn reasons(args: ReasonsArgs) -> Result<()> {
    trial::require_known(args.sdm, Some(Isa::Vmx))?;
    print(&export::reasons(args.sdm, args.format.into()))
}
