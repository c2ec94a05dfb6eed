//! What the arguments of every command ask for.

use std::path::{Path, PathBuf};

use exitlab_analysis::reading::results_of;
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_config::{self as config, Matrix};
use exitlab_model::layout;
use exitlab_model::plan::Plan;

use crate::cli::{CacheArgs, ExperimentArgs, ShownArgs};
use crate::context::Context;
use crate::doctor;
use crate::out_dir::OutDir;
use crate::signals::Interrupt;
use crate::ui::Ui;

pub(super) fn load(args: &ExperimentArgs) -> Result<Plan> {
    let (here, sets) = texts(args)?;
    config::load(args.config.as_deref(), &sets, &here, &doctor::usable())
}

pub(super) fn load_matrix(args: &ExperimentArgs) -> Result<Matrix> {
    let (here, sets) = texts(args)?;
    config::load_matrix(args.config.as_deref(), &sets, &here, &doctor::usable())
}

/// What is relative to where, and every `--set`, short or long.
pub(super) fn texts(args: &ExperimentArgs) -> Result<(PathBuf, Vec<String>)> {
    let here = std::env::current_dir().map_err(Error::io("find", "the current directory"))?;
    args.config.as_deref().map_or(Ok(()), require_experiment)?;
    let mut sets = args.sets.clone();
    if let Some(platform) = &args.platform {
        sets.push(format!("platform={platform}"));
    }
    if let Some(host) = &args.host {
        sets.push(format!("host.address={host}"));
    }
    Ok((here, sets))
}

/// Refuses results, which are easily taken for an experiment.
fn require_experiment(path: &Path) -> Result<()> {
    let dir = results_of(path);
    let holds = |name: &&str| dir.join(name).is_file();
    let Some(mark) = [layout::RUN, layout::MATRIX].into_iter().find(holds) else {
        return Ok(());
    };
    Err(Error::Config {
        message: format!("{} is no experiment: it is results", path.display()),
        cure: match mark {
            layout::MATRIX => format!("to go on with it: exitlab run --resume {}", dir.display()),
            _ => format!(
                "name a TOML file of an experiment; `plan` in {} says what was run",
                dir.join(mark).display()
            ),
        },
    })
}

pub(super) fn cache_dir(args: &CacheArgs) -> Result<PathBuf> {
    args.dir.clone().map_or_else(Cache::default_dir, Ok)
}

/// The directory that is given, or else the usual one.
pub(super) fn out_dir(given: Option<PathBuf>, name: &str) -> OutDir {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let usual = || OutDir::usual(Path::new("results").join(format!("{now}-{name}")));
    given.map_or_else(usual, OutDir::given)
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
