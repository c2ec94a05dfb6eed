//! A configuration with lists where a key takes one value is a matrix: an experiment for
//! each combination, each `repeat` times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::axis::{self, Axis};
use super::layer::{Layer, Layers};
use super::{resolve, value};
use exitlab_base::error::{Error, Result};
use exitlab_base::toml::{Problem, Wrong, as_error};
use exitlab_model::matrix::{Cell, Dimension, MOST_CELLS, MOST_REPEATS, cell_name};
use exitlab_model::platform::PlatformKind;

/// Experiments that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The keys with several values, and those, as they are written.
    pub axes: Vec<Dimension>,
    /// How often each combination runs.
    pub repeat: u32,
    /// Every experiment, combination by combination.
    pub cells: Vec<Cell>,
}

/// One text, the file or a `--set`, with the lists in it.
struct Text {
    /// The file's name; none for a `--set`.
    name: Option<String>,
    text: String,
    base: PathBuf,
    axes: Vec<Axis>,
}

/// The file and the `--set`s as they were given.
pub(super) struct Texts(Vec<Text>);

impl Texts {
    /// A file called `name`, with each `--set` over it.
    pub(super) fn new(
        name: &str,
        text: String,
        base: PathBuf,
        sets: &[String],
        dir: &Path,
    ) -> Texts {
        let file = Text {
            name: Some(name.to_owned()),
            axes: axis::find(&text),
            text,
            base,
        };
        let set = |argument: &String| Text {
            name: None,
            axes: axis::find(argument),
            text: argument.clone(),
            base: dir.to_owned(),
        };
        Texts(std::iter::once(file).chain(sets.iter().map(set)).collect())
    }

    /// Every experiment. Everything that cannot be parsed is reported at once, then
    /// everything that is wrong.
    pub(super) fn expand(&self, usable: &[PlatformKind]) -> Result<Matrix> {
        let first = self.layers(&BTreeMap::new())?;
        let (repeat, mut problems) = repeat(&first);
        let axes = self.axes();
        problems.extend(self.bad(&axes, repeat));
        if !problems.is_empty() {
            return Err(as_error(problems));
        }
        let mut cells = Vec::new();
        for chosen in combinations(&axes) {
            let layers = self.layers(&chosen)?;
            let plan = resolve::resolve(&layers, usable).map_err(as_error)?;
            let values = axes.iter().map(|(text, axis)| {
                let shown = axis::shown(&text.text, axis, chosen[&axis.key]);
                (axis.key.clone(), shown)
            });
            let values: BTreeMap<String, String> = values.collect();
            for repeat in 1..=repeat {
                let id = cell_name(cells.len() + 1, &values, repeat);
                cells.push(Cell {
                    id: id.map_err(|why| Error::Config {
                        message: format!("a cell has no name: {why}"),
                        cure: "report this as a mistake of exitlab".to_owned(),
                    })?,
                    values: values.clone(),
                    repeat,
                    plan: plan.clone(),
                });
            }
        }
        let axes = axes.iter().map(|(text, axis)| Dimension {
            key: axis.key.clone(),
            values: (0..axis.len())
                .map(|n| axis::shown(&text.text, axis, n))
                .collect(),
        });
        Ok(Matrix {
            axes: axes.collect(),
            repeat,
            cells,
        })
    }

    /// The axes that count, in the order in which they were written: of a key that is given
    /// more than once, the last text decides, with a list or without.
    fn axes(&self) -> Vec<(&Text, &Axis)> {
        let mut axes: Vec<(&Text, &Axis)> = Vec::new();
        for text in &self.0 {
            if text.name.is_none() {
                let key = text.text.split('=').next().unwrap_or_default().trim();
                axes.retain(|(_, axis)| axis.key != key);
            }
            let mut own: Vec<&Axis> = text.axes.iter().collect();
            own.sort_by_key(|axis| axis.start());
            axes.extend(own.into_iter().map(|axis| (text, axis)));
        }
        axes
    }

    /// The layers of one combination.
    fn layers(&self, chosen: &BTreeMap<String, usize>) -> Result<Layers> {
        let (mut layers, mut problems) = (Vec::new(), Vec::new());
        for text in &self.0 {
            let cell = axis::choose(&text.text, &text.axes, chosen);
            let layer = match &text.name {
                Some(name) => Layer::file(name, cell, text.base.clone()),
                None => Layer::set(&cell, text.base.clone()),
            };
            match layer {
                Ok(layer) => layers.push(layer),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Layers(layers))
        } else {
            Err(as_error(problems))
        }
    }

    /// Lists of nothing, lists of the same, and too much of everything.
    fn bad(&self, axes: &[(&Text, &Axis)], repeat: u32) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut combinations: usize = 1;
        for (text, axis) in axes {
            let place = text.name.as_deref().unwrap_or("--set");
            let mut values: Vec<String> = (0..axis.len())
                .map(|n| axis::shown(&text.text, axis, n))
                .collect();
            values.sort();
            let wrong = if values.is_empty() {
                Some((
                    "an empty list of values",
                    "give one value, or several in a list",
                ))
            } else if values.windows(2).any(|pair| pair[0] == pair[1]) {
                Some((
                    "a value twice",
                    "give each value once; repeat = N runs all of them again",
                ))
            } else if matches!(axis.key.as_str(), "name" | "repeat") {
                Some(("several values", "give one"))
            } else {
                None
            };
            let place = format!("{place}: {}", axis.key);
            problems.extend(wrong.map(|(what, cure)| Wrong::new(what, cure).at(place, &axis.key)));
            combinations = combinations.saturating_mul(axis.len().max(1));
        }
        // Each of them holds a plan: known before the first one is made.
        let cells = combinations.saturating_mul(repeat as usize);
        if cells > MOST_CELLS {
            let what = match repeat {
                1 => format!("{cells} combinations, more than {MOST_CELLS}"),
                _ => format!(
                    "{combinations} combinations, each {repeat} times, are {cells} cells, more \
                     than {MOST_CELLS}"
                ),
            };
            let wrong = Wrong::new(what, "give fewer values, or a smaller repeat");
            problems.push(wrong.at(self.0[0].name.clone().unwrap_or_default(), ""));
        }
        problems
    }
}

/// How often each combination runs.
fn repeat(layers: &Layers) -> (u32, Vec<Problem>) {
    match layers.entry("repeat", |d| &d.repeat) {
        None => (1, Vec::new()),
        Some(entry) => match value::within(*entry.value, 1..=i64::from(MOST_REPEATS)) {
            Ok(repeat) => (repeat as u32, Vec::new()),
            Err(wrong) => (1, vec![entry.problem(wrong)]),
        },
    }
}

/// Which element of each axis, for every combination; the last axis changes fastest.
fn combinations(axes: &[(&Text, &Axis)]) -> Vec<BTreeMap<String, usize>> {
    let mut all = vec![BTreeMap::new()];
    for (_, axis) in axes {
        let extend = |chosen: &BTreeMap<String, usize>| {
            let with = |n| {
                let mut chosen = chosen.clone();
                chosen.insert(axis.key.clone(), n);
                chosen
            };
            (0..axis.len()).map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(extend).collect();
    }
    all
}
