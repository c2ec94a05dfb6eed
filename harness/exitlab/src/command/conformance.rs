//! `exitlab conformance`: one kernel, or many side by side.

use std::path::{Path, PathBuf};

use super::asked::{cache_dir, context, load, load_matrix, out_dir, texts};
use super::told::{print, shown};
use super::trial;
use crate::cli::{ConformanceArgs, ReportFormat};
use crate::conformance;
use crate::context::Context;
use crate::doctor;
use crate::ended::Ended;
use crate::grading::{self, Entry, Names, Points, Pupil, Roster, Work};
use exitlab_analysis::reading::results_of;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_config::{self as config, Cell};
use exitlab_model::order::TrialOrder;
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::PlatformKind;

/// Judges one kernel, or grades many.
pub async fn run(args: ConformanceArgs) -> Result<Ended> {
    let is_one = is_of_one(&args) && load_matrix(&args.experiment)?.cells.len() == 1;
    match is_one {
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

async fn one(mut args: ConformanceArgs) -> Result<Ended> {
    if let Some(kernel) = args.kernels.first() {
        let set = format!("kernel.source=image:{}", kernel.display());
        args.experiment.sets.push(set);
    }
    let plan = load(&args.experiment)?;
    let order = trial::order(&args, plan.platform.isa())?;
    let out = out_dir(args.out, "conformance");
    let cache = Cache::open(cache_dir(&args.cache)?)?;
    let mut cx = context(cache, &args.shown)?;
    let judged = conformance::run(&plan, order, &out, &mut cx).await;
    cx.ui.end(judged.is_ok());
    let report = judged?;
    match args.format {
        ReportFormat::Json => print(&report.to_json()?)?,
        ReportFormat::Ktap => print(&report.to_ktap())?,
        ReportFormat::Table | ReportFormat::Csv => print(&format!(
            "{}\nresults: {}\n",
            report.for_people(),
            shown(out.path())
        ))?,
    }
    Ok(report.ended())
}

async fn many(args: ConformanceArgs) -> Result<Ended> {
    let points = args.points.as_deref().map(Points::read).transpose()?;
    let work = match &args.resume {
        Some(dir) => Work::resume(&results_of(dir), points)?,
        None => {
            let roster = Roster::new(pupils(&args)?, points)?;
            let out = out_dir(args.out.clone(), "conformance");
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
        let (dir, left) = (shown(&graded.dir), graded.left);
        cx.ui.say(&format!(
            "{left} kernels are left: exitlab conformance --resume {dir}"
        ));
        return Err(Error::Interrupted);
    }
    match args.format {
        ReportFormat::Json => print(&graded.to_json()?)?,
        ReportFormat::Csv => print(&graded.to_csv())?,
        ReportFormat::Ktap => print(&graded.to_ktap())?,
        ReportFormat::Table => print(&format!(
            "{}\n{} kernels, {} of them done before.\nresults: {}\n",
            graded.for_people(),
            graded.rows.len(),
            graded.before,
            shown(&graded.dir)
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
    let mut pupils = Vec::new();
    for entry in entries {
        pupils.extend(planner.pupils(&entry, &mut names)?);
    }
    Ok(pupils)
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
    /// A kernel, once for each cell of a matrix.
    fn pupils(&self, entry: &Entry, names: &mut Names) -> Result<Vec<Pupil>> {
        let (here, mut sets) = texts(&self.args.experiment)?;
        sets.extend(entry.sets.iter().cloned());
        if entry.path.is_some() {
            let stand_in = self.stand_in.display();
            sets.push(format!("kernel.source=image:{stand_in}"));
        }
        let file = self.args.experiment.config.as_deref();
        let wanted = entry.wanted_name();
        let matrix = config::load_matrix(file, &sets, &here, &self.usable);
        let matrix = matrix.map_err(|error| named(error, entry, &wanted))?;
        let image = entry.path.as_deref().map(|path| absolute(&here, path));
        let is_alone = matrix.cells.len() == 1;
        let cells = matrix.cells.into_iter();
        let pupils = cells.map(|cell| {
            let (name, values) = match is_alone {
                true => (wanted.clone(), Vec::new()),
                false => (format!("{wanted}-{}", of_cell(&cell)), settings(&cell)),
            };
            let mut plan = cell.plan;
            let order = self
                .order(entry, &plan)
                .map_err(|error| named(error, entry, &wanted))?;
            if let Some(image) = &image {
                plan.kernel.source = KernelSource::Image(image.clone());
            }
            Ok(Pupil {
                name: names.give(&name),
                image: image.clone(),
                settings: [entry.sets.clone(), values].concat(),
                order,
                plan,
            })
        });
        pupils.collect()
    }

    /// What is asked of it: what the list says, or else the command line.
    fn order(&self, entry: &Entry, plan: &Plan) -> Result<TrialOrder> {
        let isa = plan.platform.isa();
        let order = trial::order(self.args, isa)?;
        trial::require_known(entry.sdm, isa)?;
        Ok(TrialOrder {
            leaf_map: entry.leaf_map.unwrap_or(order.leaf_map),
            sdm: entry.sdm.or(order.sdm),
            ..order
        })
    }
}

/// What tells a cell from the others in a name: `tcg-svm-r2`.
fn of_cell(cell: &Cell) -> String {
    let values = cell.values.values().cloned();
    let repeat = (cell.repeat > 1).then(|| format!("r{}", cell.repeat));
    values.chain(repeat).collect::<Vec<_>>().join("-")
}

/// What a cell sets.
fn settings(cell: &Cell) -> Vec<String> {
    let values = cell.values.iter();
    values
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn of(words: &str) -> Vec<Pupil> {
        let words = format!("exitlab conformance {words}");
        let cli = Cli::try_parse_from(words.split_whitespace()).expect("good arguments");
        let Some(Command::Conformance(args)) = cli.command else {
            panic!("not conformance")
        };
        pupils(&args).expect("a roster")
    }

    #[test]
    fn every_kernel_has_a_plan_and_a_name_of_its_own() {
        let all = of("--platform tcg-svm --kernel a/bzImage --kernel b/bzImage --kernel c/a");
        let names: Vec<&str> = all.iter().map(|pupil| pupil.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a-2"]);
        for pupil in &all {
            let image = pupil.image.clone().expect("an image");
            assert!(image.is_absolute(), "{image:?}");
            assert_eq!(pupil.plan.kernel.source, KernelSource::Image(image));
        }
    }

    #[test]
    fn a_matrix_has_each_kernel_once_for_each_cell() {
        let all = of("--kernel ada/bzImage --set platform=['tcg-svm','bochs-vmx'] --leaf-map 2");
        let rows: Vec<(&str, String)> = all
            .iter()
            .map(|pupil| (pupil.name.as_str(), pupil.plan.platform_name()))
            .collect();
        let expected = [("ada-tcg-svm", "tcg-svm"), ("ada-bochs-vmx", "bochs-vmx")];
        assert_eq!(rows, expected.map(|(name, at)| (name, at.to_owned())));
        assert_eq!(all[1].settings, ["platform=bochs-vmx"]);
        assert_eq!(all[1].order.leaf_map, 2);
    }
}
