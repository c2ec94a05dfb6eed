//! Builds commits, runs the experiment on them, and judges them against the good one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::matrix::{self, Work};
use crate::out_dir::OutDir;
use crate::ui::Ui;
use exitlab_analysis::gate::{self, Judgement, Outcome, Rules};
use exitlab_analysis::reading::{Filter, Promises, Reading};
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole;
use exitlab_base::git::{Commit, Repository};
use exitlab_config::Matrix;
use exitlab_kernel as kernel;
use exitlab_model::layout::{STEPS, TRIED};
use exitlab_model::plan::KernelPlan;

use super::report;
use super::tested::{Decision, Tested};

/// Where commits are tried.
pub struct Tester<'a> {
    /// Their repository.
    pub repo: &'a Repository,
    /// What runs on the kernel of a commit.
    pub plan: &'a dyn Fn(&str) -> Result<Matrix>,
    /// What tells good from bad.
    pub rules: &'a Rules,
    /// Where results go.
    pub out: &'a Path,
    /// How many cells run at the same time.
    pub jobs: Option<usize>,
    /// What was tried so far; the good commit is the first.
    pub tested: Vec<Tested>,
}

impl Tester<'_> {
    /// Tries the commit that is known to be good. It must keep the rules against itself.
    pub async fn good(&mut self, commit: &str, cx: &mut Context) -> Result<Judgement> {
        let kernels = self.kernels(commit, cx).await?;
        let results = self.run(commit, cx).await?;
        let judgement = self.judge(&results, &results)?;
        let about = self.repo.about(commit)?;
        let why = "what the others are judged against".to_owned();
        self.keep(
            &about,
            (Decision::Good, why),
            Some(results),
            kernels,
            &cx.ui,
        )?;
        Ok(judgement)
    }

    /// Tries the commit that is said to be bad. What keeps it from being tried is an error.
    pub async fn bad(&mut self, commit: &str, cx: &mut Context) -> Result<Judgement> {
        let kernels = self.kernels(commit, cx).await?;
        let results = self.results(commit, &kernels, cx).await?;
        let judgement = self.judge(self.base()?, &results)?;
        let about = self.repo.about(commit)?;
        self.keep(&about, decided(&judgement), Some(results), kernels, &cx.ui)?;
        Ok(judgement)
    }

    /// Decides about a commit. One that was tried already is what it was.
    pub async fn decide(&mut self, commit: &str, cx: &mut Context) -> Result<Decision> {
        if let Some(known) = self.of(commit) {
            return Ok(known.decision);
        }
        let about = self.repo.about(commit)?;
        let kernels = match self.kernels(commit, cx).await {
            Ok(kernels) => kernels,
            Err(error) if is_of_the_commit(&error) => {
                let why = report::does_not_build(&error);
                let skipped = (Decision::Skip, why);
                self.keep(&about, skipped, None, Vec::new(), &cx.ui)?;
                return Ok(Decision::Skip);
            }
            Err(error) => return Err(error),
        };
        let results = match self.results(commit, &kernels, cx).await {
            Ok(results) => results,
            // What it counted says nothing, neither good nor bad.
            Err(Error::Checks { message, .. }) => {
                let skipped = (Decision::Skip, message);
                self.keep(&about, skipped, None, kernels, &cx.ui)?;
                return Ok(Decision::Skip);
            }
            Err(error) => return Err(error),
        };
        let (decision, why) = decided(&self.judge(self.base()?, &results)?);
        self.keep(&about, (decision, why), Some(results), kernels, &cx.ui)?;
        Ok(decision)
    }

    /// What came of a commit, if it was tried.
    pub fn of(&self, commit: &str) -> Option<&Tested> {
        self.tested.iter().find(|tested| tested.commit == commit)
    }

    /// Builds the kernels of a commit: their digests.
    async fn kernels(&self, commit: &str, cx: &mut Context) -> Result<Vec<String>> {
        let matrix = (self.plan)(commit)?;
        let mut plans: Vec<&KernelPlan> = Vec::new();
        for cell in &matrix.cells {
            if !plans.contains(&&cell.plan.kernel) {
                plans.push(&cell.plan.kernel);
            }
        }
        let mut digests = Vec::new();
        for plan in plans {
            cx.ui.stage("kernel");
            let ui = &cx.ui;
            let note = |text: &str| ui.note(text);
            let built = cx
                .interrupt
                .or(kernel::build(&cx.cache, plan, &note))
                .await?;
            digests.push(built.digest);
        }
        Ok(digests)
    }

    /// The results of an equal kernel, or new ones. Most commits of a kernel change nothing
    /// that is compiled here.
    async fn results(&self, commit: &str, kernels: &[String], cx: &mut Context) -> Result<PathBuf> {
        let equal = self.tested.iter().find(|tested| tested.kernels == kernels);
        if let Some((equal, results)) = equal.and_then(|t| Some((t, t.results.clone()?))) {
            let of = report::short(&equal.commit);
            cx.ui.say(&format!("the kernel of {of}, byte for byte"));
            return Ok(results);
        }
        self.run(commit, cx).await
    }

    async fn run(&self, commit: &str, cx: &mut Context) -> Result<PathBuf> {
        let steps = self.out.join(STEPS);
        std::fs::create_dir_all(&steps).map_err(Error::io("create", &steps))?;
        let number = self.tested.len() + 1;
        let dir = steps.join(format!("{number}-{}", report::short(commit)));
        let matrix = (self.plan)(commit)?;
        let work = Work::begin(&matrix, None, &OutDir::given(dir), cx.cache.root())?;
        Ok(matrix::run(work, self.jobs, cx).await?.dir)
    }

    /// The results of the good commit.
    fn base(&self) -> Result<&Path> {
        let good = self
            .tested
            .first()
            .and_then(|tested| tested.results.as_ref());
        good.map(PathBuf::as_path).ok_or_else(|| Error::Config {
            message: "the good commit was not tried".to_owned(),
            cure: "begin with it".to_owned(),
        })
    }

    fn judge(&self, base: &Path, head: &Path) -> Result<Judgement> {
        let read = |dir: &Path| Reading::of(&[dir.to_owned()], &Filter::new(), Promises::Required);
        let (base, head) = (read(base)?, read(head)?);
        let channel = Reading::common_channel(&[&base, &head])?;
        let none = BTreeSet::new();
        let (base, head) = (base.side(channel, &none)?, head.side(channel, &none)?);
        gate::judge(self.rules, Some(&base), &head, gate::today())
    }

    /// Keeps what was decided, and says it.
    fn keep(
        &mut self,
        about: &Commit,
        (decision, why): (Decision, String),
        results: Option<PathBuf>,
        kernels: Vec<String>,
        ui: &Ui,
    ) -> Result<()> {
        let tested = Tested {
            commit: about.id.clone(),
            subject: about.subject.clone(),
            decision,
            why,
            results,
            kernels,
        };
        ui.say(&report::line(&tested));
        self.tested.push(tested);
        let path = self.out.join(TRIED);
        let text = serde_json::to_vec_pretty(&self.tested).map_err(Error::json("write", &path))?;
        write_whole(&path, &text)
    }
}

