#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;

fn key(value: &str) -> Key {
    KeyBuilder::new().text("input", value).build()
}

async fn write_hello(dir: &Path) -> Result<()> {
    fs::write(dir.join("hello"), "hello").map_err(Error::io("write", dir))
}

#[tokio::test]
async fn an_artifact_is_built_once() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let built = cache
        .get_or_build("thing", &key("a"), write_hello)
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(built.dir.join("hello")).unwrap(),
        "hello"
    );
    assert!(
        fs::read_to_string(built.dir.join(manifest::MANIFEST))
            .unwrap()
            .contains("input")
    );

    let again = cache
        .get_or_build("thing", &key("a"), async |_: &Path| panic!("built twice"))
        .await;
    assert_eq!(again.unwrap(), built);
    let other = cache
        .get_or_build("thing", &key("b"), write_hello)
        .await
        .unwrap();
    assert_ne!(other.dir, built.dir);
}

#[tokio::test]
async fn a_failed_or_cancelled_build_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let failing = async |dir: &Path| {
        write_hello(dir).await?;
        Err(Error::Interrupted)
    };
    cache
        .get_or_build("thing", &key("a"), failing)
        .await
        .unwrap_err();

    let endless = async |dir: &Path| {
        write_hello(dir).await?;
        std::future::pending().await
    };
    let key = key("a");
    let build = cache.get_or_build("thing", &key, endless);
    tokio::time::timeout(Duration::from_millis(20), build)
        .await
        .unwrap_err();

    assert_eq!(
        fs::read_dir(root.path().join("staging")).unwrap().count(),
        0
    );
    let finished = fs::read_dir(root.path().join("thing"));
    assert_eq!(finished.map_or(0, Iterator::count), 0);
}

#[tokio::test]
async fn the_second_of_two_builders_waits_and_finds() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let slow = async |dir: &Path| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        write_hello(dir).await
    };
    let key = key("a");
    let first = cache.get_or_build("thing", &key, slow);
    let second = cache.get_or_build("thing", &key, async |_: &Path| panic!("built twice"));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap(), second.unwrap());
}

#[tokio::test]
async fn open_sweeps_what_a_crash_left_and_spares_what_is_being_built() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let staging = root.path().join("staging");
    fs::create_dir(staging.join("thing-dead")).unwrap();
    fs::create_dir(staging.join("thing-alive")).unwrap();
    let _building = cache.lock("thing-alive").await.unwrap();

    Cache::open(root.path()).unwrap();
    assert!(!staging.join("thing-dead").exists());
    assert!(staging.join("thing-alive").exists());
}

#[test]
fn a_key_changes_with_every_name_value_and_boundary() {
    let base = KeyBuilder::new().text("ab", "c").text("d", "").build();
    let others = [
        KeyBuilder::new().text("a", "bc").text("d", "").build(),
        KeyBuilder::new().text("ab", "c").text("", "d").build(),
        KeyBuilder::new().text("d", "").text("ab", "c").build(),
        KeyBuilder::new().text("ab", "c").build(),
    ];
    assert!(others.iter().all(|other| other.hex() != base.hex()));
    assert_eq!(
        base.hex(),
        KeyBuilder::new()
            .text("ab", "c")
            .text("d", "")
            .build()
            .hex()
    );
}

#[test]
fn a_directory_counts_with_names_contents_modes_and_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let digest = || {
        KeyBuilder::new()
            .dir("dir", root)
            .unwrap()
            .build()
            .hex()
            .to_owned()
    };
    let mut seen = vec![digest()];
    let mut expect_change = || {
        let now = digest();
        assert!(!seen.contains(&now));
        seen.push(now);
    };
    fs::write(root.join("a"), "1").unwrap();
    expect_change();
    fs::write(root.join("a"), "2").unwrap();
    expect_change();
    fs::rename(root.join("a"), root.join("b")).unwrap();
    expect_change();
    fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o755)).unwrap();
    expect_change();
    symlink("b", root.join("c")).unwrap();
    expect_change();
}

#[test]
fn a_missing_file_is_named() {
    let error = KeyBuilder::new()
        .file("fragment", Path::new("no/such/file"))
        .unwrap_err();
    assert!(error.to_string().contains("no/such/file"));
}

#[test]
fn a_remembered_digest_follows_the_file() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path().join("cache")).unwrap();
    let file = root.path().join("file");
    fs::write(&file, "one").unwrap();
    let one = cache.file_digest(&file).unwrap();
    assert_eq!(cache.file_digest(&file).unwrap(), one);
    fs::write(&file, "three").unwrap();
    assert_ne!(cache.file_digest(&file).unwrap(), one);

    let all = cache
        .tree_digest(root.path(), |path| path.starts_with("cache"))
        .unwrap();
    fs::write(root.path().join("other"), "").unwrap();
    let skip = |path: &Path| path.starts_with("cache") || path == Path::new("other");
    assert_eq!(cache.tree_digest(root.path(), skip).unwrap(), all);
}

/// A built artifact with a file in it, and a directory with a link.
pub async fn built(cache: &Cache) -> Artifact {
    let write = async |dir: &Path| {
        write_hello(dir).await?;
        fs::create_dir(dir.join("sub")).unwrap();
        std::os::unix::fs::symlink("../hello", dir.join("sub/link")).unwrap();
        Ok(())
    };
    cache.get_or_build("thing", &key("a"), write).await.unwrap()
}

/// Whether asking for it again built it again.
pub async fn is_built_again(cache: &Cache) -> bool {
    let mut again = false;
    let build = async |dir: &Path| {
        again = true;
        write_hello(dir).await
    };
    let artifact = cache.get_or_build("thing", &key("a"), build).await.unwrap();
    assert_eq!(fs::read(artifact.dir.join("hello")).unwrap(), b"hello");
    again
}

