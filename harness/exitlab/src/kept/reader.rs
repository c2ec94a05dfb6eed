//! What a results directory holds, as far as a line of a list says it.

use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use exitlab_base::dir::Dir;
use exitlab_model::layout::{CELLS, CONFORMANCE, MATRIX, ROSTER, ROW, RUN, STEPS, TRIED};
use exitlab_model::matrix::{self, Index};
use exitlab_model::record::{Outcome, RunRecord};
use exitlab_model::rule::Verdict;

use crate::conformance::Report;
use crate::litter;

/// The longest file that is read, bytes.
const LONGEST: u64 = 256 << 20;

/// What lies where results do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Results.
    Results(About),
    /// Something that should be results, and why it cannot be read.
    Damaged(String),
    /// Nothing that exitlab made, or a link, or somebody else's.
    Foreign,
}

/// What made results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// `run` or `attach`.
    Run,
    /// `run` or `ab`, of several cells.
    Matrix,
    /// `conformance` of one kernel.
    Conformance,
    /// `conformance` of many.
    Grades,
    /// `bisect`.
    Bisection,
    /// What is being begun, and has no name yet.
    Beginning,
}

impl Sort {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Run => "run",
            Sort::Matrix => "matrix",
            Sort::Conformance => "conformance",
            Sort::Grades => "grades",
            Sort::Bisection => "bisection",
            Sort::Beginning => "beginning",
        }
    }
}

/// Results, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What made them.
    pub sort: Sort,
    /// Name of the experiment; empty where there is none.
    pub experiment: String,
    /// Platform; of several, the first and `…`; empty where it is not known.
    pub platform: String,
    /// When it began, UTC, RFC 3339, if that is known.
    pub started: Option<String>,
    /// What came of it, in few words.
    pub outcome: String,
    /// All exits up to the last sample, of all cells together; none without samples.
    pub exits: Option<u128>,
}

impl About {
    fn of(sort: Sort, outcome: String) -> About {
        About {
            sort,
            experiment: String::new(),
            platform: String::new(),
            started: None,
            outcome,
            exits: None,
        }
    }
}

/// Whether a directory has the mark of results, whatever they are worth.
pub fn is_results(dir: &Dir) -> bool {
    let marks = [RUN, MATRIX, CONFORMANCE, ROSTER, TRIED, STEPS, ROW];
    marks.iter().any(|mark| dir.has(mark))
}

/// What a directory called `name` holds.
pub fn about(dir: &Dir, name: &OsStr) -> Found {
    let found = if litter::is_beginning(name) {
        Ok(About::of(Sort::Beginning, String::new()))
    } else if dir.has(MATRIX) {
        matrix(dir)
    } else if dir.has(RUN) {
        read::<RunRecord>(dir, RUN).map(|record| run(&record))
    } else if dir.has(ROSTER) {
        grades(dir)
    } else if dir.has(CONFORMANCE) {
        read::<Report>(dir, CONFORMANCE).map(|report| trial(&report))
    } else if dir.has(TRIED) || dir.has(STEPS) {
        bisection(dir)
    } else {
        return Found::Foreign;
    };
    found.map_or_else(Found::Damaged, Found::Results)
}

fn read<T: DeserializeOwned>(dir: &Dir, name: &str) -> Result<T, String> {
    let content = dir.read_whole(name, LONGEST).map_err(|e| e.to_string())?;
    let content = content.ok_or_else(|| format!("{name} is no file, or too long"))?;
    serde_json::from_slice(&content).map_err(|error| format!("{name}: {error}"))
}

fn run(record: &RunRecord) -> About {
    let last = record.samples.last();
    About {
        experiment: record.experiment.clone(),
        platform: record.platform.clone(),
        started: Some(record.started.clone()),
        exits: last.map(|sample| sample.counts().iter().map(|&n| u128::from(n)).sum()),
        ..About::of(Sort::Run, state(&record.outcome).to_owned())
    }
}

fn state(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Unfinished => "unfinished",
        Outcome::Complete => "complete",
        Outcome::ChecksFailed { .. } => "checks failed",
        Outcome::BrokenStream { .. } => "broken stream",
        Outcome::Failed { .. } => "failed",
        Outcome::Interrupted => "interrupted",
    }
}

fn matrix(dir: &Dir) -> Result<About, String> {
    let index: Index<IgnoredAny> = matrix::read(dir.path()).map_err(|e| e.to_string())?;
    let cells = dir.inner(CELLS).ok();
    let records = index.mine().filter_map(|cell| {
        let cell = cells.as_ref()?.inner(Path::new(&cell.id)).ok()?;
        read::<RunRecord>(&cell, RUN).ok()
    });
    let (mut complete, mut exits) = (0, None);
    let (mut started, mut platform): (Option<String>, String) = (None, String::new());
    for record in records {
        let cell = run(&record);
        complete += usize::from(record.outcome == Outcome::Complete);
        exits = exits
            .or(cell.exits.map(|_| 0))
            .map(|all: u128| all + cell.exits.unwrap_or(0));
        // The earliest; in UTC and of one form, texts are in the order of time.
        started = started.into_iter().chain(cell.started).min();
        if platform.is_empty() {
            platform = cell.platform;
        } else if platform != cell.platform && !platform.ends_with('…') {
            platform += " …";
        }
    }
    let all = index.mine().count();
    let mut outcome = format!("{complete} of {all} cells complete");
    if let Some(shard) = index.shard {
        outcome += &format!(" (part {shard})");
    }
    Ok(About {
        experiment: index.experiment.clone(),
        platform,
        started,
        exits,
        ..About::of(Sort::Matrix, outcome)
    })
}

fn trial(report: &Report) -> About {
    let count = |wanted: fn(&Verdict) -> bool| {
        let findings = report.findings.iter();
        findings.filter(|finding| wanted(&finding.verdict)).count()
    };
    let holds = count(|verdict| matches!(verdict, Verdict::Holds { .. }));
    let broken = count(|verdict| matches!(verdict, Verdict::Broken { .. }));
    About {
        platform: report.platform.clone(),
        ..About::of(
            Sort::Conformance,
            format!("{holds} rules hold, {broken} broken"),
        )
    }
}

/// The part of a roster that is counted.
#[derive(Deserialize)]
struct Kernels {
    kernels: Vec<IgnoredAny>,
}

fn grades(dir: &Dir) -> Result<About, String> {
    let roster: Kernels = read(dir, ROSTER)?;
    let kernels = dir.inner(exitlab_model::layout::KERNELS).ok();
    let tried = kernels.map_or(0, |kernels| {
        let names = kernels.dirs().unwrap_or_default();
        let inner = names.iter().filter_map(|name| kernels.inner(name).ok());
        inner.filter(|dir| dir.has(ROW)).count()
    });
    let all = roster.kernels.len();
    Ok(About::of(
        Sort::Grades,
        format!("{tried} of {all} kernels tried"),
    ))
}

fn bisection(dir: &Dir) -> Result<About, String> {
    let tried = match dir.has(TRIED) {
        true => read::<Vec<IgnoredAny>>(dir, TRIED)?.len(),
        false => 0,
    };
    Ok(About::of(Sort::Bisection, format!("{tried} commits tried")))
}
