//! `exitlab bisect`: which commit altered the exits?

use std::cell::RefCell;
use std::path::Path;

use super::asked::{cache_dir, context, load_matrix, out_dir};
use super::regression::compared;
use super::told::{print, shown};
use crate::bisect::{Decision, End, LinkedWorktree, Questions, Tester, ask, report};
use crate::cli::{BisectArgs, BisectStepArgs};
use crate::context::Context;
use crate::doctor;
use crate::ended::Ended;
use crate::pages;
use exitlab_analysis::compare::Comparison;
use exitlab_analysis::export::{self, ComparisonFormat};
use exitlab_analysis::gate::{self, Outcome};
use exitlab_analysis::reading::Promises;
use exitlab_base::artifact::{Cache, Lock};
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::git::Repository;
use exitlab_config::Matrix;
use exitlab_model::layout::{BISECT_LOG, FOUND, GIT_LOG, STEPS};

/// How Git says how much is left.
const LEFT: &str = "Bisecting: ";

/// The two commits that the first bad one lies between.
struct Range {
    good: String,
    bad: String,
}

/// Tries both ends, has Git bisect, and shows what was found.
pub(super) async fn run(args: BisectArgs) -> Result<Ended> {
    // What is wrong with the arguments is told before a kernel is built.
    let rules = gate::load(&args.rules, None)?;
    let repo = Repository::open(&args.repo)?;
    let range = range(&repo, &args)?;
    let plan = |commit: &str| plan(&args, &repo, commit);
    let dir = cache_dir(&args.cache)?;
    for cell in &plan(&range.bad)?.cells {
        doctor::check(&cell.plan, &dir).require()?;
    }
    let cache = Cache::open(dir)?;
    let out = out_dir(args.out.clone(), "bisect");
    out.prepare()?;
    let out = out.take(|path| std::fs::create_dir(path))?;
    let _in_use = Lock::share(&Dir::open(out)?).ok();
    let _gone_if_empty = GoneIfEmpty(out);

    let mut tester = Tester {
        repo: &repo,
        plan: &plan,
        rules: &rules,
        out,
        jobs: args.jobs.map(usize::from),
        tested: Vec::new(),
    };
    let mut cx = context(cache, &args.shown)?;
    let outcome = bisect(&range, &mut tester, &mut cx).await;
    cx.ui.end(outcome.is_ok());
    tell(&outcome?, &range, &tester)
}

/// A results directory in which nothing was kept, because nothing could be built, goes again.
struct GoneIfEmpty<'a>(&'a Path);

impl Drop for GoneIfEmpty<'_> {
    fn drop(&mut self) {
        for dir in [&self.0.join(STEPS), self.0] {
            let _ = std::fs::remove_dir(dir);
        }
    }
}

/// `exitlab bisect-step`: carries a question of `git bisect run` to the exitlab that bisects.
pub(super) fn step(args: &BisectStepArgs) -> ! {
    std::process::exit(i32::from(ask(&args.socket)))
}

fn range(repo: &Repository, args: &BisectArgs) -> Result<Range> {
    let range = Range {
        good: repo.commit(&args.good)?,
        bad: repo.commit(&args.bad)?,
    };
    if range.good == range.bad {
        return Err(Error::Config {
            message: format!(
                "good and bad are the same commit: {} and {} are {}",
                args.good, args.bad, range.good
            ),
            cure: "name two".to_owned(),
        });
    }
    Ok(range)
}

/// The experiment on the kernel of a commit.
fn plan(args: &BisectArgs, repo: &Repository, commit: &str) -> Result<Matrix> {
    let mut experiment = args.experiment.clone();
    let source = format!("git:{}#{commit}", repo.dir().display());
    let source = super::ab::toml(&source);
    experiment.sets.push(format!("kernel.source={source}"));
    if let Some(repeat) = args.repeat {
        experiment.sets.push(format!("repeat={repeat}"));
    }
    load_matrix(&experiment)
}

