//! `exitlab ab`: the same experiments on two kernels, compared, and judged if there are rules.

use std::collections::BTreeSet;

use super::asked::{cache_dir, context, load_matrix, out_dir};
use super::regression::judge;
use super::told::{print, shown};
use crate::cli::{AbArgs, VerdictFormat};
use crate::ended::Ended;
use crate::matrix::{self, Work};
use crate::pages;
use exitlab_analysis::compare::{self, Settings};
use exitlab_analysis::export::{self, ComparisonFormat};
use exitlab_analysis::gate;
use exitlab_analysis::reading::{Filter, Promises, Reading};
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::git::Repository;
use exitlab_config::Matrix;

/// The two kernels: an axis, and what it is on each side.
struct Sides {
    key: &'static str,
    base: String,
    head: String,
}

/// Runs both sides, compares, judges.
pub(super) async fn run(args: AbArgs) -> Result<Ended> {
    // What is wrong with the rules is told before a kernel is built.
    let rules = args
        .rules
        .as_ref()
        .map(|file| gate::load(file, None))
        .transpose()?;
    let (matrix, sides) = plan(&args)?;
    let dir = cache_dir(&args.cache)?;
    let out = out_dir(args.out.clone(), "ab");
    let work = Work::begin(&matrix, None, &out, &dir)?;
    let mut cx = context(Cache::open(dir)?, &args.shown)?;
    let jobs = args.jobs.map(usize::from);
    let outcome = matrix::run(work, jobs, &mut cx).await;
    cx.ui.end(outcome.is_ok());
    let out = outcome?.dir;

    let of = |value: &str| Filter::from([(sides.key.to_owned(), value.to_owned())]);
    let dirs = [out.clone()];
    let base = Reading::of(&dirs, &of(&sides.base), Promises::Required)?;
    let head = Reading::of(&dirs, &of(&sides.head), Promises::Required)?;
    let channel = Reading::common_channel(&[&base, &head])?;
    let chosen = BTreeSet::from([sides.key.to_owned()]);
    let (base, head) = (base.side(channel, &chosen)?, head.side(channel, &chosen)?);
    let comparison = compare::compare(&base, &head, &Settings::default())?;
    print(&export::comparison(
        &comparison,
        ComparisonFormat::Table,
        false,
    ))?;
    print(&pages::of_sides(&out, &comparison))?;
    print(&format!("results: {}\n", shown(&out)))?;
    let Some(rules) = rules else {
        return Ok(Ended::Well);
    };
    let how = (VerdictFormat::Table, args.junit.as_deref());
    judge(&rules, Some(&base), &head, how)
}

/// The experiment with one more axis: the kernel.
fn plan(args: &AbArgs) -> Result<(Matrix, Sides)> {
    let mut experiment = args.experiment.clone();
    let mut set = |text: String| experiment.sets.push(text);
    let sides = if args.patch.is_empty() {
        let base = source(args, args.base.as_deref());
        let head = source(args, args.head.as_deref());
        set(format!("kernel.source=[{}, {}]", toml(&base), toml(&head)));
        Sides {
            key: "kernel.source",
            base,
            head,
        }
    } else {
        if args.base.is_some() {
            let base = source(args, args.base.as_deref());
            set(format!("kernel.source={}", toml(&base)));
        }
        let patches: Vec<String> = args
            .patch
            .iter()
            .map(|path| toml(&path.display().to_string()))
            .collect();
        let patches = format!("[{}]", patches.join(", "));
        set(format!("kernel.patches=[[], {patches}]"));
        Sides {
            key: "kernel.patches",
            base: "[]".to_owned(),
            head: patches,
        }
    };
    if let Some(repeat) = args.repeat {
        set(format!("repeat={repeat}"));
    }
    require_two(args, &sides)?;
    Ok((load_matrix(&experiment)?, sides))
}

/// Two names may be of one commit.
fn require_two(args: &AbArgs, sides: &Sides) -> Result<()> {
    let one_commit = match (&args.repo, &args.base, &args.head) {
        (Some(repo), Some(base), Some(head)) => {
            let repo = Repository::open(repo)?;
            repo.commit(base)? == repo.commit(head)?
        }
        _ => false,
    };
    if !one_commit && sides.base != sides.head {
        return Ok(());
    }
    let (base, head) = (&sides.base, &sides.head);
    let which = match base == head {
        true => base.clone(),
        false => format!("{base} and {head}"),
    };
    Err(Error::Config {
        message: format!("base and head are the same kernel: {which}"),
        cure: "give two; repeats of one kernel are compared by exitlab compare".to_owned(),
    })
}

/// A side as `kernel.source` takes it.
fn source(args: &AbArgs, given: Option<&str>) -> String {
    let given = given.unwrap_or_default();
    match &args.repo {
        None => given.to_owned(),
        Some(repo) => format!("git:{}#{given}", repo.display()),
    }
}

/// A string of TOML.
pub(super) fn toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
