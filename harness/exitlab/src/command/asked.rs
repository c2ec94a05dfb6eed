//! What the arguments of every command ask for.

use std::path::{Path, PathBuf};

use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_config::{self as config, Matrix};
use exitlab_kernel::image;
use exitlab_model::plan::{KernelSource, Plan};

use crate::cli::{CacheArgs, ExperimentArgs, ShownArgs};
use crate::context::Context;
use crate::doctor;
use crate::signals::Interrupt;
use crate::ui::Ui;

pub(super) fn load(args: &ExperimentArgs) -> Result<Plan> {
    let (here, sets) = texts(args)?;
    let plan = config::load(args.config.as_deref(), &sets, &here, &doctor::usable())?;
    look_at_kernel(&plan)?;
    Ok(plan)
}

pub(super) fn load_matrix(args: &ExperimentArgs) -> Result<Matrix> {
    let (here, sets) = texts(args)?;
    let matrix = config::load_matrix(args.config.as_deref(), &sets, &here, &doctor::usable())?;
    let mut plans: Vec<&Plan> = matrix.cells.iter().map(|cell| &cell.plan).collect();
    plans.dedup_by(|one, other| one.kernel.source == other.kernel.source);
    plans.into_iter().try_for_each(look_at_kernel)?;
    Ok(matrix)
}

/// What is no kernel, or half of one, is refused with the plan that names it.
fn look_at_kernel(plan: &Plan) -> Result<()> {
    match &plan.kernel.source {
        KernelSource::Image(path) => image::look(path).map(drop),
        _ => Ok(()),
    }
}

/// What is relative to where, and every `--set`, short or long.
pub(super) fn texts(args: &ExperimentArgs) -> Result<(PathBuf, Vec<String>)> {
    let here = std::env::current_dir().map_err(Error::io("find", "the current directory"))?;
    let mut sets = args.sets.clone();
    if let Some(platform) = &args.platform {
        sets.push(format!("platform={platform}"));
    }
    if let Some(host) = &args.host {
        sets.push(format!("host.address={host}"));
    }
    Ok((here, sets))
}

pub(super) fn cache_dir(args: &CacheArgs) -> Result<PathBuf> {
    args.dir.clone().map_or_else(Cache::default_dir, Ok)
}

pub(super) fn default_out(name: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Path::new("results").join(format!("{now}-{name}"))
}

pub(super) fn context(cache: Cache, shown: &ShownArgs) -> Result<Context> {
    Ok(Context {
        cache,
        interrupt: listen()?,
        ui: Ui::new(shown.progress, shown.console),
    })
}

pub(super) fn listen() -> Result<Interrupt> {
    Interrupt::listen().map_err(Error::io("listen to", "signals"))
}
