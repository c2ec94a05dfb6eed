//! Which file of a crate needs which, and the circles in that. A module that hands on what
//! its parts make (`pub use`) does not need them; whoever takes it from there does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::code;
use super::paths::{Named, named};

/// A module's place: `["gate", "rules"]`; empty for the root.
type Place = Vec<String>;

/// The modules of a crate that have files, each with the paths that it names.
struct Crate(BTreeMap<Place, Vec<Named>>);

/// Every circle of files below `src`, as people read it.
pub fn of_crate(src: &Path) -> Vec<String> {
    let files = code::rust_files(src);
    let texts = files
        .iter()
        .filter(|path| path.file_name() != Some("main.rs".as_ref()));
    let program = texts.map(|path| {
        let file = path.strip_prefix(src).unwrap();
        (place(file), code::in_one_module(&code::program(path)))
    });
    circles(&arrows(&program.collect()))
}

/// The module that a file below `src` holds.
fn place(file: &Path) -> Place {
    let file = file.with_extension("");
    let mut place: Place = file
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    place.pop_if(|last| last == "mod" || (last == "lib" && file.iter().count() == 1));
    place
}

/// Which module needs which. Files that no module of the program declares are tests.
fn arrows(texts: &BTreeMap<Place, String>) -> BTreeMap<Place, BTreeSet<Place>> {
    let all = texts.iter().filter(|(place, _)| is_program(place, texts));
    let house = Crate(
        all.map(|(place, text)| (place.clone(), named(text)))
            .collect(),
    );
    let needed = |(place, names): (&Place, &Vec<Named>)| {
        let names = names.iter().filter(|named| !named.handed_on);
        let found = names.filter_map(|named| house.home(place, &named.path));
        (
            place.clone(),
            found.filter(|found| found != place).collect(),
        )
    };
    house.0.iter().map(needed).collect()
}

/// Whether the module and all above it are declared outside of tests.
fn is_program(place: &Place, texts: &BTreeMap<Place, String>) -> bool {
    let Some((name, parent)) = place.split_last() else {
        return true;
    };
    let declares = |text: &String| {
        text.lines()
            .any(|line| line.trim().ends_with(&format!("mod {name};")))
    };
    texts.get(parent).is_some_and(declares) && is_program(&parent.to_vec(), texts)
}

impl Crate {
    /// The module where that is defined which `path` names, seen from the module `from`;
    /// none if it is not of this crate.
    fn home(&self, from: &Place, path: &[String]) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(Place::new(), rest),
            "self" => self.walk(from.clone(), rest),
            "super" => self.walk(from[..from.len().checked_sub(1)?].to_vec(), rest),
            name => {
                let child = [from.as_slice(), &[name.to_owned()]].concat();
                if self.0.contains_key(&child) {
                    return self.walk(child, rest);
                }
                let brought = self.brought(from, name)?;
                let whole = [brought.path.as_slice(), rest].concat();
                // A name for itself (`use libc;`) is of no module here.
                (whole != path).then(|| self.home(from, &whole))?
            }
        }
    }

    /// Goes down from a module.
    fn walk(&self, at: Place, path: &[String]) -> Option<Place> {
        let Some((first, rest)) = path.split_first() else {
            return Some(at);
        };
        if first == "super" {
            return self.walk(at[..at.len().checked_sub(1)?].to_vec(), rest);
        }
        let child = [at.as_slice(), std::slice::from_ref(first)].concat();
        if self.0.contains_key(&child) {
            return self.walk(child, rest);
        }
        match self.brought(&at, first) {
            Some(brought) => {
                let whole = [brought.path.as_slice(), rest].concat();
                self.home(&at, &whole)
            }
            None => Some(at),
        }
    }

    /// What a module brings into its scope by this name.
    fn brought(&self, place: &Place, name: &str) -> Option<&Named> {
        let names = self.0.get(place)?;
        names.iter().find(|n| n.alias.as_deref() == Some(name))
    }
}

/// The circles of a graph, each with its arrows.
fn circles(arrows: &BTreeMap<Place, BTreeSet<Place>>) -> Vec<String> {
    let reach: BTreeMap<&Place, BTreeSet<&Place>> = arrows
        .keys()
        .map(|from| (from, reachable(from, arrows)))
        .collect();
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for place in arrows.keys().filter(|place| reach[place].contains(place)) {
        let members = reach[place].iter().copied();
        let circle: BTreeSet<&Place> = members
            .filter(|other| reach[other].contains(place))
            .collect();
        if circle.iter().any(|member| !told.insert(*member)) {
            continue;
        }
        let within = circle.iter().flat_map(|from| {
            let to = arrows[*from].iter().filter(|to| circle.contains(to));
            to.map(|to| format!("{} needs {}", spoken(from), spoken(to)))
        });
        found.push(within.collect::<Vec<_>>().join(", "));
    }
    found
}

/// Everything that a module needs, or something that it needs does.
fn reachable<'a>(
    from: &'a Place,
    arrows: &'a BTreeMap<Place, BTreeSet<Place>>,
) -> BTreeSet<&'a Place> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(place) = next.pop() {
        let needed = arrows.get(place).into_iter().flatten();
        next.extend(needed.filter(|needed| found.insert(*needed)));
    }
    found
}

fn spoken(place: &Place) -> String {
    match place.is_empty() {
        true => "lib.rs".to_owned(),
        false => place.join("::"),
    }
}

#[test]
fn what_is_handed_on_is_needed_from_where_it_is_made() {
    let texts = [
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        ("a.rs", "use crate::b::{self, B};\n"),
        ("b/mod.rs", "mod c;\npub use c::B;\n"),
        ("b/c.rs", "use crate::A;\n"),
        ("tests.rs", "use crate::a::A;\n"),
    ];
    let texts = texts.map(|(file, text)| (place(Path::new(file)), text.to_owned()));
    let arrows = arrows(&texts.into());
    assert_eq!(circles(&arrows), ["a needs b::c, b::c needs a"]);
}

#[test]
fn a_parent_that_does_something_itself_needs_its_children() {
    let texts = [
        ("lib.rs", "mod a;\nfn f() {\n    a::g();\n}\n"),
        ("a.rs", "use super::f;\n"),
    ];
    let texts = texts.map(|(file, text)| (place(Path::new(file)), text.to_owned()));
    let arrows = arrows(&texts.into());
    assert_eq!(circles(&arrows), ["lib.rs needs a, a needs lib.rs"]);
}
