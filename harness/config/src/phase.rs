//! `[[phase]]`: workloads in the guest, each of which ends with a sample.

use std::ops::RangeInclusive;

use super::document;
use super::layer::{Entry, Layers};
use super::value::{name, not_blank, within};
use exitlab_base::toml::{Problem, Wrong};
use exitlab_model::plan::{LeftBehind, Phase};
use exitlab_model::record::Channel;

/// How often a command may run in one phase.
const REPEATS: RangeInclusive<i64> = 1..=10_000;

/// What the samples of the schedule are called.
const TAKEN: [&str; 2] = ["boot", "idle"];

/// Reads every phase, in order.
pub(super) fn read(layers: &Layers, channels: &[Channel]) -> (Vec<Phase>, Vec<Problem>) {
    let (mut phases, mut problems) = (Vec::new(), Vec::new());
    let Some(list) = layers.entry("phase", |d| &d.phase) else {
        return (phases, problems);
    };
    if channels.is_empty() && !list.value.is_empty() {
        problems.push(list.problem(Wrong::new(
            "a phase ends with a sample, and sampling.channels is empty",
            "give sampling.channels, or run the command by inspect",
        )));
    }
    for given in list.value {
        match phase(&list.part("phase", given), &phases) {
            Ok(phase) => phases.push(phase),
            Err(problem) => problems.push(problem),
        }
    }
    (phases, problems)
}

fn phase(entry: &Entry<'_, document::Phase>, before: &[Phase]) -> Result<Phase, Problem> {
    let missing = |what: &str| {
        let cure = "give a phase both: name = \"cpu\" and run = \"a command\"";
        entry.problem(Wrong::new(format!("{what} is missing"), cure))
    };
    let given = entry.value;
    let name = given.name.as_ref().ok_or_else(|| missing("name"))?;
    let name = entry.part("phase.name", name);
    let run = given.run.as_ref().ok_or_else(|| missing("run"))?;
    let run = entry.part("phase.run", run);
    let repeat = match &given.repeat {
        None => 1,
        Some(repeat) => {
            let repeat = entry.part("phase.repeat", repeat);
            within(*repeat.value, REPEATS).map_err(|wrong| repeat.problem(wrong))? as u32
        }
    };
    let left_behind = match &given.left_behind {
        None => LeftBehind::default(),
        Some(word) => {
            let word = entry.part("phase.left_behind", word);
            left_behind(word.value).map_err(|wrong| word.problem(wrong))?
        }
    };
    Ok(Phase {
        name: own_name(name.value, before).map_err(|wrong| name.problem(wrong))?,
        run: not_blank(run.value).map_err(|wrong| run.problem(wrong))?,
        repeat,
        left_behind,
    })
}

fn left_behind(text: &str) -> Result<LeftBehind, Wrong> {
    let known = [LeftBehind::Wait, LeftBehind::End, LeftBehind::Refuse];
    let meant = known.into_iter().find(|known| known.word() == text);
    meant.ok_or_else(|| {
        Wrong::new(
            "neither wait nor end nor refuse",
            "say what becomes of processes that the command leaves behind: \"wait\" for them, \
             \"end\" them, or \"refuse\" them",
        )
    })
}

/// A name by which tables can tell the phase from all others.
fn own_name(text: &str, before: &[Phase]) -> Result<String, Wrong> {
    // The same letters as the experiment's: no table format minds them.
    let name =
        name(text).map_err(|wrong| Wrong::new("cannot be the name of a phase", wrong.cure))?;
    if TAKEN.contains(&name.as_str()) {
        return Err(Wrong::new(
            "the schedule calls its own samples so",
            "choose another name",
        ));
    }
    if before.iter().any(|phase| phase.name == name) {
        return Err(Wrong::new(
            "two phases have this name",
            "give each phase a name of its own",
        ));
    }
    Ok(name)
}
