//! The texts that a configuration is made of: a file, then each `--set` over it.
//! Every value remembers which text it came from and where in it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::document::{Document, Given, KEYS, List, PHASE_KEYS, Parameters, SECTIONS};
use exitlab_base::toml::nearest;
use exitlab_base::toml::{Problem, Wrong};
use exitlab_base::toml::{key_segment, line_of, snippet, wrong_type};

/// One parsed text.
#[derive(Debug)]
pub(super) struct Layer {
    /// File name as the user gave it; none for a `--set`, which has no lines either.
    file: Option<String>,
    text: String,
    /// What relative paths in it are relative to.
    base: PathBuf,
    document: Document,
}

impl Layer {
    /// Parses the text of a file that is called `name`.
    pub(super) fn file(name: &str, text: String, base: PathBuf) -> Result<Layer, Problem> {
        Layer::parse(Some(name.to_owned()), text, base)
    }

    /// Parses `key=value` of a `--set`.
    pub(super) fn set(argument: &str, base: PathBuf) -> Result<Layer, Problem> {
        let malformed = || {
            Wrong::new(
                "not of the form key=value",
                "write the key with its section: --set guest.memory=512M",
            )
            .at(format!("--set {argument}"), "")
        };
        let (key, value) = argument.split_once('=').ok_or_else(malformed)?;
        let key = key.trim();
        if !key.split('.').all(is_bare_key) {
            return Err(malformed());
        }
        // What is not TOML is meant as text: nobody quotes twice on a command line.
        let value: toml::Value = value
            .trim()
            .parse()
            .unwrap_or_else(|_| toml::Value::String(value.to_owned()));
        Layer::parse(None, format!("{key} = {value}"), base)
    }

    fn parse(file: Option<String>, text: String, base: PathBuf) -> Result<Layer, Problem> {
        let mut layer = Layer {
            file,
            text,
            base,
            document: Document::default(),
        };
        layer.document = layer
            .read()
            .map_err(|(keys, error)| layer.unreadable(&keys, &error))?;
        Ok(layer)
    }

    /// The document, or the error and the dotted key it occurred at.
    fn read(&self) -> Result<Document, (String, toml::de::Error)> {
        let deserializer =
            toml::Deserializer::parse(&self.text).map_err(|error| (String::new(), error))?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let keys = error
                .path()
                .iter()
                .filter_map(key_segment)
                .collect::<Vec<_>>()
                .join(".");
            (keys, error.into_inner())
        })
    }

    /// The words for what TOML or serde refused.
    fn unreadable(&self, key: &str, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        let (label, wrong) = if message.starts_with("unknown field") {
            (key.to_owned(), unknown_key(key))
        } else if let Some(kinds) = message.strip_prefix("invalid type: ") {
            (
                self.assignment(key, &span),
                wrong_type(kinds, self.file.is_none()),
            )
        } else {
            let what = message.replace('\n', " ");
            (
                key.to_owned(),
                Wrong::new(
                    what,
                    "correct the TOML there; docs/configuration.md has examples",
                ),
            )
        };
        let place = self.place(span.start);
        let place = if label.is_empty() {
            place
        } else {
            format!("{place}: {label}")
        };
        wrong.at(place, key)
    }

    /// `experiment.toml:12`, or `--set`.
    fn place(&self, offset: usize) -> String {
        let Some(file) = &self.file else {
            return "--set".to_owned();
        };
        format!("{file}:{}", line_of(&self.text, offset))
    }

    /// `guest.vcpus = 17`, the value as it is written.
    fn assignment(&self, key: &str, span: &Range<usize>) -> String {
        format!("{key} = {}", snippet(&self.text, span.clone()))
    }
}