fn decided(judgement: &Judgement) -> (Decision, String) {
    let decision = match judgement.outcome() {
        Outcome::Passed => Decision::Good,
        Outcome::Failed => Decision::Bad,
        Outcome::Undecided => Decision::Skip,
    };
    (decision, report::because(judgement))
}

/// Whether a build failed for what the commit holds, and not for what this machine lacks.
fn is_of_the_commit(error: &Error) -> bool {
    /// What compilers say of a full disk, and where the kernel ended them for want of memory.
    const OF_THE_MACHINE: [&str; 3] = ["No space left", "Killed", "Cannot allocate memory"];
    let Error::Build {
        stage,
        message,
        tail,
        ..
    } = error
    else {
        return false;
    };
    let mut said = tail.iter().chain([message]);
    kernel::stage::is_of_the_source(stage)
        && !said.any(|line| OF_THE_MACHINE.iter().any(|word| line.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_commit_holds_is_skipped() {
        let build = |stage: &str, message: &str, last: &str| Error::Build {
            stage: stage.to_owned(),
            message: message.to_owned(),
            tail: vec![last.to_owned()],
            cure: String::new(),
        };
        let stage = "kernel: compile";
        let syntax = "`make bzImage` failed\n  a.c:1:1: error: expected ';'";
        assert!(is_of_the_commit(&build(stage, syntax, "make: *** Error 2")));
        let hooks = "kernel/hooks/census.toml does not fit";
        assert!(is_of_the_commit(&build("kernel: apply hooks", hooks, "")));
        for (stage, message, last) in [
            (stage, "a.c: fatal error: No space left on device", ""),
            (stage, "`make` failed", "gcc: fatal error: Killed signal"),
            ("kernel: unpack", "tar failed", ""),
            ("kernel: take the revision out", "git failed", ""),
            ("guest image", "it failed", ""),
        ] {
            assert!(!is_of_the_commit(&build(stage, message, last)), "{message}");
        }
        assert!(!is_of_the_commit(&Error::Interrupted));
    }
}
