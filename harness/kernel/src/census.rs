//! What the census makes of a kernel's source: hooked files and added ones, as files or as a
//! patch that people read, keep or apply to a tree of theirs.

use std::fs;
use std::io;
use std::path::Path;

use tokio::process::Command;

use super::assets;
use super::hooks;
use super::make::clean_env;
use super::patch::Files;
use super::source::{self, Series};
use crate::stage;
use exitlab_base::answer::Answer;
use exitlab_base::error::{Error, Result};
use exitlab_model::plan::KernelSource;

/// What these files hold in a tree of `series` with the census. `pristine` gives a file of
/// the untouched tree.
pub(crate) fn files(
    series: Series,
    pristine: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
) -> Result<Files> {
    let mut files = hooks::apply(series, pristine)?;
    for (path, text) in assets::OVERLAY {
        files.insert(path.into(), Some(text.as_bytes().to_vec()));
    }
    Ok(files)
}

/// The census as a patch for the unpacked tree `tree`, which is only read: a unified diff,
/// hooks first, then added files; `patch -p1` and `git apply` take it.
///
/// # Errors
///
/// If it is no kernel tree, or lacks what a hook looks for; each is named.
pub async fn patch(tree: &KernelSource) -> Result<String> {
    let KernelSource::Tree(tree) = tree else {
        return Err(Error::Config {
            message: "the census is shown as a patch for an unpacked tree only".into(),
            cure: "unpack the source, and name the directory".into(),
        });
    };
    let series = source::series_of(tree).map_err(|problem| source::not_a_kernel(tree, &problem))?;
    let present = |path: &Path| {
        let path = tree.join(path);
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    };
    let files = files(series, present)?;
    let scratch = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let added = |path: &Path| {
        assets::OVERLAY
            .iter()
            .any(|(name, _)| Path::new(name) == path)
    };
    let mut patch = String::new();
    for new in [false, true] {
        for (path, text) in files.iter().filter(|(path, _)| added(path) == new) {
            let old = present(path)?.filter(|_| !new).unwrap_or_default();
            let text = text.as_deref().unwrap_or_default();
            patch += &difference(path, &old, text, new, scratch.path()).await?;
        }
    }
    Ok(patch)
}

/// One file of the patch.
async fn difference(
    path: &Path,
    old: &[u8],
    text: &[u8],
    added: bool,
    scratch: &Path,
) -> Result<String> {
    let (before, after) = (scratch.join("before"), scratch.join("after"));
    fs::write(&before, old).map_err(Error::io("write", &before))?;
    fs::write(&after, text).map_err(Error::io("write", &after))?;
    let path = path.display();
    let from = match added {
        true => "/dev/null".to_owned(),
        false => format!("a/{path}"),
    };
    let mut command = Command::new("diff");
    clean_env(&mut command);
    command
        .args([
            "-u",
            "-p",
            "--label",
            &from,
            "--label",
            &format!("b/{path}"),
        ])
        .args([&before, &after]);
    let answer = Answer::of(command)
        .await
        .map_err(Error::io("start", "diff"))?;
    match answer.status.code() {
        Some(0 | 1) => {
            let mode = if added { "new file mode 100644\n" } else { "" };
            Ok(format!(
                "diff --git a/{path} b/{path}\n{mode}{}",
                answer.stdout
            ))
        }
        _ => Err(Error::Build {
            stage: stage::named(stage::HOOKS),
            message: "diff failed".into(),
            tail: answer.stderr.lines().map(str::to_owned).collect(),
            cure: "apt-get install diffutils".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::hooks::fixture;

    #[tokio::test]
    async fn the_patch_makes_the_tree_what_the_build_makes_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("linux");
        let series: Series = "7.3".parse().unwrap();
        for (path, text) in fixture::tree(series) {
            fs::create_dir_all(tree.join(&path).parent().unwrap()).unwrap();
            fs::write(tree.join(&path), text).unwrap();
        }
        fs::write(tree.join("Makefile"), "VERSION = 7\nPATCHLEVEL = 3\n").unwrap();
        fs::write(tree.join("Kconfig"), "").unwrap();
        let text = patch(&KernelSource::Tree(tree.clone())).await.unwrap();
        let whole = crate::patch::Patch {
            name: "census".into(),
            text: text.into_bytes(),
        };
        let present = |path: &Path| Ok(fs::read(tree.join(path)).ok());
        let applied = whole.apply(&present, &dir.path().join("work")).await;
        assert_eq!(applied.unwrap().unwrap(), files(series, present).unwrap());
    }
}
