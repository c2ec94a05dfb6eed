//! A matrix of experiments: artifacts are built once, cells run side by side, each into a
//! results directory of its own, and what is done is never done again. [`run()`] is the story.

pub mod emit;
mod index;
mod merge;
mod one_build;
mod order;
mod staged;
pub mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::StreamExt;

use crate::build::{self, Artifacts};
use crate::context::Context;
use crate::doctor;
use crate::jobs;
use crate::litter;
use crate::out_dir::OutDir;
use crate::pages;
use crate::run;
use crate::ui::Ui;
use exitlab_base::artifact::{Cache, Lock};
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::files;
use exitlab_config::{Cell, Matrix};
use exitlab_model::layout::CELLS;
use exitlab_model::matrix::{Index, Shard};
use exitlab_model::name::PlainName;
use exitlab_model::plan::Plan;
use exitlab_model::record::CellName;

use staged::StagedDir;

pub use index::done;
pub use merge::merge;

/// A matrix and where its results go.
#[derive(Debug)]
pub struct Work {
    index: Index,
    place: Place,
}

/// The directory of a matrix.
#[derive(Debug)]
enum Place {
    /// It has no name before everything is built that it needs: what fails until then leaves
    /// nothing.
    Staged(Box<StagedDir>),
    /// It is there.
    Named(PathBuf, Lock),
}

impl Work {
    /// Begins a matrix in a new directory, which appears whole, with its index, when
    /// everything is built. What built things need is looked for here: they go to `cache`.
    pub fn begin(
        matrix: &Matrix,
        shard: Option<Shard>,
        out: &OutDir,
        cache: &Path,
    ) -> Result<Work> {
        out.prepare()?;
        let index = index::of(matrix, shard)?;
        require(&index.mine().collect::<Vec<_>>(), cache)?;
        let place = Place::Staged(Box::new(StagedDir::of(out, &index)?));
        Ok(Work { index, place })
    }

    /// Goes on with a matrix that was begun.
    pub fn resume(dir: &Path, cache: &Path) -> Result<Work> {
        let index = index::read(dir)?;
        let held = Dir::open(dir)?;
        let lock = staged::take(&held)?;
        // Cells are removed and made in it.
        held.make(CELLS)?;
        files::sweep(dir)?;
        litter::sweep(&dir.join(CELLS));
        let missing = missing(&index, dir);
        one_build::of_this_program(&index, dir, missing.is_empty())?;
        require(&missing, cache)?;
        let place = Place::Named(dir.to_owned(), lock);
        Ok(Work { index, place })
    }

    /// Cells that are not done yet.
    fn missing(&self) -> Vec<&Cell> {
        match &self.place {
            Place::Staged(_) => self.index.mine().collect(),
            Place::Named(dir, _) => missing(&self.index, dir),
        }
    }

    /// The directory has its name from here on.
    fn name(self) -> Result<(Index, PathBuf, Lock)> {
        let (dir, lock) = match self.place {
            Place::Named(dir, lock) => (dir, lock),
            Place::Staged(staged) => staged.finish()?,
        };
        Ok((self.index, dir, lock))
    }
}

/// Cells of this part that are not done in `dir`.
fn missing<'a>(index: &'a Index, dir: &Path) -> Vec<&'a Cell> {
    let mine = index.mine();
    mine.filter(|cell| done(dir, cell).is_none()).collect()
}

/// Fails if this machine lacks what cells need.
fn require(cells: &[&Cell], cache: &Path) -> Result<()> {
    let mut distinct = distinct(cells).into_iter();
    distinct.try_for_each(|cell| doctor::check(&cell.plan, cache).require())
}

/// What came of a matrix.
#[derive(Debug)]
pub struct Ran {
    /// What the matrix consists of.
    pub index: Index,
    /// The results directory.
    pub dir: PathBuf,
    /// Cells that ran to their good end, earlier ones included.
    pub done: usize,
    /// Cells that were done before.
    pub before: usize,
}

/// Runs the cells that are not done yet.
pub async fn run(work: Work, jobs: Option<usize>, cx: &mut Context) -> Result<Ran> {
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    let missing = work.missing();
    let built = interrupt.or(build(&missing, cache, ui)).await?;
    if let Place::Named(dir, _) = &work.place {
        one_build::of_these_artifacts(&work.index, dir, &built)?;
    }
    let todo: Vec<PlainName> = missing.iter().map(|cell| cell.id.clone()).collect();
    let (index, dir, _lock) = work.name()?;
    let (all, before) = (index.mine().count(), index.mine().count() - todo.len());
    let missing = index
        .mine()
        .filter(|cell| todo.contains(&cell.id))
        .collect();
    let missing = order::interleaved(missing);
    let plans: Vec<&Plan> = missing.iter().map(|cell| &cell.plan).collect();
    let jobs = jobs.unwrap_or_else(|| jobs::that_fit(&plans));

    ui.stage(&format!(
        "{} cells, {before} of them done, {jobs} at a time",
        all
    ));
    let started = Instant::now();
    let shown = &*ui;
    let cells = missing.iter().map(|cell| {
        let (cx, dir) = (Context::silent(cache, interrupt), &dir);
        async move {
            let outcome = one(cell, dir, cx).await;
            let seconds = started.elapsed().as_secs_f64();
            match &outcome {
                Ok(()) => shown.say(&format!("{seconds:7.1} s  {}  done", cell.id)),
                Err(error) => shown.say(&format!("{seconds:7.1} s  {}  {error}", cell.id)),
            }
            (cell.id.to_string(), outcome)
        }
    });
    let outcomes: Vec<(String, Result<()>)> = futures_util::stream::iter(cells)
        .buffer_unordered(jobs.max(1))
        .collect()
        .await;
    // Whatever there is by now.
    summary::write(&index, &dir)?;
    if let Err(error) = pages::of_matrix(&dir) {
        ui.say(&pages::sorry(&dir, &error));
    }
    judge(outcomes, all, &dir)?;
    Ok(Ran {
        index,
        dir,
        done: all,
        before,
    })
}

/// Builds what cells need, once for all, so that cells find it in the cache.
async fn build<'a>(
    cells: &[&'a Cell],
    cache: &Cache,
    ui: &mut Ui,
) -> Result<Vec<(&'a Cell, Artifacts)>> {
    let mut built = Vec::new();
    for cell in distinct(cells) {
        built.push((cell, build::build(&cell.plan, cache, ui).await?));
    }
    Ok(built)
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
    Dir::open(dir)?.make(CELLS)?.remove(&cell.id)?;
    let out = OutDir::given(cell.dir(dir));
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
