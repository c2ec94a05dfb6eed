//! The commands around a matrix.

use super::asked::load_matrix;
use super::told::{print, shown};
use crate::cli::{MergeArgs, PlanArgs};
use crate::matrix;
use crate::matrix::emit::{self, Request};
use crate::out_dir::OutDir;
use exitlab_analysis::reading::results_of;
use exitlab_base::error::{Error, Result};

/// `exitlab plan`
pub fn plan(args: &PlanArgs) -> Result<()> {
    let matrix = load_matrix(&args.experiment)?;
    let experiment = &args.experiment;
    let mut words: Vec<String> = Vec::new();
    words.extend(
        experiment
            .config
            .iter()
            .map(|path| path.display().to_string()),
    );
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    experiment.sets.iter().for_each(|set| option("--set", set));
    experiment
        .platform
        .iter()
        .for_each(|platform| option("--platform", platform));
    experiment
        .host
        .iter()
        .for_each(|host| option("--host", host));
    let exe = std::env::current_exe().map_err(Error::io("find", "the running binary"))?;
    let request = Request {
        words: &words,
        shards: args.shards,
        exe: &exe.display().to_string(),
    };
    print(&emit::emit(args.emit, &matrix, request))
}

/// `exitlab merge`
pub fn merge(args: &MergeArgs) -> Result<()> {
    let parts: Vec<_> = args.parts.iter().map(|part| results_of(part)).collect();
    let (cells, out) = matrix::merge(&OutDir::given(&args.out), &parts)?;
    let (parts, out) = (args.parts.len(), shown(&out));
    print(&format!(
        "{cells} cells of {parts} parts.\nresults: {out}\n"
    ))
}
