#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A directory of ours, and one of somebody else with something precious in it.
struct Place {
    root: tempfile::TempDir,
    ours: Dir,
}

impl Place {
    fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("ours")).unwrap();
        fs::create_dir(root.path().join("theirs")).unwrap();
        fs::write(root.path().join("theirs/precious"), "data").unwrap();
        let ours = Dir::open(&root.path().join("ours")).unwrap();
        Place { root, ours }
    }

    /// A link to what is theirs.
    fn link(&self, name: &str, to: &str) {
        let target = self.root.path().join(to);
        symlink(target, self.ours.path().join(name)).unwrap();
    }

    fn assert_theirs_is_left_alone(&self) {
        let theirs = self.root.path().join("theirs");
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(theirs.join("precious")).unwrap(), "data");
    }
}

#[test]
fn a_link_is_removed_and_what_it_leads_to_is_not() {
    let place = Place::new();
    place.link("dir", "theirs");
    place.link("file", "theirs/precious");
    fs::create_dir_all(place.ours.path().join("tree/deep")).unwrap();
    fs::write(place.ours.path().join("tree/deep/file"), "").unwrap();
    place.link("tree/deep/link", "theirs");
    for name in ["dir", "file", "tree", "not there"] {
        place.ours.remove(name).unwrap();
    }
    assert_eq!(place.ours.names().unwrap(), [""; 0]);
    place.assert_theirs_is_left_alone();
}

#[test]
fn nothing_is_made_or_written_through_a_link() {
    let place = Place::new();
    place.link("dir", "theirs");
    place.link("file", "theirs/precious");
    place.link("nowhere", "theirs/new");
    let refused = |result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(
            error.exit_code(),
            crate::error::exit_code::CONFIG,
            "{error}"
        );
        assert!(error.to_string().contains("does not follow it"), "{error}");
    };
    refused(place.ours.inner("dir").map(drop));
    refused(place.ours.make("dir").map(drop));
    refused(place.ours.read("file").map(drop));
    refused(place.ours.lock_file("nowhere", true).map(drop));
    for name in ["file", "nowhere"] {
        assert!(place.ours.write(name, b"x", 0o644).is_err());
        assert!(place.ours.has(name));
    }
    place.assert_theirs_is_left_alone();
}

#[test]
fn a_name_is_one_step_down_and_no_more() {
    let place = Place::new();
    for name in [
        "",
        ".",
        "..",
        "/etc",
        "a/b",
        "../theirs",
        "a/",
        "./a",
        "a\0b",
    ] {
        assert!(place.ours.inner(name).is_err(), "{name:?}");
        assert!(place.ours.make(name).is_err(), "{name:?}");
        assert!(place.ours.remove(name).is_err(), "{name:?}");
        assert!(place.ours.remove_if_empty(name).is_err(), "{name:?}");
        assert!(place.ours.write(name, b"", 0o644).is_err(), "{name:?}");
        assert!(
            place.ours.move_to("x", &place.ours, name).is_err(),
            "{name:?}"
        );
    }
    place.assert_theirs_is_left_alone();
}

#[test]
fn what_is_there_is_never_overwritten() {
    let Place { ours, .. } = &Place::new();
    ours.write("a", b"one", 0o644).unwrap();
    ours.write("b", b"two", 0o644).unwrap();
    assert!(ours.write("a", b"x", 0o644).is_err());
    assert!(ours.move_to("b", ours, "a").is_err());
    assert_eq!(fs::read_to_string(ours.path().join("a")).unwrap(), "one");
    ours.move_to("b", ours, "c").unwrap();
    assert_eq!(ours.names().unwrap(), ["a", "c"]);
    let made = ours.make("dir").unwrap();
    made.write("x", b"", 0o644).unwrap();
    ours.remove_if_empty("dir").unwrap();
    assert!(ours.has("dir") && ours.is_ours());
    made.remove("x").unwrap();
    ours.remove_if_empty("dir").unwrap();
    assert!(!ours.has("dir"));
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let Place { ours, .. } = &Place::new();
    let pipe = ours.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    assert!(ours.read("pipe").unwrap().is_none());
    ours.make("dir").unwrap();
    assert!(ours.read("dir").unwrap().is_none());
}
