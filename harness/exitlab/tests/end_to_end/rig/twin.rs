//! exitlab as somebody else has built it (`scripts/build-twin`): in another directory, as
//! another user with another `HOME`, and with a word of the conductor's changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{REPOSITORY, built};

/// The twin's `exitlab`, run as its user. Its cache is its own, but for the kernel.
pub fn exitlab() -> Command {
    let twin = place();
    let program = twin.join("bin/exitlab");
    assert!(
        program.is_file(),
        "there is no {}: scripts/build-twin makes it",
        program.display()
    );
    lend_kernel(&twin);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-user=4242", "--map-group=4242"])
        .arg(program)
        .env("HOME", twin.join("home"))
        .env("XDG_CACHE_HOME", twin.join("cache"))
        .stdin(Stdio::null());
    command
}

/// The path that the twin's `exitlab build` prints.
pub fn built_by_twin(args: &[&str]) -> PathBuf {
    let output = exitlab().arg("build").args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn place() -> PathBuf {
    Path::new(REPOSITORY).join("target/twin")
}

/// Kernels take minutes to build, and that two builds are equal byte for byte is not for a
/// copy to prove.
fn lend_kernel(twin: &Path) {
    let kernel = built(&["kernel"]);
    let ours = kernel.parent().unwrap();
    let theirs = twin
        .join("cache/exitlab/kernel")
        .join(ours.file_name().unwrap());
    if theirs.exists() {
        return;
    }
    std::fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    // Two tests may come here at the same time: what one of them made is good for both.
    let new = theirs.with_extension(std::process::id().to_string());
    let copied = Command::new("cp").arg("-r").args([ours, &new]).status();
    assert!(copied.unwrap().success());
    let _ = std::fs::rename(&new, &theirs);
    assert!(theirs.exists());
}
