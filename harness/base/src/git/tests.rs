#![allow(clippy::unwrap_used)]

use std::fs;

use exitlab_fixtures::git::Fixture;

use super::*;

fn repository(fixture: &Fixture) -> Repository {
    Repository::open(fixture.path()).unwrap()
}

#[test]
fn a_revision_is_a_commit_and_what_is_none_is_named() {
    let fixture = Fixture::new();
    let one = fixture.commit("one", &[("file", Some("one"))]);
    let two = fixture.commit("two\n\nand why", &[("file", Some("two"))]);
    let repo = repository(&fixture);
    assert_eq!(repo.commit("HEAD").unwrap(), two);
    assert_eq!(repo.commit("main~1").unwrap(), one);
    assert_eq!(repo.commit(&one[..10]).unwrap(), one);
    for revision in ["no-such", "--help", "", "HEAD:file"] {
        let error = repo.commit(revision).unwrap_err();
        assert!(error.to_string().contains("has no revision"), "{error}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let error = Repository::open(nowhere.path()).unwrap_err();
    assert!(error.to_string().contains("no Git repository"), "{error}");

    assert!(repo.has_file(&one, "file").unwrap() && !repo.has_file(&one, "other").unwrap());
    assert!(repo.has(&two).unwrap() && !repo.has(&"0".repeat(40)).unwrap());
    let about = repo.about(&two).unwrap();
    assert_eq!((&*about.id, &*about.subject), (&*two, "two"));
    assert_eq!(about.author, "A <a@example.org>");
    assert_eq!(about.date, "2026-01-02T03:04:05+01:00");
}

#[test]
fn a_linked_work_tree_and_a_bare_repository_are_of_one_repository() {
    let fixture = Fixture::new();
    fixture.commit("one", &[("file", Some("one"))]);
    let linked = fixture.path().join("linked");
    let place = linked.display().to_string();
    fixture.git(&["worktree", "add", "-q", "-b", "topic", &place]);
    let repo = repository(&fixture);
    let of_linked = Repository::open(&linked).unwrap();
    assert_eq!(of_linked.common(), repo.common());

    let bare = fixture.path().join("bare.git");
    fixture.git(&["clone", "-q", "--bare", ".", &bare.display().to_string()]);
    let bare = Repository::open(&bare).unwrap();
    assert_ne!(bare.common(), repo.common());
    assert_eq!(bare.commit("topic").unwrap(), repo.commit("topic").unwrap());
}

#[test]
fn a_shallow_clone_says_so_where_a_revision_is_missing() {
    let fixture = Fixture::new();
    fixture.commit("one", &[("file", Some("one"))]);
    fixture.commit("two", &[("file", Some("two"))]);
    let clone = fixture.path().join("clone");
    let [from, to] = [
        format!("file://{}", fixture.path().display()),
        clone.display().to_string(),
    ];
    fixture.git(&["clone", "-q", "--depth", "1", &from, &to]);
    let repo = Repository::open(&clone).unwrap();
    assert!(repo.is_shallow().unwrap() && !repository(&fixture).is_shallow().unwrap());
    repo.commit("HEAD").unwrap();
    let error = repo.commit("HEAD~1").unwrap_err();
    assert!(error.to_string().contains("shallow clone"), "{error}");
    assert!(error.cure().contains("--unshallow"), "{}", error.cure());
}

/// Files are what the repository holds, whatever its settings; it stays as it is.
#[tokio::test]
async fn files_are_taken_out_byte_for_byte_and_nothing_else_changes() {
    let fixture = Fixture::new();
    fixture.commit("one", &[("a/text", Some("one\n")), ("b", Some("b"))]);
    std::os::unix::fs::symlink("a/text", fixture.path().join("link")).unwrap();
    let one = fixture.commit("link", &[]);
    let two = fixture.commit("two", &[("a/text", Some("two\n")), ("b", None)]);
    fixture.git(&["config", "core.autocrlf", "true"]);
    fixture.git(&["config", "core.sparseCheckout", "true"]);
    fs::write(fixture.path().join("a/text"), "not committed").unwrap();
    let before = fixture.git(&["status", "--porcelain"]);
    let index = fs::read(fixture.path().join(".git/index")).unwrap();

    let repo = repository(&fixture);
    let place = tempfile::tempdir().unwrap();
    let dir = |name: &str| {
        let dir = place.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    };
    let log = place.path().join("log");
    let (all, some, scratch) = (dir("all"), dir("some"), dir("scratch"));
    repo.check_out(&one, None, &all, &scratch, &log)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(all.join("a/text")).unwrap(), "one\n");
    assert_eq!(
        fs::read_link(all.join("link")).unwrap(),
        Path::new("a/text")
    );
    assert_eq!(fs::read_dir(&all).unwrap().count(), 3);

    let (from, to) = (repo.tree(&one).unwrap(), repo.tree(&two).unwrap());
    let changed = repo.changed(&from, &to).unwrap();
    assert_eq!(changed, [Path::new("a/text"), Path::new("b")]);
    let only = Some(&*changed);
    repo.check_out(&to, only, &some, &scratch, &log)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(some.join("a/text")).unwrap(), "two\n");
    assert_eq!(fs::read_dir(&some).unwrap().count(), 1, "b is gone");

    assert_eq!(fs::read(fixture.path().join(".git/index")).unwrap(), index);
    assert_eq!(fixture.git(&["status", "--porcelain"]), before);
}
