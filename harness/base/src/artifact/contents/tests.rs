//! What is cleared away, and what stays.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::artifact::{Artifact, Cache, KeyBuilder};
use crate::error::Error;

async fn built(cache: &Cache, value: &str) -> Artifact {
    let key = KeyBuilder::new().text("input", value).build();
    let write = async |dir: &Path| {
        fs::write(dir.join("file"), "x".repeat(10_000)).map_err(Error::io("write", dir))
    };
    cache.get_or_build("thing", &key, write).await.unwrap()
}

fn contents(root: &Path) -> Contents {
    Contents::of(root).unwrap().unwrap()
}

fn item(contents: &Contents, part: &str) -> Item {
    let found = contents.items.iter().find(|item| item.part == part);
    found.unwrap_or_else(|| panic!("no {part}")).clone()
}

#[tokio::test]
async fn what_a_process_works_with_stays_and_the_rest_goes() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let artifact = built(&cache, "a").await;
    let copy = cache.clone();
    drop(cache);
    // As if it had been built long ago.
    let long_ago = SystemTime::now() - Duration::from_secs(90 * 86_400);
    let date_back = || {
        let dir = fs::File::open(&artifact.dir).unwrap();
        dir.set_modified(long_ago).unwrap();
    };
    date_back();

    let found = item(&contents(root.path()), "thing");
    assert!(found.in_use && found.bytes >= 10_000, "{found:?}");
    assert!(found.used < SystemTime::now() - Duration::from_secs(80 * 86_400));
    let all = contents(root.path());
    assert_eq!(all.remove(&found).unwrap(), Removed::InUse);
    assert!(artifact.dir.join("file").exists());
    // Who uses it says so.
    built(&copy, "a").await;
    let found = item(&contents(root.path()), "thing");
    assert!(found.used > SystemTime::now() - Duration::from_secs(60));

    drop(copy);
    // A child that another test starts holds our locks, too, until it executes its program.
    let deadline = Instant::now() + Duration::from_secs(10);
    let found = loop {
        let found = item(&contents(root.path()), "thing");
        if !found.in_use || Instant::now() > deadline {
            break found;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(!found.in_use);
    assert_eq!(all.remove(&found).unwrap(), Removed::Gone);
    assert!(!artifact.dir.exists());
    assert_eq!(all.remove(&found).unwrap(), Removed::Gone, "it is gone");
    assert_eq!(
        fs::read_dir(root.path().join("staging")).unwrap().count(),
        0
    );
    built(&Cache::open(root.path()).unwrap(), "a").await;
}

#[tokio::test]
async fn what_is_built_and_what_is_worked_in_stays() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let held = cache.lock("work-linux").await.unwrap();
    let tree = cache.work_dir("linux").unwrap();
    fs::write(tree.join("object"), "x").unwrap();
    let building = cache.lock("thing-1").await.unwrap();
    for part in ["staging/thing-1", "ccache/0"] {
        fs::create_dir_all(root.path().join(part)).unwrap();
    }

    let objects = Dir::open(&root.path().join("ccache")).unwrap();
    let compiling = Lock::share(&objects).unwrap();

    let all = contents(root.path());
    for part in ["work", "staging", "ccache"] {
        let found = item(&all, part);
        assert!(found.in_use, "{found:?}");
        assert_eq!(all.remove(&found).unwrap(), Removed::InUse);
    }
    assert!(tree.join("object").exists());
    drop((held, building, compiling));
    for part in ["work", "staging", "ccache", "digests"] {
        let found = item(&contents(root.path()), part);
        assert_eq!(all.remove(&found).unwrap(), Removed::Gone, "{found:?}");
    }
    assert!(!tree.exists() && !root.path().join("ccache").exists());
    assert_eq!(
        fs::read_dir(root.path().join("staging")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn what_exitlab_did_not_make_is_named_and_left() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let cache = Cache::open(root.path()).unwrap();
    let artifact = built(&cache, "a").await;
    drop(cache);
    // An artifact under another name, one that is a link, one whose manifest is, a tree of
    // somebody else's, a file, and a part that leads elsewhere.
    let (other, third) = ("ab".repeat(32), "cd".repeat(32));
    let copy = |to: PathBuf| {
        fs::create_dir_all(&to).unwrap();
        fs::copy(artifact.dir.join(MANIFEST), to.join(MANIFEST)).unwrap();
    };
    copy(at("thing").join(&other));
    copy(at("elsewhere").join(&third));
    symlink(at("elsewhere").join(&third), at("thing").join(&third)).unwrap();
    symlink(&artifact.dir, at("elsewhere/link")).unwrap();
    fs::create_dir_all(at("work/theirs")).unwrap();
    fs::write(at("notes"), "mine").unwrap();
    symlink("/", at("root")).unwrap();

    let all = contents(root.path());
    let mut own: Vec<&str> = all.items.iter().map(|item| item.part.as_str()).collect();
    own.sort_unstable();
    assert_eq!(own, ["digests", "thing"]);
    let mut foreign = all.foreign.clone();
    foreign.sort();
    let mut expected = vec![
        format!("elsewhere/{third}"),
        "elsewhere/link".to_owned(),
        format!("thing/{other}"),
        format!("thing/{third}"),
        "notes".to_owned(),
        "root".to_owned(),
        "work/theirs".to_owned(),
    ];
    expected.sort();
    assert_eq!(foreign, expected);
    for item in &all.items {
        all.remove(item).unwrap();
    }
    assert!(at("thing").join(&other).join(MANIFEST).exists());
    assert!(!artifact.dir.exists() && at("notes").exists());

    assert!(
        Contents::of(&at("elsewhere")).unwrap().is_none(),
        "no cache"
    );
    assert!(Contents::of(&at("no such")).unwrap().is_none());
}

/// Stops a thread when it goes.
struct Stop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Neither gets in the other's way, however their steps fall.
#[test]
fn what_is_got_while_all_is_cleared_away_is_there() {
    let root = tempfile::tempdir().unwrap();
    drop(Cache::open(root.path()).unwrap());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let all = contents(root.path());
                for item in all.items.iter().filter(|item| item.part == "thing") {
                    all.remove(item).unwrap();
                }
            }
        });
        // Also where something below panics, which is to be seen.
        let _stop = Stop(&stop);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let mut kept = 0;
        for _ in 0..200 {
            let cache = Cache::open(root.path()).unwrap();
            let artifact = runtime.block_on(built(&cache, "a"));
            std::thread::yield_now();
            kept += usize::from(artifact.dir.join("file").exists());
        }
        assert_eq!(kept, 200);
    });
}
