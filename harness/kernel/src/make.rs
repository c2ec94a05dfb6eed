//! Running kbuild so that equal inputs give equal bytes.

use std::ffi::OsString;
use std::path::Path;

use tokio::process::Command;

use exitlab_base::artifact::{Cache, Lock};
use exitlab_base::dir::Dir;
use exitlab_base::error::{Error, Result};
use exitlab_base::process;
use exitlab_base::tool;

/// Everything of a build that is decided here; part of every key.
pub const SETTINGS: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("KBUILD_BUILD_USER", "exitlab"),
    ("KBUILD_BUILD_HOST", "exitlab"),
    ("KBUILD_BUILD_TIMESTAMP", "Tue Nov 14 00:00:00 UTC 2023"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// What a tree's Makefile may say otherwise, if its owner compiles for another machine. These
/// are kbuild's own values here, so nothing else becomes of any other tree.
const HERE: &[&str] = &["ARCH=x86", "CROSS_COMPILE="];

/// Where Debian's package `ccache` has compilers that look for a kept object first.
const CCACHE: &str = "/usr/lib/ccache";

/// Lines of compiler errors that a message shows.
const ERROR_LINES: usize = 8;

/// Gives a command the environment that builds run in. Nothing else of the user's: a
/// stray KCFLAGS or ARCH would change the result behind the key's back.
pub fn clean_env(command: &mut Command) {
    command.env_clear().envs(SETTINGS.iter().copied());
    for name in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Lets the compiler take objects that it has made before, in whichever tree, where ccache is
/// installed. It stands in the compiler's place, so commands are the same with and without
/// it, and no tree is compiled anew because it came or went. As long as what is given back is
/// held, nobody clears the objects away.
fn keep_objects(command: &mut Command, ccache: &Path) -> Option<Lock> {
    // To look up and keep what nobody has kept yet costs half as much again as compiling it:
    // ccache's own variable leaves that out.
    let wanted = ccache.join("gcc").exists() && std::env::var_os("CCACHE_DISABLE").is_none();
    let (true, Ok(cache)) = (wanted, Cache::default_dir()) else {
        return None;
    };
    let objects = cache.join("ccache");
    let mut path = OsString::from(ccache);
    if let Some(own) = std::env::var_os("PATH") {
        path.push(":");
        path.push(own);
    }
    command
        .env("PATH", path)
        .env("CCACHE_DIR", &objects)
        // The user's settings may allow what changes results.
        .env("CCACHE_CONFIGPATH", "/dev/null")
        // Objects without debugging information do not know their directory.
        .env("CCACHE_NOHASHDIR", "yes");
    // Where it cannot be made, ccache says so.
    std::fs::create_dir_all(&objects).ok()?;
    Lock::share(&Dir::open(&objects).ok()?).ok()
}

/// Runs `make` in a kernel tree. `stage` is for the message of a failure.
pub async fn run(
    dir: &Path,
    args: &[&str],
    log: &Path,
    stage: &str,
    mut on_line: impl FnMut(&str),
) -> Result<()> {
    let mut command = Command::new("make");
    clean_env(&mut command);
    let _objects = keep_objects(&mut command, Path::new(CCACHE));
    command.current_dir(dir).args(args).args(HERE);
    let mut errors = Vec::new();
    let finished = process::run(command, log, |line| {
        if errors.len() < ERROR_LINES && is_error(line) {
            errors.push(line.to_owned());
        }
        on_line(line);
    })
    .await?;
    if finished.status.success() {
        return Ok(());
    }
    let mut message = format!("`make {}` failed", args.join(" "));
    for error in errors {
        message.push_str("\n  ");
        message.push_str(&error);
    }
    let limit = tool::cure(finished.status, &finished.tail);
    let mut error = failed(stage, message, finished.tail, log);
    if let (Some(limit), Error::Build { cure, .. }) = (limit, &mut error) {
        *cure = format!("{limit}\n{cure}");
    }
    Err(error)
}

/// A build error that points to the whole log.
pub fn failed(stage: &str, message: String, tail: Vec<String>, log: &Path) -> Error {
    Error::Build {
        stage: crate::stage::named(stage),
        message,
        tail,
        cure: format!("read the whole output in {}", log.display()),
    }
}

fn is_error(line: &str) -> bool {
    line.contains("error:")
        || line.contains("undefined reference")
        || line.contains("No space left")
        || line.contains("File size limit exceeded")
        || line.contains("File too large")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ccache_comes_first_where_it_is_installed() {
        let dir = tempfile::tempdir().unwrap();
        let path_of = |command: &Command| {
            let mut envs = command.as_std().get_envs();
            let path = envs.find(|(name, _)| *name == "PATH");
            path.and_then(|(_, value)| Some(value?.to_str()?.to_owned()))
        };
        let mut command = Command::new("make");
        keep_objects(&mut command, dir.path());
        assert_eq!(path_of(&command), None);
        std::fs::write(dir.path().join("gcc"), "").unwrap();
        keep_objects(&mut command, dir.path());
        let path = path_of(&command).unwrap();
        assert!(path.starts_with(&format!("{}:", dir.path().display())));
    }

    /// Of real make: a tree that its owner compiles for another machine.
    #[tokio::test]
    async fn a_tree_for_another_machine_is_compiled_for_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let makefile = "ARCH = arm64\nCROSS_COMPILE = aarch64-linux-gnu-\n\
                        all:\n\t@echo $(ARCH) [$(CROSS_COMPILE)]\n";
        std::fs::write(dir.path().join("Makefile"), makefile).unwrap();
        let mut lines = Vec::new();
        let log = dir.path().join("log");
        let built = run(dir.path(), &["all"], &log, "compile", |line| {
            lines.push(line.to_owned());
        });
        built.await.unwrap();
        assert_eq!(lines, ["x86 []"]);
    }
}
