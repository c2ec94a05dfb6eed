//! The paths that code names: `use` trees spelt out, and paths in between.

use super::code::is_of_word;

/// A path, and whether and how it is brought into scope.
#[derive(Debug, PartialEq)]
pub struct Named {
    /// Its segments; `*` and `self` as they stand.
    pub path: Vec<String>,
    /// By which name a `use` brings it into scope; none for a path in an expression.
    pub alias: Option<String>,
    /// Whether it is only handed on: `pub use`.
    pub handed_on: bool,
}

/// Every path of more than one segment, and those of every `use`.
pub fn named(code: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut others = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let Some((handed_on, start)) = use_of(line) else {
            others += line;
            others.push('\n');
            continue;
        };
        let mut tree = start.to_owned();
        while !tree.contains(';') {
            let Some(line) = lines.next() else { break };
            tree += line;
        }
        let tree = tree.split(';').next().unwrap_or_default();
        spell_out(&[], tree, handed_on, &mut found);
    }
    found.extend(in_expressions(&others));
    found
}

/// The tree of a `use` that begins on this line.
fn use_of(line: &str) -> Option<(bool, &str)> {
    let line = line.trim_start();
    match line.strip_prefix("use ") {
        Some(tree) => Some((false, tree)),
        None => {
            let (visibility, tree) = line.split_once("use ")?;
            let visibility = visibility.trim();
            let public = ["pub", "pub(crate)", "pub(super)"].contains(&visibility);
            public.then_some((true, tree))
        }
    }
}

/// Enters every path of a `use` tree below `root`.
fn spell_out(root: &[String], tree: &str, handed_on: bool, found: &mut Vec<Named>) {
    for branch in branches(tree) {
        let (words, group) = match branch.split_once('{') {
            Some((words, group)) => (words, group.rsplit_once('}').map(|(group, _)| group)),
            None => (branch, None),
        };
        let (words, alias) = match words.split_once(" as ") {
            Some((words, alias)) => (words, Some(alias.trim().to_owned())),
            None => (words, None),
        };
        let words = words.split("::").map(str::trim).filter(|w| !w.is_empty());
        let mut path = root.to_vec();
        path.extend(words.map(str::to_owned));
        if let Some(group) = group {
            spell_out(&path, group, handed_on, found);
            continue;
        }
        path.pop_if(|last| last == "self");
        let alias = alias.or_else(|| path.last().cloned());
        found.push(Named {
            path,
            alias,
            handed_on,
        });
    }
}

/// The parts between the outer commas.
fn branches(tree: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let outer = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    let parts = tree.split(outer).map(str::trim);
    parts.filter(|part| !part.is_empty()).collect()
}

fn in_expressions(code: &str) -> Vec<Named> {
    let of_path = |c: char| is_of_word(c) || c == ':';
    let paths = code.split(|c| !of_path(c)).filter(|p| p.contains("::"));
    let segments = paths.map(|path| path.split("::").map(str::to_owned).collect());
    let named = segments.map(|path: Vec<String>| Named {
        path,
        alias: None,
        handed_on: false,
    });
    named.collect()
}

#[test]
fn trees_are_spelt_out() {
    let code = "use a::{self, b::{C, D as E},\n    f};\npub use g::h;\nlet x: i::J = k;\n";
    let found: Vec<String> = named(code)
        .iter()
        .map(|n| {
            let alias = n.alias.as_deref().unwrap_or("-");
            format!("{} {alias} {}", n.path.join("::"), n.handed_on)
        })
        .collect();
    let expected = [
        "a a false",
        "a::b::C C false",
        "a::b::D E false",
        "a::f f false",
        "g::h h true",
        "i::J - false",
    ];
    assert_eq!(found, expected);
}
