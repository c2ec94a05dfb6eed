//! An experiment's TOML file, checked and resolved into a [`Plan`].
//!
//! ```text
//! file or built-in ─┐ parse           validate, resolve
//! --set key=value  ─┴──────► layers ────────────────────► Plan
//! ```

mod axis;
mod choice;
mod deadline;
mod defaults;
mod document;
mod duration;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guest;
mod kernel;
mod layer;
mod log;
pub mod matrix;
mod medium;
mod parameter;
mod phase;
mod resolve;
mod resolver;
mod sampling;
mod schedule;
mod size;
pub mod speed;

#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

pub use exitlab_model::matrix::{Cell, Dimension};
pub use matrix::Matrix;

use exitlab_base::error::{Error, Result};
use exitlab_model::plan::Plan;
use exitlab_model::platform::PlatformKind;
use matrix::Texts;

/// The experiment that runs if no other is named.
const BUILT_IN: &str = include_str!("../../../configs/boot-vs-idle.toml");
/// How messages call it.
const BUILT_IN_NAME: &str = "built-in boot-vs-idle.toml";

/// Loads one experiment: the file at `path`, or the built-in one, with every
/// `--set key=value` laid over it.
///
/// Relative paths in the file are relative to the file, those in a `--set` (and `path`
/// itself) to `current_dir`, which is absolute. `auto` chooses among the platforms that
/// are `usable` on this machine.
///
/// # Errors
///
/// [`Error::Config`] with everything that is wrong, or for a matrix of several.
pub fn load(
    path: Option<&Path>,
    sets: &[String],
    current_dir: &Path,
    usable: &[PlatformKind],
) -> Result<Plan> {
    let mut matrix = load_matrix(path, sets, current_dir, usable)?;
    match matrix.cells.pop() {
        Some(cell) if matrix.cells.is_empty() => Ok(cell.plan),
        _ => Err(Error::Config {
            message: format!(
                "this configuration is a matrix of {} experiments, and one is wanted here",
                matrix.cells.len() + 1
            ),
            cure: one_of(&matrix),
        }),
    }
}

/// Loads every experiment of a configuration: one, or a matrix.
///
/// # Errors
///
/// [`Error::Config`] with everything that is wrong.
pub fn load_matrix(
    path: Option<&Path>,
    sets: &[String],
    current_dir: &Path,
    usable: &[PlatformKind],
) -> Result<Matrix> {
    let texts = match path {
        None => {
            let text = BUILT_IN.to_owned();
            Texts::new(
                BUILT_IN_NAME,
                text,
                current_dir.to_owned(),
                sets,
                current_dir,
            )
        }
        Some(path) => {
            let absolute = current_dir.join(path);
            let text = read(path, &absolute)?;
            let base = absolute.parent().map_or_else(PathBuf::new, Path::to_owned);
            Texts::new(&path.display().to_string(), text, base, sets, current_dir)
        }
    };
    texts.expand(usable)
}

/// How to ask for one experiment of a matrix.
fn one_of(matrix: &Matrix) -> String {
    let set = |axis: &Dimension| {
        let value = axis.values.first().map_or("", String::as_str);
        format!("--set '{}={value}'", axis.key)
    };
    let mut sets: Vec<String> = matrix.axes.iter().map(set).collect();
    if matrix.repeat > 1 {
        sets.push("--set repeat=1".to_owned());
    }
    format!("choose one: {}", sets.join(" "))
}

fn read(path: &Path, absolute: &Path) -> Result<String> {
    std::fs::read_to_string(absolute).map_err(|error| Error::Config {
        message: format!("failed to read {}: {error}", path.display()),
        cure: "check the path; without one, exitlab runs its built-in experiment".to_owned(),
    })
}
