//! `compare`, `gate`, `baseline`, and the hidden `verdicts`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::told::{command, print, shown};
use crate::cli::{
    BaselineAction, BaselineArgs, CompareArgs, GateArgs, VerdictFormat, VerdictsArgs,
};
use crate::ended::Ended;
use exitlab_analysis::baseline::{self, Update};
use exitlab_analysis::compare::{self, Comparison, Settings, Side};
use exitlab_analysis::export::{self, ComparisonFormat};
use exitlab_analysis::gate::{self, Rules};
use exitlab_analysis::reading::{Filter, Promises, Reading, read_side};
use exitlab_base::error::{Error, Result};
use exitlab_base::foreign::line;

/// `exitlab compare`
pub(super) fn compare(args: CompareArgs) -> Result<()> {
    let filter =
        |own: &[(String, String)]| -> Filter { args.cells.iter().chain(own).cloned().collect() };
    let (of_base, of_head) = (filter(&args.base_cells), filter(&args.head_cells));
    let promises = Promises::from(args.promises);
    let base = Reading::of(&[args.base], &of_base, promises)?;
    let head = Reading::of(&[args.head], &of_head, promises)?;
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

/// Two sides as they are, compared.
pub(super) fn compared(
    base: &[PathBuf],
    head: &[PathBuf],
    promises: Promises,
) -> Result<Comparison> {
    let (base, head) = (
        Reading::of(base, &Filter::new(), promises)?,
        Reading::of(head, &Filter::new(), promises)?,
    );
    let channel = Reading::common_channel(&[&base, &head])?;
    let none = BTreeSet::new();
    let (base, head) = (base.side(channel, &none)?, head.side(channel, &none)?);
    compare::compare(&base, &head, &Settings::default())
}

/// `exitlab gate`
pub(super) fn gate(args: GateArgs) -> Result<Ended> {
    let rules = gate::load(&args.rules, args.platform.as_deref())?;
    let filter: Filter = args.cells.into_iter().collect();
    let promises = Promises::from(args.promises);
    let base = match (&*args.base, &rules.baseline) {
        ([], None) => &[],
        ([], Some(file)) => std::slice::from_ref(file),
        (given, _) => given,
    };
    require_apart(base, &args.runs)?;
    let head = Reading::of(&args.runs, &filter, promises)?;
    let base = match base {
        [] => None,
        paths => Some(Reading::of(paths, &Filter::new(), promises)?),
    };
    let sides: Vec<&Reading> = base.iter().chain([&head]).collect();
    let channel = Reading::common_channel(&sides)?;
    let head = head.side(channel, &BTreeSet::new())?;
    let base = base
        .map(|base| base.side(channel, &BTreeSet::new()))
        .transpose()?;
    let how = (args.format, args.junit.as_deref());
    judge(&rules, base.as_ref(), &head, how)
}

/// What is compared with itself always passes.
fn require_apart(base: &[PathBuf], head: &[PathBuf]) -> Result<()> {
    let real = |path: &PathBuf| path.canonicalize().ok();
    let of_base: Vec<PathBuf> = base.iter().filter_map(real).collect();
    let both = head
        .iter()
        .find(|path| real(path).is_some_and(|path| of_base.contains(&path)));
    match both {
        None => Ok(()),
        Some(path) => Err(Error::Config {
            message: format!("{} is on both sides: it would pass", path.display()),
            cure: "name only the runs that are to be judged; what they are held against is \
                   `baseline` in the rules, or --base"
                .to_owned(),
        }),
    }
}

/// Judges a side by rules, and shows the verdict everywhere: in the format, to GitHub, and as
/// JUnit XML in the file `junit`.
pub(super) fn judge(
    rules: &Rules,
    base: Option<&Side>,
    head: &Side,
    (format, junit): (VerdictFormat, Option<&Path>),
) -> Result<Ended> {
    let judgement = gate::judge(rules, base, head, gate::today())?;
    if let Some(path) = junit {
        gate::write_junit(&judgement, path)?;
    }
    print(&match format {
        VerdictFormat::Table => gate::plain(&judgement),
        VerdictFormat::Ktap => export::ktap(&gate::ktap_tests(&judgement)),
    })?;
    gate::tell_github(&judgement, command)?;
    Ok(Ended::of(&judgement))
}

/// `exitlab baseline`
pub(super) fn baseline(args: BaselineArgs) -> Result<()> {
    match args.action {
        BaselineAction::Save {
            file,
            runs,
            promises,
        } => {
            let side = read_side(&runs, &Filter::new(), promises.into())?;
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
            promises,
            dry_run,
        } => {
            let side = read_side(&runs, &Filter::new(), promises.into())?;
            let update = Update::of(&file, side, &Settings::default())?;
            print(&update_text(&update))?;
            if !update.changes {
                return print(&format!("{} stays as it is\n", shown(&file)));
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
    format!("baseline: {}", shown(file))
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
    let side = read_side(&args.runs, &Filter::new(), Promises::Required)?;
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