fn is_bare_key(segment: &str) -> bool {
    !segment.is_empty()
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn unknown_key(key: &str) -> Wrong {
    let known = KEYS.iter().chain(PHASE_KEYS).chain(SECTIONS);
    let known: Vec<&str> = known.copied().collect();
    let meant = nearest(key, &known);
    let what = match meant.as_slice() {
        [] => "unknown key".to_owned(),
        meant => format!("unknown key: did you mean {}?", meant.join(" or ")),
    };
    let misplaced = key.contains('.') && meant.iter().any(|key| !key.contains('.'));
    let cure = if misplaced {
        "write it above the first [section]: below one, it belongs to that section"
    } else {
        "docs/configuration.md lists every key"
    };
    Wrong::new(what, cure)
}

/// All texts of a configuration, in the order in which they override.
#[derive(Debug)]
pub(super) struct Layers(pub Vec<Layer>);

impl Layers {
    /// The value of `key`: the last text that gives it decides.
    pub(super) fn entry<'a, T>(
        &'a self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<T>,
    ) -> Option<Entry<'a, T>> {
        self.0.iter().rev().find_map(|layer| {
            let given = get(&layer.document).as_ref()?;
            let span = given.span();
            let label = layer.assignment(key, &span);
            Some(Entry {
                key,
                value: given.get_ref(),
                label,
                offset: span.start,
                layer,
            })
        })
    }

    /// The parameters of a kernel module, by name: of each, the last text that gives it
    /// decides.
    pub(super) fn parameters<'a>(
        &'a self,
        module: &'static str,
        get: impl Fn(&'a Document) -> &'a Parameters,
    ) -> BTreeMap<&'a str, Entry<'a, toml::Value>> {
        let mut entries = BTreeMap::new();
        for layer in &self.0 {
            for (name, given) in get(&layer.document) {
                let label = layer.assignment(&format!("{module}.{name}"), &given.span());
                let entry = Entry {
                    key: module,
                    value: given.get_ref(),
                    label,
                    offset: given.span().start,
                    layer,
                };
                entries.insert(name.as_str(), entry);
            }
        }
        entries
    }

    /// Whether one value is given in a text that comes before the other's.
    pub(super) fn before<T, U>(&self, one: &Entry<'_, T>, other: &Entry<'_, U>) -> bool {
        let rank = |layer: &Layer| self.0.iter().position(|own| std::ptr::eq(own, layer));
        rank(one.layer) < rank(other.layer)
    }

    /// The file, where a key that nobody gave would belong.
    pub(super) fn file_name(&self) -> &str {
        self.0
            .iter()
            .find_map(|layer| layer.file.as_deref())
            .unwrap_or("the configuration")
    }
}

/// A value and where it was given.
#[derive(Debug)]
pub(super) struct Entry<'a, T> {
    key: &'static str,
    pub value: &'a T,
    label: String,
    offset: usize,
    layer: &'a Layer,
}

impl<'a, T> Entry<'a, T> {
    /// Says where `wrong` is.
    pub(super) fn problem(&self, wrong: Wrong) -> Problem {
        wrong.at(
            format!("{}: {}", self.layer.place(self.offset), self.label),
            self.key,
        )
    }

    /// A value that is part of this one.
    pub(super) fn part<U>(&self, key: &'static str, given: &'a Spanned<U>) -> Entry<'a, U> {
        let span = given.span();
        Entry {
            key,
            value: given.get_ref(),
            label: self.layer.assignment(key, &span),
            offset: span.start,
            layer: self.layer,
        }
    }
}

impl<'a> Entry<'a, List> {
    /// The entries of a list, each with its own place.
    pub(super) fn elements(&self) -> impl Iterator<Item = Entry<'a, String>> + use<'a> {
        self.elements_of(self.value)
    }
}

impl<'a, T> Entry<'a, T> {
    /// The entries of a list that is the value, each with its own place.
    pub(super) fn elements_of(
        &self,
        list: &'a List,
    ) -> impl Iterator<Item = Entry<'a, String>> + use<'a, T> {
        let (key, layer) = (self.key, self.layer);
        list.iter().map(move |element| {
            let span = element.span();
            let label = format!("{} in {key}", snippet(&layer.text, span.clone()));
            Entry {
                key,
                value: element.get_ref(),
                label,
                offset: span.start,
                layer,
            }
        })
    }
}

impl Entry<'_, String> {
    /// The value as an absolute path.
    pub(super) fn path(&self) -> PathBuf {
        self.path_of(self.value)
    }

    /// A part of the value as an absolute path.
    pub(super) fn path_of(&self, part: &str) -> PathBuf {
        // Through `components`, so that `./x` and `x` are the same input.
        self.layer.base.join(Path::new(part)).components().collect()
    }
}
