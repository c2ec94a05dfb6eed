//! An experiment's TOML file, checked and resolved into a [`Plan`].
//!
//! ```text
//! file or built-in ─┐ parse           validate, resolve
//! --set key=value  ─┴──────► layers ────────────────────► Plan
//! ```

pub mod plan;

mod choice;
mod defaults;
mod document;
mod duration;
mod layer;
mod parameter;
mod phase;
mod problem;
mod resolve;
mod schedule;
mod size;
pub mod speed;
mod suggestion;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::path::{Path, PathBuf};

pub use plan::Plan;
pub(crate) use problem::{Problem, Wrong, error as problems};
pub(crate) use text::Text;

use crate::error::{Error, Result};
use layer::{Layer, Layers};
use plan::PlatformKind;

/// The experiment that runs if no other is named.
const BUILT_IN: &str = include_str!("../../../configs/boot-vs-idle.toml");
/// How messages call it.
const BUILT_IN_NAME: &str = "built-in boot-vs-idle.toml";

/// Loads an experiment: the file at `path`, or the built-in one, with every
/// `--set key=value` laid over it.
///
/// Relative paths in the file are relative to the file, those in a `--set` (and `path`
/// itself) to `current_dir`, which is absolute. `auto` chooses among the platforms that
/// are `usable` on this machine.
///
/// # Errors
///
/// [`Error::Config`] with everything that is wrong.
pub fn load(
    path: Option<&Path>,
    sets: &[String],
    current_dir: &Path,
    usable: &[PlatformKind],
) -> Result<Plan> {
    let file = match path {
        None => Layer::file(BUILT_IN_NAME, BUILT_IN.to_owned(), current_dir.to_owned()),
        Some(path) => {
            let absolute = current_dir.join(path);
            let text = read(path, &absolute)?;
            let base = absolute.parent().map_or_else(PathBuf::new, Path::to_owned);
            Layer::file(&path.display().to_string(), text, base)
        }
    };
    resolve(file, sets, current_dir, usable)
}

fn read(path: &Path, absolute: &Path) -> Result<String> {
    std::fs::read_to_string(absolute).map_err(|error| Error::Config {
        message: format!("failed to read {}: {error}", path.display()),
        cure: "check the path; without one, exitlab runs its built-in experiment".to_owned(),
    })
}

/// Everything that cannot be parsed is reported at once, then everything that is wrong.
fn resolve(
    file: Result<Layer, problem::Problem>,
    sets: &[String],
    current_dir: &Path,
    usable: &[PlatformKind],
) -> Result<Plan> {
    let sets = sets
        .iter()
        .map(|set| Layer::set(set, current_dir.to_owned()));
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for layer in std::iter::once(file).chain(sets) {
        match layer {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problem::error(problems));
    }
    resolve::resolve(&Layers(layers), usable).map_err(problem::error)
}
