//! Many kernels, graded side by side: each is tried in a results directory of its own, what is
//! done is never done again, and no kernel stops the others. [`run`] is the story.
//!
//! ```text
//! files, directories, list ─► Entry ─► Roster ─► Row ─┬─► table, sheets, JSON
//!                                                     └─► a page each
//! ```

mod entry;
mod fate;
#[cfg(test)]
mod fixture;
mod list;
mod names;
mod page;
mod points;
mod report;
mod roster;
mod row;
mod sheet;
mod summary;
mod table;

use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::StreamExt;

use exitlab_base::artifact::{Lock, digest};
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_model::layout::{FINDINGS, GRADES_CSV, GRADES_JSON, GRADES_MD, KERNELS, PAGES, ROW};
use exitlab_model::plan::Plan;

use crate::conformance;
use crate::context::Context;
use crate::doctor;
use crate::ended::Ended;
use crate::jobs;
use crate::out_dir::OutDir;

pub use entry::{Entry, of_argument};
pub use list::read as read_list;
pub use names::Names;
pub use points::Points;
pub use roster::{Pupil, Roster};
pub use row::{Hindered, Judged, Mark, Row};

/// A roster and where its results go.
#[derive(Debug)]
pub struct Work {
    roster: Roster,
    dir: PathBuf,
    _lock: Lock,
}

impl Work {
    /// Begins in a new directory.
    pub fn begin(roster: Roster, out: &OutDir) -> Result<Work> {
        let lock = roster.begin(out)?;
        Ok(Work {
            roster,
            dir: out.path().to_owned(),
            _lock: lock,
        })
    }

    /// Goes on with what was begun; other points than those it was begun with are taken on.
    pub fn resume(dir: &Path, points: Option<Points>) -> Result<Work> {
        let (mut roster, lock) = Roster::resume(dir)?;
        if points.is_some() {
            roster.points = points;
            roster.write(dir)?;
        }
        Ok(Work {
            roster,
            dir: dir.to_owned(),
            _lock: lock,
        })
    }
}

/// What came of a roster.
#[derive(Debug)]
pub struct Graded {
    /// A row for each kernel that was tried, in the roster's order.
    pub rows: Vec<Row>,
    /// Points, if there are any.
    pub points: Option<Points>,
    /// The results directory.
    pub dir: PathBuf,
    /// Kernels that were done before.
    pub before: usize,
    /// Kernels that are not done, for the user has interrupted it.
    pub left: usize,
}

/// Tries the kernels that are not done yet, and writes tables and pages of all.
pub async fn run(work: &Work, jobs: Option<usize>, cx: &mut Context) -> Result<Graded> {
    let Work { roster, dir, .. } = work;
    for below in [KERNELS, PAGES] {
        own_directory(&dir.join(below))?;
    }
    let done: Vec<Option<Row>> = roster.kernels.iter().map(|p| settled(dir, p)).collect();
    let pairs = roster.kernels.iter().zip(&done);
    let missing: Vec<&Pupil> = pairs
        .filter(|(_, row)| row.is_none())
        .map(|(p, _)| p)
        .collect();
    let before = roster.kernels.len() - missing.len();
    let plans: Vec<&Plan> = missing.iter().map(|pupil| &pupil.plan).collect();
    for plan in distinct(&plans) {
        doctor::check_machine(plan, cx.cache.root()).require()?;
    }
    let jobs = jobs.unwrap_or_else(|| jobs::that_fit(&plans)).max(1);
    let all = roster.kernels.len();
    cx.ui.stage(&format!(
        "{all} kernels, {before} of them done, {jobs} at a time"
    ));
    let tried = try_all(&missing, dir, jobs, cx).await;

    let mut rows = Vec::new();
    let mut left = 0;
    for (pupil, before) in roster.kernels.iter().zip(done) {
        let now = tried.iter().flatten().find(|row| row.name == pupil.name);
        match before.or_else(|| now.cloned()) {
            Some(row) => rows.push(row),
            None => left += 1,
        }
    }
    let graded = Graded {
        rows,
        points: roster.points.clone(),
        dir: dir.clone(),
        before,
        left,
    };
    graded.write()?;
    Ok(graded)
}

/// Tries kernels side by side; none of what the user has interrupted.
async fn try_all(
    missing: &[&Pupil],
    dir: &Path,
    jobs: usize,
    cx: &mut Context,
) -> Vec<Option<Row>> {
    let Context {
        cache,
        ui,
        interrupt,
    } = cx;
    let (started, shown) = (Instant::now(), &*ui);
    let trials = missing.iter().map(|pupil| {
        let cx = Context::silent(cache, interrupt);
        async move {
            let row = one(pupil, dir, cx).await?;
            let seconds = started.elapsed().as_secs_f64();
            let short = match row.in_short() {
                short if short.is_empty() => "all rules hold".to_owned(),
                short => exitlab_base::foreign::cell(&short),
            };
            shown.say(&format!("{seconds:7.1} s  {}  {short}", row.name));
            Some(row)
        }
    });
    futures_util::stream::iter(trials)
        .buffer_unordered(jobs)
        .collect()
        .await
}

