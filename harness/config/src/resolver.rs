//! How a key comes into the plan: the text that was given last decides, and what is wrong
//! with it is kept, to be told with everything else.

use super::document::{Document, Given, List};
use super::layer::{Entry, Layers};
use exitlab_base::toml::{Problem, Wrong};

/// The texts, and what was found wrong with them until now.
pub(super) struct Resolver<'a> {
    pub layers: &'a Layers,
    pub problems: Vec<Problem>,
}

impl<'a> Resolver<'a> {
    /// Before anything was looked at.
    pub(super) fn of(layers: &'a Layers) -> Resolver<'a> {
        Resolver {
            layers,
            problems: Vec::new(),
        }
    }

    /// Puts the value of `key` into `into`, if it is given and right.
    pub(super) fn value<T: 'a, U>(
        &mut self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<T>,
        into: &mut U,
        convert: impl FnOnce(&Entry<'a, T>) -> Result<U, Wrong>,
    ) {
        let Some(entry) = self.layers.entry(key, get) else {
            return;
        };
        match convert(&entry) {
            Ok(value) => *into = value,
            Err(wrong) => self.problems.push(entry.problem(wrong)),
        }
    }

    /// Puts a list into `into`, if it is given; each entry is checked by itself.
    pub(super) fn list<U>(
        &mut self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<List>,
        into: &mut Vec<U>,
        mut convert: impl FnMut(&Entry<'a, String>) -> Result<U, Wrong>,
    ) {
        let Some(list) = self.layers.entry(key, get) else {
            return;
        };
        into.clear();
        for entry in list.elements() {
            match convert(&entry) {
                Ok(value) => into.push(value),
                Err(wrong) => self.problems.push(entry.problem(wrong)),
            }
        }
    }

    /// Of a list that must hold something.
    pub(super) fn refuse_empty(
        &mut self,
        key: &'static str,
        get: impl Fn(&'a Document) -> &'a Given<List>,
        cure: &str,
    ) {
        let empty = self
            .layers
            .entry(key, get)
            .filter(|entry| entry.value.is_empty());
        self.problems
            .extend(empty.map(|entry| entry.problem(Wrong::new("an empty list", cure))));
    }
}
