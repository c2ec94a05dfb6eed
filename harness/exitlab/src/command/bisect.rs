//! `exitlab bisect`: which commit altered the exits?

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::{cache_dir, default_out, listen, load_matrix, print, shown};
use crate::bisect::{Bench, Decision, Desk, End, Linked, ask, report};
use crate::cli::{BisectArgs, BisectStepArgs};
use crate::doctor;
use crate::results::Results;
use crate::signals::Interrupt;
use crate::ui::Ui;
use exitlab_analysis::gate::{self, Outcome};
use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::git::Repository;
use exitlab_config::Matrix;

/// How Git says how much is left.
const LEFT: &str = "Bisecting: ";

/// The two commits that the first bad one lies between.
struct Range {
    good: String,
    bad: String,
}

/// Tries both ends, has Git bisect, and shows what was found.
pub(super) async fn run(args: BisectArgs) -> Result<()> {
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
    let out = args.out.clone().unwrap_or_else(|| default_out("bisect"));
    Results::require_absent(&out)?;
    std::fs::create_dir_all(&out).map_err(Error::io("create", &out))?;

    let mut bench = Bench {
        repo: &repo,
        plan: &plan,
        rules: &rules,
        out: &out,
        jobs: args.jobs.map(usize::from),
        cache: &cache,
        tested: Vec::new(),
    };
    let mut interrupt = listen()?;
    let mut ui = Ui::new(args.shown.progress, args.shown.console);
    let outcome = bisect(&range, &mut bench, &mut ui, &mut interrupt).await;
    ui.end(outcome.is_ok());
    tell(&outcome?, &range, &bench)
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

async fn bisect(
    range: &Range,
    bench: &mut Bench<'_>,
    ui: &mut Ui,
    interrupt: &mut Interrupt,
) -> Result<End> {
    ui.stage(&format!("good: {}", report::short(&range.good)));
    let judgement = bench.good(&range.good, ui, interrupt).await?;
    if judgement.outcome() != Outcome::Passed {
        let what = "the good commit does not keep the rules against itself";
        return Err(nothing(what, &gate::plain(&judgement)));
    }
    ui.stage(&format!("bad: {}", report::short(&range.bad)));
    let judgement = bench.bad(&range.bad, ui, interrupt).await?;
    if judgement.outcome() != Outcome::Failed {
        let what = "the bad commit does not break the rules";
        return Err(nothing(what, &gate::plain(&judgement)));
    }

    let linked = Linked::new(bench.repo, bench.out, &range.bad)?;
    linked.start(&range.good, &range.bad)?;
    let outcome = steps(&linked, bench, ui, interrupt).await;
    // Also of a bisection that was ended: it says how far it came.
    let log = bench.out.join("bisect.log");
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
async fn steps(
    linked: &Linked,
    bench: &mut Bench<'_>,
    ui: &mut Ui,
    interrupt: &mut Interrupt,
) -> Result<End> {
    let desk = Desk::open()?;
    let left = RefCell::new(String::new());
    let (socket, log) = (desk.path(), bench.out.join("git.log"));
    let git = linked.bisect(&socket, &log, |line| {
        if let Some(words) = line.strip_prefix(LEFT) {
            *left.borrow_mut() = format!(": {words}");
        }
    });
    let answers = async {
        loop {
            let asked = interrupt.or(desk.asked()).await?;
            let commit = linked.asked_about()?;
            let words = format!("{}{}", report::short(&commit), left.borrow());
            ui.stage(&words);
            let decision: Decision = bench.decide(&commit, ui, interrupt).await?;
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
fn tell(end: &End, range: &Range, bench: &Bench<'_>) -> Result<()> {
    let suspects = match end {
        End::Found(first) => std::slice::from_ref(first),
        End::OneOf(commits) => commits,
    };
    let about: Result<Vec<_>> = suspects.iter().map(|id| bench.repo.about(id)).collect();
    let found = report::found(end, &about?);
    let text = format!("{found}\n{}", comparison(end, range, bench)?);
    print(&format!(
        "{text}\nresults: {}\n",
        shown(bench.out).display()
    ))?;
    write_whole(&bench.out.join("found.txt"), text.as_bytes())?;
    match end {
        End::Found(_) => Ok(()),
        End::OneOf(suspects) => Err(Error::Hidden {
            suspects: suspects.len(),
        }),
    }
}

/// The good commit before the first bad one against that one; where that is not known, both
/// ends.
fn comparison(end: &End, range: &Range, bench: &Bench<'_>) -> Result<String> {
    let results = |commit: &str| bench.of(commit)?.results.clone();
    let (mut before, mut after) = (results(&range.good), results(&range.bad));
    if let End::Found(first) = end {
        let parents = bench.repo.parents(first)?;
        let is_good = |id: &&String| bench.of(id).is_some_and(|t| t.decision == Decision::Good);
        before = parents
            .iter()
            .find(is_good)
            .and_then(|id| results(id))
            .or(before);
        after = results(first).or(after);
    }
    match (before, after) {
        (Some(before), Some(after)) => compared(&before, &after),
        _ => Ok(String::new()),
    }
}

fn compared(before: &Path, after: &Path) -> Result<String> {
    let dirs = |dir: &Path| -> Vec<PathBuf> { vec![dir.to_owned()] };
    super::regression::table(&dirs(before), &dirs(after))
}