async fn bisect(range: &Range, tester: &mut Tester<'_>, cx: &mut Context) -> Result<End> {
    cx.ui
        .stage(&format!("good: {}", report::short(&range.good)));
    let judgement = tester.good(&range.good, cx).await?;
    if judgement.outcome() != Outcome::Passed {
        let what = "the good commit does not keep the rules against itself";
        return Err(nothing(what, &gate::plain(&judgement)));
    }
    cx.ui.stage(&format!("bad: {}", report::short(&range.bad)));
    let judgement = tester.bad(&range.bad, cx).await?;
    if judgement.outcome() != Outcome::Failed {
        let what = "the bad commit does not break the rules";
        return Err(nothing(what, &gate::plain(&judgement)));
    }

    let linked = LinkedWorktree::new(tester.repo, tester.out, &range.bad)?;
    linked.start(&range.good, &range.bad)?;
    let outcome = steps(&linked, tester, cx).await;
    // Also of a bisection that was ended: it says how far it came.
    let log = tester.out.join(BISECT_LOG);
    let kept = linked
        .log()
        .and_then(|text| write_whole(&log, text.as_bytes()));
    let end = outcome?;
    kept?;
    Ok(end)
}

/// Nothing to bisect. The verdict says why.
fn nothing(what: &str, verdict: &str) -> Error {
    Error::Config {
        message: format!("nothing to bisect: {what}\n{}", verdict.trim_end()),
        cure: "name two commits that the rules tell apart: exitlab ab --repo shows in what they \
               differ"
            .to_owned(),
    }
}

/// Answers Git until it has found what it looks for.
async fn steps(linked: &LinkedWorktree, tester: &mut Tester<'_>, cx: &mut Context) -> Result<End> {
    let questions = Questions::open()?;
    let left = RefCell::new(String::new());
    let (socket, log) = (questions.path(), tester.out.join(GIT_LOG));
    let git = linked.bisect(&socket, &log, |line| {
        if let Some(words) = line.strip_prefix(LEFT) {
            *left.borrow_mut() = format!(": {words}");
        }
    });
    let answers = async {
        loop {
            let asked = cx.interrupt.or(questions.asked()).await?;
            let commit = linked.asked_about()?;
            let words = format!("{}{}", report::short(&commit), left.borrow());
            cx.ui.stage(&words);
            let decision: Decision = tester.decide(&commit, cx).await?;
            asked.answer(decision).await;
        }
    };
    tokio::select! {
        end = git => end,
        failed = answers => {
            let failed: Result<std::convert::Infallible> = failed;
            failed.map(|never| match never {})
        }
    }
}

/// Shows what was found, and how the exits differ.
fn tell(end: &End, range: &Range, tester: &Tester<'_>) -> Result<Ended> {
    let suspects = match end {
        End::Found(first) => std::slice::from_ref(first),
        End::OneOf(commits) => commits,
    };
    let about: Result<Vec<_>> = suspects.iter().map(|id| tester.repo.about(id)).collect();
    let found = report::found(end, &about?);
    let comparison = comparison(end, range, tester)?;
    let table = comparison.as_ref().map_or(String::new(), |comparison| {
        export::comparison(comparison, ComparisonFormat::Table, false)
    });
    let text = format!("{found}\n{table}");
    let page = comparison.map(|comparison| pages::of_sides(tester.out, &comparison));
    print(&format!(
        "{text}\n{}results: {}\n",
        page.unwrap_or_default(),
        shown(tester.out)
    ))?;
    write_whole(&tester.out.join(FOUND), text.as_bytes())?;
    Ok(match end {
        End::Found(_) => Ended::Well,
        End::OneOf(suspects) => Ended::Hidden {
            suspects: suspects.len(),
        },
    })
}

/// The good commit before the first bad one against that one; where that is not known, both
/// ends.
fn comparison(end: &End, range: &Range, tester: &Tester<'_>) -> Result<Option<Comparison>> {
    let results = |commit: &str| tester.of(commit)?.results.clone();
    let (mut before, mut after) = (results(&range.good), results(&range.bad));
    if let End::Found(first) = end {
        let parents = tester.repo.parents(first)?;
        let is_good = |id: &&String| tester.of(id).is_some_and(|t| t.decision == Decision::Good);
        before = parents
            .iter()
            .find(is_good)
            .and_then(|id| results(id))
            .or(before);
        after = results(first).or(after);
    }
    match (before, after) {
        (Some(before), Some(after)) => compared(&[before], &[after], Promises::Required).map(Some),
        _ => Ok(None),
    }
}