#[tokio::test]
async fn whatever_is_done_to_an_artifact_is_seen_and_healed() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 9] = [
        ("other bytes", |dir| {
            fs::write(dir.join("hello"), "hellO").unwrap()
        }),
        ("truncated", |dir| {
            fs::write(dir.join("hello"), "hell").unwrap()
        }),
        ("empty", |dir| fs::write(dir.join("hello"), "").unwrap()),
        ("removed", |dir| fs::remove_file(dir.join("hello")).unwrap()),
        ("a directory", |dir| {
            fs::remove_file(dir.join("hello")).unwrap();
            fs::create_dir(dir.join("hello")).unwrap();
        }),
        ("another link", |dir| {
            fs::remove_file(dir.join("sub/link")).unwrap();
            std::os::unix::fs::symlink("/etc", dir.join("sub/link")).unwrap();
        }),
        ("no manifest", |dir| {
            fs::remove_file(dir.join("manifest.json")).unwrap()
        }),
        ("half a manifest", |dir| {
            let path = dir.join("manifest.json");
            let text = fs::read(&path).unwrap();
            fs::write(path, &text[..text.len() / 2]).unwrap();
        }),
        ("a file in its place", |dir| {
            fs::remove_dir_all(dir).unwrap();
            fs::write(dir, "").unwrap();
        }),
    ];
    for (what, damage) in damages {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path()).unwrap();
        let artifact = built(&cache).await;
        assert!(!is_built_again(&cache).await);
        damage(&artifact.dir);
        assert!(is_built_again(&cache).await, "{what}");
        assert!(!is_built_again(&cache).await, "{what}: healed");
        let staging = fs::read_dir(root.path().join("staging")).unwrap();
        assert_eq!(staging.count(), 0, "{what}");
    }
}

#[tokio::test]
async fn a_damaged_memory_of_digests_costs_no_artifact() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let artifact = built(&cache).await;
    let file = artifact.dir.join("hello");
    let (stamp, other) = (digest::stamp(&file).unwrap(), digest::bytes(b"x"));
    let forged = [
        other.hex().to_owned(),
        format!("{} 0123456789abcdef", other.hex()),
        format!("{} {}", other.hex(), manifest::check(&stamp.digest, &other)),
        String::new(),
    ];
    for text in forged {
        fs::write(cache.memo(&stamp), &text).unwrap();
        assert!(!is_built_again(&cache).await, "{text}");
    }
}

#[tokio::test]
async fn an_artifact_of_before_gets_its_manifest_once() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let dir = built(&cache).await.dir;
    fs::remove_file(dir.join("manifest.json")).unwrap();
    fs::write(dir.join("inputs.json"), "[]").unwrap();
    assert!(!is_built_again(&cache).await);
    assert!(dir.join("manifest.json").exists() && !dir.join("inputs.json").exists());
    fs::remove_file(dir.join("manifest.json")).unwrap();
    assert!(is_built_again(&cache).await, "it had one");
}

#[test]
fn what_cannot_be_replaced_is_named() {
    let found = State::Damaged("vmlinux has 5 bytes, and 9 were built".to_owned());
    let denied = Error::io("open", "/c/locks/x")(std::io::ErrorKind::PermissionDenied.into());
    let error = beyond_repair(Path::new("/c/kernel/ab"), &found, denied);
    insta::assert_snapshot!(crate::error::for_people(&error), @r"
    exitlab: cache: /c/kernel/ab is damaged: vmlinux has 5 bytes, and 9 were built; it cannot be replaced: failed to open /c/locks/x: permission denied
      cure: have somebody who may write there remove /c/kernel/ab, or choose another cache with --cache
    ");
}

#[test]
fn a_file_that_has_just_changed_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::open(root.path()).unwrap();
    let file = root.path().join("file");
    fs::write(&file, "one").unwrap();
    let stamp = digest::stamp(&file).unwrap();
    cache.file_digest(&file).unwrap();
    assert!(
        !cache.memo(&stamp).exists(),
        "two contents may have one time"
    );
    let settled = Stamp {
        changed: stamp.changed - SETTLED,
        ..stamp
    };
    cache.remember(&settled, &digest::bytes(b"one"));
    assert!(cache.memo(&settled).exists());
}

/// What was finished can be used where nothing can be written; a part of the cache that leads
/// elsewhere is refused, and what is there is left alone.
#[tokio::test]
async fn a_part_of_the_cache_is_no_link() {
    let place = tempfile::tempdir().unwrap();
    let (root, theirs) = (place.path().join("cache"), place.path().join("theirs"));
    fs::create_dir_all(theirs.join("precious")).unwrap();
    for part in ["staging", "locks", "digests", "work"] {
        fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink(&theirs, root.join(part)).unwrap();
        let error = Cache::open(&root).unwrap_err();
        assert!(error.to_string().contains("does not follow it"), "{error}");
        fs::remove_dir_all(&root).unwrap();
    }
    // A cache that is one is the user's choice; a kind of artifact that is one is not.
    fs::create_dir(&root).unwrap();
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let cache = Cache::open(&link).unwrap();
    std::os::unix::fs::symlink(&theirs, root.join("thing")).unwrap();
    let built = cache.get_or_build("thing", &key("a"), write_hello).await;
    built.unwrap_err();
    std::os::unix::fs::symlink(&theirs, root.join("staging/left")).unwrap();
    Cache::open(&link).unwrap();
    assert_eq!(fs::read_dir(root.join("staging")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
}