/// Tries one kernel. What an earlier attempt left of it goes.
async fn one(pupil: &Pupil, dir: &Path, mut cx: Context) -> Option<Row> {
    let out = dir.join(KERNELS).join(&pupil.name);
    let platform = pupil.plan.platform_name();
    let image = pupil.image.as_deref();
    let mut row = Row::new(&pupil.name, image, platform, &pupil.settings);
    let outcome = match cleared(&out) {
        Ok(()) => {
            row.digest = digest_of(pupil).unwrap_or_default();
            conformance::run(
                &pupil.plan,
                pupil.order.clone(),
                &OutDir::given(&out),
                &mut cx,
            )
            .await
        }
        Err(error) => Err(error.into()),
    };
    let report = match outcome {
        Ok(report) => Some(report),
        Err(broken) => {
            row.hindered = Some(fate::of(&broken)?);
            broken.report
        }
    };
    if let Some(report) = report {
        row.take(&report);
    }
    // A row that cannot be kept is tried again by whoever goes on.
    if let Err(error) = keep(&row, &out) {
        row.hindered = Some(fate::own(&error));
    }
    Some(row)
}

fn keep(row: &Row, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
    let path = out.join(ROW);
    let mut text = serde_json::to_vec_pretty(row).map_err(Error::json("write", &path))?;
    text.push(b'\n');
    write_whole(&path, &text)
}

/// The row of a kernel that needs no other try: its image is still the same.
fn settled(dir: &Path, pupil: &Pupil) -> Option<Row> {
    let text = std::fs::read(dir.join(KERNELS).join(&pupil.name).join(ROW)).ok()?;
    let row: Row = serde_json::from_slice(&text).ok()?;
    let is_of = row.schema == row::SCHEMA && row.name == pupil.name;
    let same = row.digest == digest_of(pupil).unwrap_or_default() || pupil.image.is_none();
    (is_of && same && !row.is_unsettled()).then_some(row)
}

/// Digest of a kernel's image; none where there is none, or none that can be read.
fn digest_of(pupil: &Pupil) -> Option<String> {
    let image = pupil.image.as_ref()?;
    if !image.metadata().is_ok_and(|about| about.is_file()) {
        return None;
    }
    Some(digest::file(image).ok()?.hex().to_owned())
}

/// A directory of ours, made if it is not there. A link is nobody's that we made.
fn own_directory(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(Error::Config {
            message: format!("{} is no directory, or a link to one", path.display()),
            cure: "remove it, or begin anew with another --out".to_owned(),
        }),
        Err(_) => std::fs::create_dir(path).map_err(Error::io("create", path)),
    }
}

/// Removes what is at a path, and follows no link.
fn cleared(out: &Path) -> Result<()> {
    let removed = match out.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(about) if about.is_dir() => std::fs::remove_dir_all(out),
        Ok(_) => std::fs::remove_file(out),
    };
    removed.map_err(Error::io("remove", out))
}

/// One plan of each platform and kind of source: others need the same of this machine.
fn distinct<'a>(plans: &[&'a Plan]) -> Vec<&'a Plan> {
    let mut distinct: Vec<&Plan> = Vec::new();
    let alike = |a: &Plan, b: &Plan| {
        a.platform == b.platform
            && a.host.accelerator == b.host.accelerator
            && std::mem::discriminant(&a.kernel.source) == std::mem::discriminant(&b.kernel.source)
    };
    for plan in plans {
        if !distinct.iter().any(|other| alike(other, plan)) {
            distinct.push(plan);
        }
    }
    distinct
}

impl Graded {
    /// Writes every table, and a page for each kernel.
    fn write(&self) -> Result<()> {
        let points = self.points.as_ref();
        let rules = row::rules(&self.rows);
        let files = [
            (GRADES_JSON, self.to_json()?),
            (GRADES_CSV, sheet::grades(&self.rows, &rules, points)),
            (FINDINGS, sheet::findings(&self.rows, points)),
            (GRADES_MD, page::grades(&self.rows, &rules, points)),
        ];
        for (name, text) in files {
            write_whole(&self.dir.join(name), text.as_bytes())?;
        }
        for row in &self.rows {
            let path = self.dir.join(PAGES).join(format!("{}.md", row.name));
            write_whole(&path, page::of(row, points).as_bytes())?;
        }
        Ok(())
    }

    /// For people, on a terminal.
    pub fn for_people(&self) -> String {
        table::terminal(&self.rows, &row::rules(&self.rows), self.points.as_ref())
    }

    /// For spreadsheets: a line for each kernel and rule.
    pub fn to_csv(&self) -> String {
        sheet::findings(&self.rows, self.points.as_ref())
    }

    /// For programs.
    pub fn to_json(&self) -> Result<String> {
        summary::json(&self.rows, &row::rules(&self.rows), self.points.as_ref())
    }

    /// As the kernel's own tests report: a test for each kernel, in it one for each rule.
    pub fn to_ktap(&self) -> String {
        report::ktap_of(&self.rows)
    }

    /// How the command ends: the worst of all kernels decides.
    pub fn ended(&self) -> Ended {
        let hindered = self.rows.iter().filter(|row| row.hindered.is_some());
        let hindered = hindered.count();
        let broken = |row: &&Row| row.broken().next().is_some();
        let broken = self.rows.iter().filter(broken).count();
        match (hindered, broken) {
            (0, 0) => Ended::Well,
            (untried, broken) => Ended::Graded {
                broken,
                untried,
                kernels: self.rows.len(),
            },
        }
    }
}
