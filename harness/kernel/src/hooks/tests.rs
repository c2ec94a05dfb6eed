#![allow(clippy::unwrap_used)]

mod changes;

use self::changes::{GONE, HARMLESS, MOVES};
use super::fixture::{self, Tree};
use super::*;

const SERIES: [&str; 4] = ["6.1", "6.12", "7.2", "7.3"];

fn tree(series: &str) -> Tree {
    fixture::tree(series.parse().unwrap())
}

fn try_hook(tree: &Tree) -> Result<Tree> {
    let text = |path: &Path| Ok(tree.get(path).map(|text| text.clone().into_bytes()));
    let files = apply("6.18".parse().unwrap(), text)?;
    let mut hooked = tree.clone();
    for (path, text) in files {
        hooked.insert(path, String::from_utf8(text.unwrap()).unwrap());
    }
    Ok(hooked)
}

fn hooked(tree: &Tree) -> Tree {
    try_hook(tree).unwrap_or_else(|error| panic!("{error}"))
}

/// What the hooks add, file by file, each line with the one that it stands before.
fn added(tree: &Tree) -> String {
    let mut said = String::new();
    for (path, text) in hooked(tree) {
        let _ = writeln!(said, "--- {}", path.file_name().unwrap().display());
        let mut old = tree[&path].lines().peekable();
        let mut new = text.lines().peekable();
        while let Some(line) = new.next() {
            if old.peek() == Some(&line) {
                old.next();
                continue;
            }
            let _ = writeln!(said, "+{line}");
            if old.peek() == new.peek() {
                let _ = writeln!(said, " {}", new.peek().unwrap_or(&""));
            } else if !line.is_empty() && old.peek().is_some_and(|old| is_longer(line, old)) {
                old.next();
            }
        }
        assert_eq!(old.next(), None, "{}", path.display());
    }
    said
}

/// Whether a line is another one with a word more.
fn is_longer(line: &str, than: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    let mut rest = words.iter();
    than.split_whitespace()
        .all(|word| rest.by_ref().any(|other| *other == word))
}

#[test]
fn hooks_stand_where_they_have_a_meaning() {
    insta::assert_snapshot!("hooks-7.3", added(&tree("7.3")));
    insta::assert_snapshot!("hooks-6.1", added(&tree("6.1")));
    assert_eq!(added(&tree("7.2")), added(&tree("7.3")));
}

fn changed(tree: &Tree, changes: &[(&str, &str)]) -> Tree {
    let mut tree = tree.clone();
    for text in tree.values_mut() {
        for (from, to) in changes {
            *text = text.replace(from, to);
        }
    }
    tree
}

/// White space and comments do not count: they decide where a line is inserted.
fn words(tree: &Tree) -> BTreeMap<&Path, Vec<Vec<u8>>> {
    let words = |text: &str| {
        let code = tokens::Code::new(text.as_bytes());
        (0..code.tokens.len())
            .map(|at| code.word(at).to_vec())
            .collect()
    };
    tree.iter()
        .map(|(path, text)| (path.as_path(), words(text)))
        .collect()
}

/// How often the text of each hook begins somewhere.
fn calls(tree: &Tree) -> Vec<usize> {
    let count = |hook: &Hook| {
        let line = hook.text.trim().lines().next().unwrap();
        let start = line.split('$').next().unwrap();
        let files = tree.values();
        files.map(|text| text.matches(start).count()).sum()
    };
    table().unwrap().0.iter().map(count).collect()
}

#[test]
fn what_does_not_matter_changes_no_hook() {
    assert!(HARMLESS.len() >= 10);
    for series in SERIES {
        let tree = tree(series);
        for (name, changes) in HARMLESS {
            let after = changed(&tree, changes);
            assert_ne!(after, tree, "{name} changes nothing of {series}");
            // What is hooked first and changed then is the same tree.
            let then = changed(&hooked(&tree), changes);
            let now = hooked(&after);
            assert_eq!(calls(&now), calls(&then), "{name}, {series}");
            if !MOVES.contains(name) {
                assert_eq!(words(&now), words(&then), "{name}, {series}");
            }
        }
    }
}

#[test]
fn a_place_that_is_gone_is_named_with_hook_and_file() {
    let (table, _) = table().unwrap();
    let names: Vec<_> = table.iter().map(|hook| hook.name.as_str()).collect();
    let gone: Vec<_> = GONE.iter().map(|(hook, ..)| *hook).collect();
    assert_eq!(gone, names, "every hook is tried");
    for (hook, file, words) in GONE {
        let mut tree = tree("7.3");
        let path = tree
            .keys()
            .find(|path| path.ends_with(file))
            .unwrap()
            .clone();
        let text = tree.get_mut(&path).unwrap();
        for word in *words {
            assert!(text.contains(word), "{word}");
            *text = text.replace(word, "gone ");
        }
        let error = try_hook(&tree).unwrap_err().to_string();
        assert!(error.contains(&format!("\n  {hook} (")), "{hook}: {error}");
        assert!(error.contains(&format!("{}: ", path.display())), "{error}");
    }
}

#[test]
fn each_hook_that_finds_no_place_says_what_was_looked_for_and_why() {
    let mut tree = tree("7.3");
    tree.retain(|path, _| !path.ends_with("cpuid.c"));
    for (from, to) in [
        ("trace_kvm_exit", "trace_kvm_vmexit"),
        ("svm_complete_interrupts", "svm_complete"),
        (
            "\ttdx_vcpu_enter_exit(vcpu);",
            "\ttdx_vcpu_enter_exit(vcpu);\n\ttdx_vcpu_enter_exit(vcpu);",
        ),
        (
            "\tvmx_vcpu_enter_exit(vcpu, flags);",
            "#ifdef A\n\tvmx_vcpu_enter_exit(vcpu, flags);\n#endif",
        ),
    ] {
        tree = changed(&tree, &[(from, to)]);
    }
    let error = try_hook(&tree).unwrap_err();
    insta::assert_snapshot!("no-place", error.to_string());
    assert!(
        error.cure().contains("kernel/hooks/census.toml"),
        "{}",
        error.cure()
    );
    assert!(
        error.cure().contains("sampling.channels"),
        "{}",
        error.cure()
    );
}

#[test]
fn a_tree_with_the_census_is_recognised() {
    for series in SERIES {
        let error = try_hook(&hooked(&tree(series))).unwrap_err();
        assert!(
            error.cure().contains("carries the census already"),
            "{error}"
        );
        assert!(
            error.to_string().contains("has this hook already"),
            "{error}"
        );
    }
}

#[test]
fn every_place_of_the_table_is_understood() {
    for hook in table().unwrap().0 {
        assert!(!hook.at.is_empty() && !hook.why.is_empty());
        for place in &hook.at {
            assert!(place.anchor().is_some(), "{}: {place:?}", hook.name);
        }
    }
    for wrong in [
        "list = 'a'",
        "in = 'f() {'",
        "before = 'f('",
        "place = 'end'",
    ] {
        let place: Place = toml::from_str(wrong).unwrap();
        assert!(place.anchor().is_none(), "{wrong}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let whole: String = tree("7.3").into_values().collect();
    let cuts = (0..whole.len())
        .step_by(401)
        .flat_map(|at| [&whole[..at], &whole[at..]]);
    let odd = [
        "{",
        "struct kvm_vcpu_stat {",
        "kvm-y +=",
        "#include",
        "/*",
        "\u{0}",
    ];
    for text in cuts.chain(odd) {
        let series = "7.3".parse().unwrap();
        let _ = apply(series, |_| Ok(Some(text.as_bytes().to_vec())));
    }
}
