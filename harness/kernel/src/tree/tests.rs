#![allow(clippy::unwrap_used)]

use super::*;
use exitlab_model::plan::KernelSource;

struct Fixture {
    tree: WorkTree,
    _root: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let tree = WorkTree {
        root: root.path().to_owned(),
        _lock: None,
    };
    fs::create_dir(tree.dir()).unwrap();
    fs::write(tree.dir().join("hooked.c"), "pristine").unwrap();
    fs::write(tree.dir().join("other.c"), "other").unwrap();
    Fixture { tree, _root: root }
}

fn files(list: &[(&str, &str)]) -> Files {
    list.iter()
        .map(|(path, text)| (path.into(), Some(text.as_bytes().to_vec())))
        .collect()
}

fn contents(tree: &WorkTree) -> Vec<(String, String)> {
    let list = exitlab_base::artifact::digest::list(&tree.dir(), &|_| false).unwrap();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(tree.dir().join(&path)).unwrap();
        (path.display().to_string(), text)
    };
    list.into_iter().map(read).collect()
}

#[test]
fn nothing_is_written_through_a_link_of_the_tree() {
    let Fixture { tree, _root } = fixture();
    let theirs = tempfile::tempdir().unwrap();
    fs::write(theirs.path().join("census.c"), "theirs").unwrap();
    std::os::unix::fs::symlink(theirs.path(), tree.dir().join("kvm")).unwrap();
    for path in ["kvm/census.c", "kvm/new.c", "../out.c", "/out.c"] {
        tree.materialize(&files(&[(path, "x")])).unwrap_err();
    }
    let left: Vec<_> = fs::read_dir(theirs.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        fs::read_to_string(theirs.path().join("census.c")).unwrap(),
        "theirs"
    );
}

#[test]
fn variants_come_and_go_without_a_trace() {
    let Fixture { tree, _root } = fixture();
    let untouched = contents(&tree);
    let census = files(&[("hooked.c", "hooked"), ("kvm/census.c", "census")]);

    tree.materialize(&census).unwrap();
    let with_census = contents(&tree);
    assert_eq!(with_census.len(), 3);
    assert_eq!(
        tree.pristine(Path::new("hooked.c")).unwrap().unwrap(),
        b"pristine"
    );
    assert_eq!(tree.pristine(Path::new("kvm/census.c")).unwrap(), None);

    tree.materialize(&files(&[("other.c", "changed")])).unwrap();
    tree.materialize(&Files::new()).unwrap();
    assert_eq!(contents(&tree), untouched);
    tree.materialize(&census).unwrap();
    assert_eq!(contents(&tree), with_census);
}

#[test]
fn what_is_right_already_is_not_written_again() {
    let Fixture { tree, _root } = fixture();
    let census = files(&[("hooked.c", "hooked")]);
    tree.materialize(&census).unwrap();
    let time = || {
        fs::metadata(tree.dir().join("hooked.c"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = time();
    std::thread::sleep(std::time::Duration::from_millis(20));
    tree.materialize(&census).unwrap();
    assert_eq!(time(), before);
}

#[test]
fn an_interrupted_materialization_is_made_good() {
    let Fixture { tree, _root } = fixture();
    // Saved and listed, then interrupted before the first change.
    let original = tree.dir().join("hooked.c");
    let saved = tree.pristine_path(Path::new("hooked.c"));
    replace(&saved, b"pristine", &original).unwrap();
    tree.remember(&["hooked.c".into(), "kvm/census.c".into()].into())
        .unwrap();
    let untouched = contents(&tree);
    tree.materialize(&Files::new()).unwrap();
    assert_eq!(contents(&tree), untouched);
}

#[tokio::test]
async fn a_tree_in_which_make_was_killed_is_unpacked_again() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path().join("cache")).unwrap();
    let source = tiny_source(&cache, root.path());
    let open = || WorkTree::open(&cache, "name", &source, &|_| {});

    let tree = open().await.unwrap();
    let object = tree.dir().join("half-written.o");
    fs::write(&object, "").unwrap();
    drop(tree.busy().unwrap());
    drop(tree);
    let tree = open().await.unwrap();
    assert!(object.exists(), "a tree that is in order is kept");

    std::mem::forget(tree.busy().unwrap());
    fs::create_dir(tree.root.join("scratch-old")).unwrap();
    drop(tree);
    let tree = open().await.unwrap();
    assert!(!object.exists() && tree.dir().join("Kconfig").exists());
    assert!(!tree.busy_path().exists() && !tree.root.join("scratch-old").exists());
}

/// A tarball of something that passes for a kernel tree.
fn tiny_source(cache: &Cache, dir: &Path) -> Source {
    let linux = dir.join("linux");
    fs::create_dir_all(linux.join("arch/x86/kvm")).unwrap();
    fs::write(linux.join("Makefile"), "VERSION = 6\nPATCHLEVEL = 12\n").unwrap();
    fs::write(linux.join("Kconfig"), "").unwrap();
    fs::write(linux.join("arch/x86/kvm/Makefile"), "").unwrap();
    let tar = dir.join("linux.tar");
    let mut command = std::process::Command::new("tar");
    command.arg("-C").arg(dir).arg("-cf").arg(&tar).arg("linux");
    assert!(command.status().unwrap().success());
    Source::find(cache, &KernelSource::Tarball(tar)).unwrap()
}
