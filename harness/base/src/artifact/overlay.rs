//! A cache of which a lower layer of the file system has a part, as in containers whose image
//! brings one: no directory of it can be renamed.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use super::tests::{built, is_built_again};
use super::*;

/// Set for the test's program where it has mounts of its own; the place of its layers.
const INSIDE: &str = "EXITLAB_TEST_LAYERS";

/// Layers in `$1`, or in memory where no overlay can lie on that file system.
const MOUNT: &str = r#"
layers() {
    mkdir -p "$1/lower" "$1/upper" "$1/work" "$1/merged" && "$2" --exact "$3" --nocapture &&
    mount -t overlay overlay -o userxattr,lowerdir="$1/lower",upperdir="$1/upper",workdir="$1/work" "$1/merged"
}
layers "$@" || { mount -t tmpfs tmpfs "$1" && layers "$@"; } || exit 9
exec "$2" --exact "$3" --nocapture
"#;

#[tokio::test]
async fn a_damaged_artifact_of_a_lower_layer_is_healed() {
    let name = "artifact::overlay::a_damaged_artifact_of_a_lower_layer_is_healed";
    let Some(place) = std::env::var_os(INSIDE).map(PathBuf::from) else {
        return run_in_own_mounts(name);
    };
    let (lower, merged) = (place.join("lower"), place.join("merged"));
    let lies_over = fs::read_to_string("/proc/self/mounts").unwrap();
    if !lies_over.contains(&format!(" {} overlay ", merged.display())) {
        built(&Cache::open(&lower).unwrap()).await;
        fs::create_dir(lower.join("other")).unwrap();
        return;
    }
    let moved = fs::rename(merged.join("other"), merged.join("moved"));
    assert_eq!(moved.unwrap_err().kind(), ErrorKind::CrossesDevices);

    let cache = Cache::open(&merged).unwrap();
    let artifact = built(&cache).await;
    assert!(!is_built_again(&cache).await);
    fs::write(artifact.dir.join("hello"), "hellO").unwrap();
    assert!(is_built_again(&cache).await);
    assert!(!is_built_again(&cache).await, "healed");
    assert_eq!(fs::read_dir(merged.join("staging")).unwrap().count(), 0);
    let below = lower.join(artifact.dir.strip_prefix(&merged).unwrap());
    assert_eq!(fs::read(below.join("hello")).unwrap(), b"hello");
}

fn run_in_own_mounts(test: &str) {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"]);
    command
        .arg(place.path())
        .arg(std::env::current_exe().unwrap());
    command.arg(test).env(INSIDE, place.path());
    let output = command.output().unwrap();
    assert_passed(&output);
}

fn assert_passed(output: &std::process::Output) {
    let (said, errors) = (&output.stdout, &output.stderr);
    let said = [&said[..], errors].map(String::from_utf8_lossy).concat();
    // The same test, once for each layer.
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
