//! The TOML mirror of a baseline, and what may be wrong with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::below;
use super::line::{Numbers, reason};
use crate::compare::{CellCounts, CellKey, Facts, PhaseCounts, Series};
use exitlab_base::toml::{Problem, Text, Wrong};
use exitlab_model::reasons::Isa;
use exitlab_model::record::{Channel, Source};

/// Version of the format.
pub(super) const SCHEMA: i64 = 1;

const MANUAL: &str = "docs/regression.md";

/// Most repeats that a cell can have: one number may stand for all of them.
const MOST_REPEATS: usize = 100_000;

const KEYS: &[&str] = &[
    "schema",
    "provenance",
    "cell",
    "cell.platform",
    "cell.experiment",
    "cell.isa",
    "cell.channel",
    "cell.repeats",
    "cell.values",
    "cell.phases",
    "cell.provenance",
    "cell.exits",
    "cell.counted",
    "cell.places_named",
    "cell.below",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section")]
struct Document {
    schema: Spanned<i64>,
    #[serde(default)]
    provenance: BTreeMap<String, String>,
    #[serde(default)]
    cell: Vec<Spanned<CellDocument>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section")]
struct CellDocument {
    platform: String,
    experiment: String,
    isa: Isa,
    channel: Channel,
    repeats: Spanned<usize>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    phases: Vec<Spanned<String>>,
    #[serde(default)]
    provenance: BTreeMap<String, String>,
    exits: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Line>>>,
    #[serde(default)]
    counted: Vec<Source>,
    #[serde(default)]
    places_named: bool,
    #[serde(default)]
    below: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, below::Lines>>,
}

/// What stands behind a reason.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a number of exits, a list with one for each repeat, or both \
                               exits and cycles"
)]
enum Line {
    Exits(Numbers),
    Both { exits: Numbers, cycles: Numbers },
}

/// Reads the cells of a file.
pub(crate) fn read(text: &Text) -> Result<Vec<CellCounts>, Problem> {
    let document: Document = text.parse(KEYS, MANUAL)?;
    if *document.schema.get_ref() != SCHEMA {
        let wrong = Wrong::new(
            format!("this exitlab reads version {SCHEMA} of baselines"),
            "save it again with this version, or read it with the one that wrote it",
        );
        return Err(text.problem("schema", &document.schema, wrong));
    }
    if document.cell.is_empty() {
        let cure = "save one from a run: exitlab baseline save FILE RUN";
        return Err(text.whole(Wrong::new("a baseline without cells", cure)));
    }
    let mut cells: Vec<CellCounts> = Vec::new();
    for given in &document.cell {
        let cell = cell(text, given.get_ref(), &document.provenance)?;
        if cells.iter().any(|other| other.key == cell.key) {
            let wrong = Wrong::new(format!("{} a second time", cell.key), "keep one of the two");
            return Err(text.section("cell", given, wrong));
        }
        cells.push(cell);
    }
    Ok(cells)
}

fn cell(
    text: &Text,
    given: &CellDocument,
    common: &BTreeMap<String, String>,
) -> Result<CellCounts, Problem> {
    let repeats = *given.repeats.get_ref();
    if !(1..=MOST_REPEATS).contains(&repeats) {
        let wrong = Wrong::new("out of range", format!("give 1 to {MOST_REPEATS}"));
        return Err(text.problem("cell.repeats", &given.repeats, wrong));
    }
    let mut named = given.exits.keys().chain(given.below.keys());
    if let Some(name) = named.find(|name| !names(given).any(|n| n == name.get_ref())) {
        let wrong = Wrong::new("this phase is not listed in phases", "add it there");
        return Err(text.problem("cell.exits", name, wrong));
    }
    let told = below::told(&given.counted, given.places_named);
    let none = BTreeMap::new();
    let nothing = BTreeMap::new();
    let phase = |name: &Spanned<String>| {
        let found = given
            .exits
            .iter()
            .find(|(phase, _)| phase.get_ref() == name.get_ref());
        let lines = found.map_or(&none, |(_, lines)| lines);
        let reasons = reasons(text, lines, repeats)?;
        let found = given
            .below
            .iter()
            .find(|(phase, _)| phase.get_ref() == name.get_ref());
        let below = found.map_or(&nothing, |(_, below)| below);
        Ok(PhaseCounts {
            name: name.get_ref().clone(),
            reasons,
            below: below::read(text, below, (repeats, &told, given.isa))?,
        })
    };
    let facts = common.iter().chain(&given.provenance);
    Ok(CellCounts {
        key: CellKey {
            platform: given.platform.clone(),
            experiment: given.experiment.clone(),
            values: given.values.clone(),
        },
        isa: given.isa,
        channel: given.channel,
        sources: vec![text.name.clone()],
        repeats,
        facts: Facts(
            facts
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ),
        phases: given.phases.iter().map(phase).collect::<Result<_, _>>()?,
        told,
    })
}

fn reasons(
    text: &Text,
    lines: &BTreeMap<Spanned<String>, Spanned<Line>>,
    repeats: usize,
) -> Result<BTreeMap<u32, Series>, Problem> {
    let mut reasons = BTreeMap::new();
    for (key, line) in lines {
        let reason = reason(text, key)?;
        let series = series(text, key.get_ref(), line, repeats)?;
        if reasons.insert(reason, series).is_some() {
            let wrong = Wrong::new("this reason a second time", "keep one of the two");
            return Err(text.section(key.get_ref(), key, wrong));
        }
    }
    Ok(reasons)
}

fn names(given: &CellDocument) -> impl Iterator<Item = &String> {
    given.phases.iter().map(Spanned::get_ref)
}

fn series(text: &Text, key: &str, line: &Spanned<Line>, repeats: usize) -> Result<Series, Problem> {
    let (exits, cycles) = match line.get_ref() {
        Line::Exits(exits) => (exits.each(repeats), Some(Vec::new())),
        Line::Both { exits, cycles } => (exits.each(repeats), cycles.each(repeats)),
    };
    match (exits, cycles) {
        (Some(exits), Some(cycles)) => Ok(Series { exits, cycles }),
        _ => {
            let wrong = Wrong::new(
                format!("not one number for each of {repeats} repeats"),
                "give one number for all, or a list with one for each",
            );
            Err(text.problem(key, line, wrong))
        }
    }
}
