//! The walls of the house: which crate may use which, and how large and how entangled
//! anything may become. The table below is the design; `docs/architecture.md` says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod code;
mod cycles;
mod manifests;
mod paths;
mod printing;
mod sizes;

use std::path::{Path, PathBuf};

/// What each crate of the workspace may use of the others, but for tests.
const ARROWS: [(&str, &[&str]); 13] = [
    ("exitlab-abi", &[]),
    ("exitlab-model", &[]),
    ("exitlab-base", &[]),
    ("exitlab-fixtures", &[]),
    ("exitlab-config", &["exitlab-model", "exitlab-base"]),
    ("exitlab-kernel", &["exitlab-model", "exitlab-base"]),
    ("exitlab-host", &["exitlab-model", "exitlab-base"]),
    ("exitlab-analysis", &["exitlab-model", "exitlab-base"]),
    (
        "exitlab-report",
        &["exitlab-model", "exitlab-base", "exitlab-analysis"],
    ),
    (
        "exitlab-agent",
        &["exitlab-abi", "exitlab-model", "exitlab-base"],
    ),
    (
        "exitlab",
        &[
            "exitlab-model",
            "exitlab-base",
            "exitlab-config",
            "exitlab-kernel",
            "exitlab-host",
            "exitlab-analysis",
            "exitlab-report",
        ],
    ),
    (
        "exitlab-early",
        &[
            "exitlab-model",
            "exitlab-base",
            "exitlab-config",
            "exitlab-kernel",
        ],
    ),
    ("exit-sampler", &["exitlab-abi"]),
];

/// Where files and functions are measured.
const MEASURED: [&str; 2] = ["harness", "guest-image"];

/// A longer file holds more than one thing.
const MOST_LINES_OF_A_FILE: usize = 400;

/// A longer function does more than one thing.
const MOST_LINES_OF_A_FUNCTION: usize = 60;

#[test]
fn no_crate_uses_another_that_the_table_does_not_name() {
    let mut wrong = Vec::new();
    for package in manifests::packages(&workspace()) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            wrong.push(format!("{} is not in the table", package.name));
            continue;
        };
        let arrows = package.uses.iter().filter(|used| used.in_workspace);
        let arrows = arrows.filter(|used| !allowed.contains(&used.name.as_str()));
        wrong.extend(arrows.map(|used| format!("{} uses {}", package.name, used.name)));
    }
    none(&wrong);
}

#[test]
fn every_dependency_is_the_workspaces() {
    let packages = manifests::packages(&workspace());
    let own = packages.iter().flat_map(|package| {
        let own = manifests::own_terms(&package.manifest).into_iter();
        own.map(|name| format!("{}: {name} is not `workspace = true`", package.name))
    });
    none(&own.collect::<Vec<_>>());
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for package in manifests::packages(&workspace()) {
        let sources = code::rust_files(&package.dir().join("src"));
        let program = code::words(sources.iter().map(|path| code::program(path)));
        let tests = code::rust_files(&package.dir().join("tests"));
        let all = sources.iter().chain(&tests);
        let all = code::words(all.map(|path| code::without_prose(&code::read(path))));
        for used in &package.uses {
            let (words, whose) = match used.for_tests {
                true => (&all, "test"),
                false => (&program, "program"),
            };
            if !words.contains(&used.name.replace('-', "_")) {
                let (crate_, used) = (&package.name, &used.name);
                unused.push(format!("{crate_}: no {whose} of it uses {used}"));
            }
        }
    }
    none(&unused);
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long = all_files().into_iter().filter_map(|path| {
        let lines = code::read(&path).lines().count();
        (lines > MOST_LINES_OF_A_FILE).then(|| format!("{}: {lines} lines", short(&path)))
    });
    none(&long.collect::<Vec<_>>());
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for path in all_files() {
        for function in sizes::functions(&code::read(&path)) {
            if function.lines > MOST_LINES_OF_A_FUNCTION {
                let (path, line) = (short(&path), function.at);
                let lines = function.lines;
                long.push(format!(
                    "{path}:{line}: {} has {lines} lines",
                    function.name
                ));
            }
        }
    }
    none(&long);
}

#[test]
fn no_file_of_a_crate_needs_one_that_needs_it() {
    let packages = manifests::packages(&workspace());
    let cycles = packages.iter().flat_map(|package| {
        let cycles = cycles::of_crate(&package.dir().join("src"));
        cycles
            .into_iter()
            .map(|cycle| format!("{}: {cycle}", package.name))
    });
    none(&cycles.collect::<Vec<_>>());
}

#[test]
fn nothing_prints_that_is_not_named_for_it() {
    none(&printing::elsewhere(&workspace()));
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

/// Every Rust file that is measured, tests too.
fn all_files() -> Vec<PathBuf> {
    let files = MEASURED.map(|dir| code::rust_files(&workspace().join(dir)));
    files.concat()
}

fn short(path: &Path) -> String {
    let path = path.strip_prefix(workspace()).unwrap_or(path);
    path.display().to_string()
}
