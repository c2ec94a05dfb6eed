//! A matrix of experiments: artifacts are built once, cells run side by side, each into a
//! results directory of its own, and what is done is never done again. [`run()`] is the story.

pub mod emit;
mod index;
mod merge;
mod order;
mod staged;
pub mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::StreamExt;

use crate::build;
use crate::context::Context;
use crate::doctor;
use crate::run;
use crate::ui::Ui;
use exitlab_base::artifact::{Cache, Lock};
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_config::{Cell, Matrix};
use exitlab_model::matrix::{Index, Shard};
use exitlab_model::record::CellName;

use staged::StagedDir;

pub use index::done;
pub use merge::merge;

/// A matrix and where its results go.
#[derive(Debug)]
pub struct Work {
    index: Index,
    dir: PathBuf,
    _lock: Lock,
}

impl Work {
    /// What the matrix consists of.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Begins a matrix in a new directory. It appears whole, with its index.
    pub fn begin(matrix: &Matrix, shard: Option<Shard>, dir: &Path) -> Result<Work> {
        crate::results::Results::require_absent(dir)?;
        let index = index::of(matrix, shard)?;
        let lock = StagedDir::of(dir, &index)?.finish()?;
        Ok(Work {
            index,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// Goes on with a matrix that was begun.
    pub fn resume(dir: &Path) -> Result<Work> {
        let index = index::read(dir)?;
        let lock = staged::take(dir)?;
        files::sweep(dir)?;
        Ok(Work {
            index,
            _lock: lock,
            dir: dir.to_owned(),
        })
    }
}

/// What came of a matrix.
#[derive(Debug)]
pub struct Ran {
    /// The results directory.
    pub dir: PathBuf,
    /// Cells that ran to their good end, earlier ones included.
    pub done: usize,
    /// Cells that were done before.
    pub before: usize,
}

/// Runs the cells that are not done yet.
pub async fn run(work: &Work, jobs: Option<usize>, cx: &mut Context) -> Result<Ran> {
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    let Work { index, dir, .. } = work;
    let mine: Vec<&Cell> = index.mine().collect();
    let all = mine.len();
    let missing: Vec<&Cell> = mine
        .into_iter()
        .filter(|cell| done(dir, cell).is_none())
        .collect();
    let before = all - missing.len();
    for cell in distinct(&missing) {
        doctor::check(&cell.plan, cache.root()).require()?;
    }
    let missing = order::interleaved(missing);
    let jobs = jobs.unwrap_or_else(|| order::jobs(&missing, cores(), doctor::memory_mib()));
    interrupt.or(build(&missing, cache, ui)).await?;

    ui.stage(&format!(
        "{} cells, {before} of them done, {jobs} at a time",
        all
    ));
    let started = Instant::now();
    let shown = &*ui;
    let cells = missing.iter().map(|cell| {
        let cx = Context::silent(cache, interrupt);
        async move {
            let outcome = one(cell, dir, cx).await;
            let seconds = started.elapsed().as_secs_f64();
            match &outcome {
                Ok(()) => shown.say(&format!("{seconds:7.1} s  {}  done", cell.id)),
                Err(error) => shown.say(&format!("{seconds:7.1} s  {}  {error}", cell.id)),
            }
            (cell.id.clone(), outcome)
        }
    });
    let outcomes: Vec<(String, Result<()>)> = futures_util::stream::iter(cells)
        .buffer_unordered(jobs.max(1))
        .collect()
        .await;
    // Whatever there is by now.
    summary::write(index, dir)?;
    judge(outcomes, all, dir)?;
    Ok(Ran {
        dir: dir.clone(),
        done: all,
        before,
    })
}

/// Builds what cells need, once for all, so that cells find it in the cache.
async fn build(cells: &[&Cell], cache: &Cache, ui: &mut Ui) -> Result<()> {
    for cell in distinct(cells) {
        build::build(&cell.plan, cache, ui).await?;
    }
    Ok(())
}

/// One cell of each plan.
fn distinct<'a>(cells: &[&'a Cell]) -> Vec<&'a Cell> {
    let mut distinct: Vec<&Cell> = Vec::new();
    for cell in cells {
        if !distinct.iter().any(|other| other.plan == cell.plan) {
            distinct.push(cell);
        }
    }
    distinct
}

/// Runs one cell. What an earlier attempt left of it goes.
async fn one(cell: &Cell, dir: &Path, mut cx: Context) -> Result<()> {
    let out = cell.dir(dir);
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(Error::io("remove", &out))?;
    }
    let name = CellName {
        values: cell.values.clone(),
        repeat: cell.repeat,
    };
    let done = run::run(&cell.plan, Some(name), &out, &mut cx).await?;
    done.require_promises()
}

/// The first error is told with how many there were.
fn judge(outcomes: Vec<(String, Result<()>)>, all: usize, dir: &Path) -> Result<()> {
    let mut failed: Vec<(String, Error)> = Vec::new();
    for (id, outcome) in outcomes {
        match outcome {
            Ok(()) => {}
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => failed.push((id, error)),
        }
    }
    let Some((id, first)) = failed.first() else {
        return Ok(());
    };
    let ids: Vec<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
    if failed
        .iter()
        .all(|(_, e)| matches!(e, Error::Checks { .. }))
    {
        return Err(Error::Checks {
            message: format!(
                "{} of {all} cells are not complete: {}; {id}: {first}",
                ids.len(),
                ids.join(" ")
            ),
            cure: first.cure(),
        });
    }
    Err(Error::Experiment {
        stage: "matrix".to_owned(),
        message: format!(
            "{} of {all} cells failed: {}; {id}: {first}",
            ids.len(),
            ids.join(" ")
        ),
        tail: first.tail().to_vec(),
        cure: format!(
            "{}\nthen finish what is missing: exitlab run --resume {}",
            first.cure(),
            dir.display()
        ),
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
