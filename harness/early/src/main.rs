//! Builds the kernels of an experiment into the cache. It needs a third of exitlab's crates, so
//! `scripts/run` has it before the others are compiled, and both go on at the same time: one
//! leaves a processor idle while the other waits for a link or unpacks a source.
//!
//! It takes the arguments of `exitlab run` and makes of them what it can. What is wrong with
//! them, or is missing, `exitlab run` says with better words: here it only means that nothing
//! is built.

use std::path::{Path, PathBuf};

use exitlab_base::artifact::Cache;
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::line;
use exitlab_base::screen;
use exitlab_model::plan::KernelPlan;
use exitlab_model::platform::PlatformKind;

fn main() {
    exitlab_base::inherited::settle();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let built = match runtime {
        Ok(runtime) => runtime.block_on(build(&Asked::of(&arguments))),
        Err(error) => Err(Error::io("start", "the runtime")(error)),
    };
    if let Err(error) = built {
        say(&format!("not built early: {error}"));
    }
}

/// What the arguments say of kernels.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    config: Option<PathBuf>,
    sets: Vec<String>,
    cache: Option<PathBuf>,
}

impl Asked {
    /// Other options decide nothing about a kernel. Their values may stand by themselves: only
    /// what is called like a configuration is taken for one.
    fn of(arguments: &[String]) -> Asked {
        let mut asked = Asked::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            match name {
                "--set" => asked.sets.extend(value.or_else(|| rest.next().cloned())),
                "--cache" => asked.cache = value.or_else(|| rest.next().cloned()).map(Into::into),
                name if name.ends_with(".toml") && !name.starts_with('-') => {
                    asked.config = Some(name.into());
                }
                _ => {}
            }
        }
        asked
    }
}

async fn build(asked: &Asked) -> Result<()> {
    let here = std::env::current_dir().map_err(Error::io("find", "the current directory"))?;
    let usable = &PlatformKind::ALL;
    let matrix = exitlab_config::load_matrix(asked.config.as_deref(), &asked.sets, &here, usable)?;
    let cache = Cache::open(asked.cache.clone().map_or_else(Cache::default_dir, Ok)?)?;
    let mut plans: Vec<&KernelPlan> = Vec::new();
    for cell in &matrix.cells {
        if !plans.contains(&&cell.plan.kernel) {
            plans.push(&cell.plan.kernel);
        }
    }
    for plan in plans {
        let progress = |text: &str| say(text);
        let kernel = exitlab_kernel::build(&cache, plan, &progress).await?;
        say(&format!("ready: {}", shown(&kernel.image)));
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn say(text: &str) {
    screen::err(&format!("    kernel: {}\n", line(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_kernels_is_taken() {
        let arguments = [
            "--platform",
            "tcg-svm",
            "--out",
            "results/x",
            "configs/ept.toml",
            "--set",
            "kernel.census=false",
            "--set=repeat=2",
            "--cache=/c",
        ];
        let asked = Asked::of(&arguments.map(str::to_owned));
        let expected = Asked {
            config: Some("configs/ept.toml".into()),
            sets: vec!["kernel.census=false".to_owned(), "repeat=2".to_owned()],
            cache: Some("/c".into()),
        };
        assert_eq!(asked, expected);
    }
}
