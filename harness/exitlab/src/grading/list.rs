//! The list of kernels that a teacher writes: a TOML file with a `[[kernel]]` for each.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::entry::Entry;
use exitlab_base::error::{Error, Result};
use exitlab_base::toml::{Problem, Text, Wrong, as_error};

const MANUAL: &str = "docs/conformance.md";

/// Every key of the format.
const KEYS: &[&str] = &[
    "kernel",
    "kernel.path",
    "kernel.name",
    "kernel.set",
    "kernel.leaf_map",
    "kernel.sdm",
];

/// Leaf maps that there are.
pub const LEAF_MAPS: RangeInclusive<i64> = 1..=3;
/// Years of manuals.
pub const YEARS: RangeInclusive<i64> = 2006..=2100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section")]
struct Document {
    #[serde(default)]
    kernel: Vec<Spanned<KernelDocument>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section")]
struct KernelDocument {
    path: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    #[serde(default)]
    set: Vec<String>,
    leaf_map: Option<Spanned<i64>>,
    sdm: Option<Spanned<i64>>,
}

/// Reads a list. Paths in it are relative to it.
pub fn read(file: &Path) -> Result<Vec<Entry>> {
    let content = std::fs::read_to_string(file).map_err(|e| Error::Config {
        message: format!("cannot read the list of kernels {}: {e}", file.display()),
        cure: format!("name a TOML file with a [[kernel]] for each; {MANUAL} has an example"),
    })?;
    let text = Text::new(file.display().to_string(), content);
    let dir = file.parent().unwrap_or(Path::new(""));
    of_text(&text, dir).map_err(as_error)
}

fn of_text(text: &Text, dir: &Path) -> Result<Vec<Entry>, Vec<Problem>> {
    let document: Document = text.parse(KEYS, MANUAL).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    if document.kernel.is_empty() {
        let cure = format!("add a [[kernel]] for each; {MANUAL} has an example");
        problems.push(text.whole(Wrong::new("there is no kernel in it", cure)));
    }
    let mut entries = Vec::new();
    for given in &document.kernel {
        match entry(text, given, dir) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(entries),
        false => Err(problems),
    }
}

fn entry(text: &Text, given: &Spanned<KernelDocument>, dir: &Path) -> Result<Entry, Problem> {
    let kernel = given.get_ref();
    let path: Option<PathBuf> = match &kernel.path {
        Some(path) if path.get_ref().is_empty() => {
            let wrong = Wrong::new("no path", "give the path of a bzImage");
            return Err(text.problem("kernel.path", path, wrong));
        }
        Some(path) => Some(dir.join(path.get_ref())),
        None => None,
    };
    let name = kernel.name.as_ref().map(|name| name.get_ref().clone());
    if path.is_none() && kernel.set.is_empty() {
        let wrong = Wrong::new(
            "neither path nor set: which kernel is it?",
            "give the path of a bzImage, or with set what is built",
        );
        return Err(text.section("kernel", given, wrong));
    }
    Ok(Entry {
        place: text.place(given.span().start),
        path,
        name,
        sets: kernel.set.clone(),
        leaf_map: number(text, "kernel.leaf_map", &kernel.leaf_map, LEAF_MAPS)?,
        sdm: number(text, "kernel.sdm", &kernel.sdm, YEARS)?,
    })
}

fn number<T: TryFrom<i64>>(
    text: &Text,
    key: &str,
    given: &Option<Spanned<i64>>,
    range: RangeInclusive<i64>,
) -> Result<Option<T>, Problem> {
    let Some(given) = given else {
        return Ok(None);
    };
    let number = Some(*given.get_ref()).filter(|number| range.contains(number));
    let number = number.and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| {
        let cure = format!("give a number from {} to {}", range.start(), range.end());
        text.problem(key, given, Wrong::new("out of range", cure))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_base::error::for_people;

    fn of(content: &str) -> Result<Vec<Entry>> {
        of_text(&Text::new("class.toml", content), Path::new("class")).map_err(as_error)
    }

    #[test]
    fn a_list_names_kernels_and_what_each_needs() {
        let entries = of(
            "[[kernel]]\npath = 'ada/bzImage'\n\n[[kernel]]\nname = 'bob'\n\
                          path = '/b'\nset = ['host.cpus=2']\nleaf_map = 2\nsdm = 2021\n",
        )
        .expect("a good list");
        assert_eq!(entries[0].path, Some("class/ada/bzImage".into()));
        assert_eq!(entries[1].path, Some("/b".into()));
        assert_eq!(entries[1].name.as_deref(), Some("bob"));
        assert_eq!(entries[1].sets, ["host.cpus=2"]);
        assert_eq!((entries[1].leaf_map, entries[1].sdm), (Some(2), Some(2021)));
        assert_eq!(entries[1].place, "class.toml:4");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let lists = [
            "",
            "kernel = 1\n",
            "[[kernel]]\npth = 'x'\n",
            "[[kernel]]\nname = 'ada'\n",
            "[[kernel]]\npath = ''\n",
            "[[kernel]]\npath = 'x'\nleaf_map = 4\n[[kernel]]\npath = 'x'\nsdm = 'new'\n",
            "[[kernel]]\npath = 'x'\nleaf_map = 4\n[[kernel]]\npath = 'y'\nsdm = 1990\n",
        ];
        let told: Vec<String> = lists
            .iter()
            .map(|list| of(list).map_or_else(|e| for_people(&e), |_| "good\n".to_owned()))
            .collect();
        insta::assert_snapshot!(told.concat());
    }
}
