#![allow(clippy::unwrap_used)]

use std::process::Command;

use super::*;
use crate::patch::Files;
use crate::source::Source;
use exitlab_base::artifact::{Cache, digest};
use exitlab_base::git::Repository;
use exitlab_fixtures::git::Fixture;
use exitlab_model::plan::KernelSource;

/// Passes for a kernel tree, and is built by `make`, which says what it does.
pub(in super::super) const MAKEFILE: &str = "\
VERSION = 6
PATCHLEVEL = 12
image: kernel.o kvm.o
\tcat $^ > $@
%.o: %.c include/common.h
\t@echo CC $@ >> made
\tcat $^ > $@
";

struct Place {
    fixture: Fixture,
    cache: Cache,
    commits: Vec<String>,
}

/// A repository of which each commit changes something else.
fn place() -> Place {
    let fixture = Fixture::new();
    let root = fixture.path().to_owned();
    fs::create_dir(root.join("outside")).unwrap();
    fs::write(root.join(".gitignore"), "outside\n").unwrap();
    let first = fixture.commit(
        "first",
        &[
            ("Makefile", Some(MAKEFILE)),
            ("Kconfig", Some("")),
            ("arch/x86/kvm/Makefile", Some("")),
            ("include/common.h", Some("common\n")),
            ("kernel.c", Some("kernel\n")),
            ("kvm.c", Some("kvm\n")),
            ("README", Some("one\n")),
            ("sound/card.c", Some("card\n")),
            ("tools", Some("a file\n")),
        ],
    );
    let readme = fixture.commit("words", &[("README", Some("two\n"))]);
    let kernel = fixture.commit("kernel", &[("kernel.c", Some("kernel, changed\n"))]);
    let kvm = fixture.commit("kvm", &[("kvm.c", Some("kvm, changed\n"))]);
    let kinds = fixture.commit(
        "a directory goes, a file becomes one, another comes",
        &[
            ("sound/card.c", None),
            ("tools", None),
            ("tools/tool.c", Some("tool\n")),
            ("sound", Some("a file\n")),
        ],
    );
    Place {
        cache: Cache::open(root.join("outside/cache")).unwrap(),
        fixture,
        commits: vec![first, readme, kernel, kvm, kinds],
    }
}

impl Place {
    async fn tree(&self, name: &str, commit: &str) -> WorkTree {
        let source = KernelSource::Revision {
            repo: self.fixture.path().to_owned(),
            commit: commit.to_owned(),
        };
        let source = Source::find(&self.cache, &source).unwrap();
        WorkTree::open(&self.cache, name, &source, &|_| {})
            .await
            .unwrap()
    }
}

/// Builds, and says what was compiled for it.
pub(in super::super) fn make(tree: &WorkTree) -> Vec<String> {
    let _ = fs::remove_file(tree.dir().join("made"));
    let status = Command::new("make")
        .arg("-s")
        .current_dir(tree.dir())
        .status();
    assert!(status.unwrap().success());
    let made = fs::read_to_string(tree.dir().join("made")).unwrap_or_default();
    let mut made: Vec<String> = made.lines().map(str::to_owned).collect();
    made.sort();
    made
}

/// Every file but what says what was compiled, with what it holds.
pub(in super::super) fn contents(tree: &WorkTree) -> Vec<(PathBuf, Vec<u8>)> {
    let list = digest::list(&tree.dir(), &|path| path == Path::new("made")).unwrap();
    let read = |path: PathBuf| (path.clone(), fs::read(tree.dir().join(path)).unwrap());
    list.into_iter().map(read).collect()
}

/// A variant that changes one file and adds one.
pub(in super::super) fn variant() -> Files {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    Files::from([
        ("kvm.c".into(), text("kvm with census\n")),
        ("census.c".into(), text("census\n")),
    ])
}

#[tokio::test]
async fn a_tree_that_was_moved_is_the_fresh_one_and_only_what_differs_is_compiled() {
    let place = place();
    let [first, readme, kernel, kvm, kinds] = &*place.commits else {
        panic!("five commits")
    };
    // The census changes kvm.c: a commit that changes it too reaches nothing.
    let expected = [
        (first, vec!["CC kernel.o", "CC kvm.o"]),
        (readme, vec![]),
        (kernel, vec!["CC kernel.o"]),
        (kvm, vec![]),
        (kinds, vec![]),
        (readme, vec!["CC kernel.o"]),
        (kinds, vec!["CC kernel.o"]),
    ];
    for (step, (commit, compiled)) in expected.into_iter().enumerate() {
        let tree = place.tree("moved", commit).await;
        tree.materialize(&variant()).unwrap();
        assert_eq!(make(&tree), compiled, "step {step}");
        let fresh = place.tree(&format!("fresh {step}"), commit).await;
        fresh.materialize(&variant()).unwrap();
        assert_eq!(make(&fresh).len(), 2);
        assert_eq!(contents(&tree), contents(&fresh), "step {step}");

        // Without the variant, the file that the commit changed shows.
        tree.materialize(&Files::new()).unwrap();
        fresh.materialize(&Files::new()).unwrap();
        assert_eq!(contents(&tree).len(), contents(&fresh).len());
        let there = fs::read_to_string(tree.dir().join("kvm.c")).unwrap();
        assert_eq!(
            there,
            fs::read_to_string(fresh.dir().join("kvm.c")).unwrap()
        );
        tree.materialize(&variant()).unwrap();
        make(&tree);
    }
}

#[tokio::test]
async fn an_interrupted_move_is_made_good() {
    let place = place();
    let [first, _, kernel, _, kinds] = &*place.commits else {
        panic!("five commits")
    };
    let repo = Repository::open(place.fixture.path()).unwrap();
    let tree_of = |commit: &str| repo.tree(commit).unwrap();
    let tree = place.tree("moved", first).await;
    // Half of the way from the first to the last.
    tree.set_position(&[tree_of(first), tree_of(kinds)])
        .unwrap();
    fs::write(tree.dir().join("kernel.c"), "kernel, changed\n").unwrap();
    fs::remove_file(tree.dir().join("tools")).unwrap();
    fs::create_dir(tree.dir().join("tools")).unwrap();
    fs::write(tree.dir().join("tools/tool.c"), "tool\n").unwrap();
    drop(tree);
    for (number, commit) in [first, kinds, kernel].into_iter().enumerate() {
        let tree = place.tree("moved", commit).await;
        let fresh = place.tree(&format!("fresh {number}"), commit).await;
        assert_eq!(contents(&tree), contents(&fresh));
        assert_eq!(tree.position().unwrap(), [tree_of(commit)]);
        // The next one begins in the middle, too.
        tree.set_position(&[tree_of(commit), tree_of(first)])
            .unwrap();
    }
}

#[tokio::test]
async fn a_tree_of_a_revision_that_the_repository_forgot_is_made_anew() {
    let place = place();
    let tree = place.tree("moved", &place.commits[0]).await;
    tree.materialize(&variant()).unwrap();
    tree.set_position(&["0".repeat(40)]).unwrap();
    drop(tree);
    let tree = place.tree("moved", &place.commits[0]).await;
    let fresh = place.tree("fresh", &place.commits[0]).await;
    assert_eq!(contents(&tree), contents(&fresh));
    assert!(tree.touched().unwrap().is_empty() && !tree.root.join("pristine").exists());
}
