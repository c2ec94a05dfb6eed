//! `exitlab conformance`: one kernel, or many side by side.

use std::path::{Path, PathBuf};

use super::asked::{cache_dir, context, default_out, load, texts};
use super::told::{print, shown};
use crate::cli::{ConformanceArgs, ReportFormat};
use crate::conformance;
use crate::context::Context;
use crate::doctor;
use crate::ended::Ended;
use crate::grading::{self, Entry, Names, Points, Pupil, Roster, Work};
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_config as config;
use exitlab_model::order::TrialOrder;
use exitlab_model::plan::KernelSource;
use exitlab_model::platform::PlatformKind;

/// Judges one kernel, or grades many.
pub async fn run(args: ConformanceArgs) -> Result<Ended> {
    match is_of_one(&args) {
        true => one(args).await,
        false => many(args).await,
    }
}

/// One kernel, and nothing that only a table needs.
fn is_of_one(args: &ConformanceArgs) -> bool {
    let no_directory = args.kernels.iter().all(|path| !path.is_dir());
    args.kernels.len() <= 1
        && no_directory
        && args.list.is_none()
        && args.points.is_none()
        && args.resume.is_none()
        && args.format != ReportFormat::Csv
}

fn order(args: &ConformanceArgs) -> TrialOrder {
    TrialOrder {
        leaf_map: args.leaf_map,
        sdm: args.sdm,
    }
}

async fn one(mut args: ConformanceArgs) -> Result<Ended> {
    let order = order(&args);
    if let Some(kernel) = args.kernels.first() {
        let set = format!("kernel.source=image:{}", kernel.display());
        args.experiment.sets.push(set);
    }
    let plan = load(&args.experiment)?;
    let out = args.out.unwrap_or_else(|| default_out("conformance"));
    let cache = Cache::open(cache_dir(&args.cache)?)?;
    let mut cx = context(cache, &args.shown)?;
    let judged = conformance::run(&plan, order, &out, &mut cx).await;
    cx.ui.end(judged.is_ok());
    let report = judged?;
    match args.format {
        ReportFormat::Json => print(&report.to_json()?)?,
        ReportFormat::Table | ReportFormat::Csv => print(&format!(
            "{}\nresults: {}\n",
            report.for_people(),
            shown(&out).display()
        ))?,
    }
    Ok(report.ended())
}

async fn many(args: ConformanceArgs) -> Result<Ended> {
    let points = args.points.as_deref().map(Points::read).transpose()?;
    let work = match &args.resume {
        Some(dir) => Work::resume(dir, points)?,
        None => {
            let roster = Roster::new(pupils(&args)?, points)?;
            let out = args.out.clone();
            let out = out.unwrap_or_else(|| default_out("conformance"));
            Work::begin(roster, &out)?
        }
    };
    let cache = Cache::open(cache_dir(&args.cache)?)?;
    let mut cx: Context = context(cache, &args.shown)?;
    let jobs = args.jobs.map(usize::from);
    let graded = grading::run(&work, jobs, &mut cx).await;
    cx.ui.end(graded.is_ok());
    let graded = graded?;
    if graded.left > 0 {
        let dir = shown(&graded.dir);
        let left = graded.left;
        cx.ui.say(&format!(
            "{left} kernels are left: exitlab conformance --resume {}",
            dir.display()
        ));
        return Err(Error::Interrupted);
    }
    match args.format {
        ReportFormat::Json => print(&graded.to_json()?)?,
        ReportFormat::Csv => print(&graded.to_csv())?,
        ReportFormat::Table => print(&format!(
            "{}\n{} kernels, {} of them done before.\nresults: {}\n",
            graded.for_people(),
            graded.rows.len(),
            graded.before,
            shown(&graded.dir).display()
        ))?,
    }
    Ok(graded.ended())
}

/// Every kernel that is asked for, with its plan.
fn pupils(args: &ConformanceArgs) -> Result<Vec<Pupil>> {
    let mut entries = Vec::new();
    for path in &args.kernels {
        entries.extend(grading::of_argument(path)?);
    }
    if let Some(list) = &args.list {
        entries.extend(grading::read_list(list)?);
    }
    if entries.is_empty() {
        // The kernel that the experiment names.
        entries.push(Entry::built());
    }
    let planner = Planner {
        args,
        usable: doctor::usable(),
        stand_in: std::env::current_exe().map_err(Error::io("find", "the running binary"))?,
    };
    let mut names = Names::default();
    entries
        .into_iter()
        .map(|entry| planner.pupil(entry, &mut names))
        .collect()
}

/// Makes a plan for each kernel.
struct Planner<'a> {
    args: &'a ConformanceArgs,
    usable: Vec<PlatformKind>,
    /// A file that is there, in place of images that may not be: each is looked at when its
    /// turn comes.
    stand_in: PathBuf,
}

impl Planner<'_> {
    fn pupil(&self, entry: Entry, names: &mut Names) -> Result<Pupil> {
        let (here, mut sets) = texts(&self.args.experiment)?;
        let name = names.give(&entry.wanted_name());
        sets.extend(entry.sets.iter().cloned());
        if entry.path.is_some() {
            let stand_in = self.stand_in.display();
            sets.push(format!("kernel.source=image:{stand_in}"));
        }
        let file = self.args.experiment.config.as_deref();
        let plan = config::load(file, &sets, &here, &self.usable);
        let mut plan = plan.map_err(|error| named(error, &entry, &name))?;
        let image = entry.path.as_deref().map(|path| absolute(&here, path));
        if let Some(image) = &image {
            plan.kernel.source = KernelSource::Image(image.clone());
        }
        let mut order = order(self.args);
        order.leaf_map = entry.leaf_map.unwrap_or(order.leaf_map);
        order.sdm = entry.sdm.or(order.sdm);
        Ok(Pupil {
            name,
            image,
            settings: entry.sets,
            order,
            plan,
        })
    }
}

/// An emulator works in a directory of its own.
fn absolute(here: &Path, path: &Path) -> PathBuf {
    here.join(path).components().collect()
}

/// Says whose settings are wrong.
fn named(error: Error, entry: &Entry, name: &str) -> Error {
    match error {
        Error::Config { message, cure } if !entry.sets.is_empty() => Error::Config {
            message: format!("{}: kernel {name}: {message}", entry.place),
            cure,
        },
        other => other,
    }
}
