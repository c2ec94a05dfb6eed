//! `compare`, `gate`, `baseline`, and the hidden `verdicts`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::told::{command, print};
use crate::cli::{BaselineAction, BaselineArgs, CompareArgs, GateArgs, VerdictsArgs};
use crate::ended::Ended;
use exitlab_analysis::baseline::{self, Update};
use exitlab_analysis::compare::{self, Settings, Side};
use exitlab_analysis::export::{self, ComparisonFormat};
use exitlab_analysis::gate::{self, Rules};
use exitlab_analysis::reading::{Filter, Reading, read_side};
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::line;

/// `exitlab compare`
pub(super) fn compare(args: CompareArgs) -> Result<()> {
    let filter =
        |own: &[(String, String)]| -> Filter { args.cells.iter().chain(own).cloned().collect() };
    let (of_base, of_head) = (filter(&args.base_cells), filter(&args.head_cells));
    let base = Reading::of(&[args.base], &of_base)?;
    let head = Reading::of(&[args.head], &of_head)?;
    let channel = Reading::common_channel(&[&base, &head])?;
    // What was chosen on each side is not what pairs them.
    let chosen: BTreeSet<String> = of_base.keys().chain(of_head.keys()).cloned().collect();
    let (base, head) = (base.side(channel, &chosen)?, head.side(channel, &chosen)?);
    let settings = args.noise.over(Settings::default());
    let comparison = compare::compare(&base, &head, &settings)?;
    print(&export::comparison(
        &comparison,
        args.format.into(),
        args.all,
    ))
}

/// The table that compares two sides as they are.
pub(super) fn table(base: &[PathBuf], head: &[PathBuf]) -> Result<String> {
    let (base, head) = (
        Reading::of(base, &Filter::new())?,
        Reading::of(head, &Filter::new())?,
    );
    let channel = Reading::common_channel(&[&base, &head])?;
    let none = BTreeSet::new();
    let (base, head) = (base.side(channel, &none)?, head.side(channel, &none)?);
    let comparison = compare::compare(&base, &head, &Settings::default())?;
    Ok(export::comparison(
        &comparison,
        ComparisonFormat::Table,
        false,
    ))
}

/// `exitlab gate`
pub(super) fn gate(args: GateArgs) -> Result<Ended> {
    let rules = gate::load(&args.rules, args.platform.as_deref())?;
    let filter: Filter = args.cells.into_iter().collect();
    let head = Reading::of(&args.runs, &filter)?;
    let base = match (&*args.base, &rules.baseline) {
        ([], None) => None,
        ([], Some(file)) => Some(Reading::of(std::slice::from_ref(file), &Filter::new())?),
        (given, _) => Some(Reading::of(given, &Filter::new())?),
    };
    let sides: Vec<&Reading> = base.iter().chain([&head]).collect();
    let channel = Reading::common_channel(&sides)?;
    let head = head.side(channel, &BTreeSet::new())?;
    let base = base
        .map(|base| base.side(channel, &BTreeSet::new()))
        .transpose()?;
    judge(&rules, base.as_ref(), &head, args.junit.as_deref())
}

/// Judges a side by rules, and shows the verdict everywhere: plainly, to GitHub, and as
/// JUnit XML in the file `junit`.
pub(super) fn judge(
    rules: &Rules,
    base: Option<&Side>,
    head: &Side,
    junit: Option<&Path>,
) -> Result<Ended> {
    let judgement = gate::judge(rules, base, head, gate::today())?;
    if let Some(path) = junit {
        gate::write_junit(&judgement, path)?;
    }
    print(&gate::plain(&judgement))?;
    gate::tell_github(&judgement, command)?;
    Ok(Ended::of(&judgement))
}

/// `exitlab baseline`
pub(super) fn baseline(args: BaselineArgs) -> Result<()> {
    match args.action {
        BaselineAction::Save { file, runs } => {
            let side = read_side(&runs, &Filter::new())?;
            baseline::save(&file, &side)?;
            let left_out: String = side
                .left_out
                .iter()
                .map(|run| line(&run.why) + "\n")
                .collect();
            print(&format!(
                "{}{left_out}{}\n",
                baseline::summary(&side.cells),
                saved(&file)
            ))
        }
        BaselineAction::Show { file } => print(&baseline::shown(&baseline::load(&file)?)),
        BaselineAction::Update {
            file,
            runs,
            dry_run,
        } => {
            let side = read_side(&runs, &Filter::new())?;
            let update = Update::of(&file, side, &Settings::default())?;
            print(&update_text(&update))?;
            if !update.changes {
                return print(&format!("{} stays as it is\n", file.display()));
            }
            if dry_run {
                return print("nothing was written: --dry-run\n");
            }
            update.write()?;
            print(&format!("{}\n", saved(&file)))
        }
    }
}

fn saved(file: &Path) -> String {
    format!("baseline: {}", file.display())
}

fn update_text(update: &Update) -> String {
    let comparison = update.comparison.as_ref();
    let mut text = comparison.map_or_else(String::new, |comparison| {
        export::comparison(comparison, ComparisonFormat::Table, false) + "\n"
    });
    for (word, cells) in [("new", &update.added), ("kept as it is", &update.kept)] {
        for cell in cells {
            text += &format!("{word}: {cell}\n");
        }
    }
    let left_out = update.left_out.iter().map(|why| line(why) + "\n");
    text + &left_out.collect::<String>()
}

/// `exitlab verdicts`
pub(super) fn verdicts(args: VerdictsArgs) -> Result<()> {
    let side = read_side(&args.runs, &Filter::new())?;
    let [cell] = &*side.cells else {
        return Err(Error::Config {
            message: format!("{} holds {} cells", side.name, side.cells.len()),
            cure: "give repeats of one cell".to_owned(),
        });
    };
    let settings = args.noise.over(Settings::default());
    let mut results = Vec::new();
    for &repeats in &args.repeats {
        let plant = args.plant.fraction();
        let result = compare::benchmark(
            cell,
            repeats,
            args.comparisons,
            plant,
            args.plant_least,
            &settings,
        )?;
        results.push(result);
    }
    print(&export::benchmark(cell, &results, args.plant, &settings))
}
