//! Patches of the user's own: applied in the order of `kernel.patches`, after the hooks
//! and the overlay, so that they may change the census, too.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::patch::{Files, Misfit, Patch};
use crate::stage;
use exitlab_base::error::{Error, Result};

/// Reads the patches.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Patch>> {
    let read = |path: &PathBuf| {
        let text = fs::read(path).map_err(|error| Error::Config {
            message: format!("kernel.patches: cannot read {}: {error}", path.display()),
            cure: "give kernel.patches files that `diff -u` or `git diff` made".into(),
        })?;
        Ok(Patch {
            name: path.display().to_string(),
            text,
        })
    };
    paths.iter().map(read).collect()
}

/// Applies `patches`, one after the other, to `files` and what else there is. `pristine`
/// gives a file of the untouched tree; the work is done in `scratch`, a directory.
pub async fn apply(
    patches: &[Patch],
    mut files: Files,
    pristine: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
    scratch: &Path,
) -> Result<Files> {
    for (number, patch) in patches.iter().enumerate() {
        let present = |path: &Path| match files.get(path) {
            Some(text) => Ok(text.clone()),
            None => pristine(path),
        };
        let dir = scratch.join(format!("patch-{number}"));
        let changed = patch.apply(&present, &dir).await?;
        files.extend(changed.map_err(misfit)?);
    }
    Ok(files)
}

fn misfit(misfit: Misfit) -> Error {
    let mut message = format!("{} does not fit", misfit.patch);
    if !misfit.rejects.is_empty() {
        message += " this tree with what comes before it:";
    }
    for reject in &misfit.rejects {
        let _ = write!(message, "\n  {reject}");
    }
    let cure = match misfit.rejects.as_slice() {
        [] => "see what `patch` says; kernel.patches takes what `diff -u` or `git diff` prints, \
               with one directory before each path"
            .to_owned(),
        rejects if rejects.iter().all(|reject| reject.applied_before) => {
            "take the patch out of kernel.patches: the tree, the census or a patch before it has \
             its change"
                .to_owned()
        }
        _ => "make these hunks match the tree as it is after the census and the patches before \
              (docs/kernel-build.md); they are applied without fuzz"
            .to_owned(),
    };
    Error::Build {
        stage: stage::named(stage::PATCHES),
        message,
        tail: misfit.output,
        cure,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const CENSUS: &str = "arch/x86/kvm/exit_census.c";

    fn patch(name: &str, text: &str) -> Patch {
        Patch {
            name: name.into(),
            text: text.as_bytes().to_vec(),
        }
    }

    /// Applies patches to a tree of two files, one of them of the census.
    async fn apply_all(patches: &[Patch]) -> Result<Files> {
        let scratch = tempfile::tempdir().unwrap();
        let census = Files::from([(CENSUS.into(), Some(b"one\ntwo\n".to_vec()))]);
        let pristine = |path: &Path| {
            let text = (path == Path::new("virt/kvm/main.c")).then(|| b"first\nlast\n".to_vec());
            Ok(text)
        };
        apply(patches, census, pristine, scratch.path()).await
    }

    fn text_of(files: &Files, path: &str) -> Option<String> {
        let text = files[Path::new(path)].clone()?;
        Some(String::from_utf8(text).unwrap())
    }

    const FIRST: &str = "--- a/virt/kvm/main.c\n+++ b/virt/kvm/main.c\n\
        @@ -1,2 +1,3 @@\n first\n+middle\n last\n";

    #[tokio::test]
    async fn they_build_on_the_census_and_on_one_another() {
        // As `diff -u` writes it, with times after the paths.
        let second = "--- linux.orig/virt/kvm/main.c\t2026-01-01\n\
            +++ linux/virt/kvm/main.c\t2026-01-02\n@@ -1,3 +1,3 @@\n first\n-middle\n+centre\n last\n";
        let census = format!("--- a/{CENSUS}\n+++ b/{CENSUS}\n@@ -1,2 +1 @@\n-one\n two\n");
        let patches = [
            patch("1", FIRST),
            patch("2", second),
            patch("3", &census),
            patch("4", "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+new\n"),
            patch(
                "5",
                "diff --git a/new.c b/moved.c\nsimilarity index 100%\n\
                rename from new.c\nrename to moved.c\n",
            ),
        ];
        let files = apply_all(&patches).await.unwrap();
        let main = text_of(&files, "virt/kvm/main.c");
        assert_eq!(main.as_deref(), Some("first\ncentre\nlast\n"));
        assert_eq!(text_of(&files, CENSUS).as_deref(), Some("two\n"));
        assert_eq!(text_of(&files, "new.c"), None);
        assert_eq!(text_of(&files, "moved.c").as_deref(), Some("new\n"));
    }

    #[tokio::test]
    async fn a_removed_file_is_removed() {
        let removed = format!(
            "diff --git a/{CENSUS} b/{CENSUS}\ndeleted file mode 100644\n\
             --- a/{CENSUS}\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"
        );
        let files = apply_all(&[patch("remove", &removed)]).await.unwrap();
        assert_eq!(text_of(&files, CENSUS), None);
    }

    #[tokio::test]
    async fn a_reject_names_patch_file_hunk_and_line() {
        let other = FIRST.replace(" last", " end")
            + "--- a/no/such.c\n+++ b/no/such.c\n@@ -7 +7 @@\n-a\n+b\n";
        let error = apply_all(&[patch("mine.patch", &other)]).await.unwrap_err();
        assert_eq!(error.exit_code(), exitlab_base::error::exit_code::BUILD);
        insta::assert_snapshot!(error.to_string(), @r"
        kernel: apply kernel.patches: mine.patch does not fit this tree with what comes before it:
          virt/kvm/main.c: hunk 1 (line 1)
          no/such.c: no such file in the tree
        ");
        assert!(error.cure().contains("without fuzz"));
    }

    #[tokio::test]
    async fn what_is_there_already_and_what_is_no_patch_are_told_apart() {
        let twice = [patch("a", FIRST), patch("b", FIRST)];
        let error = apply_all(&twice).await.unwrap_err();
        assert!(error.cure().contains("take the patch out"), "{error}");
        let error = apply_all(&[patch("c", "no patch\n")]).await.unwrap_err();
        assert!(error.to_string().ends_with("c does not fit"), "{error}");
        assert!(error.cure().contains("git diff"), "{}", error.cure());
    }

    #[tokio::test]
    async fn nothing_outside_of_the_tree_is_touched() {
        let outside = "--- a/../../evil\n+++ b/../../evil\n@@ -0,0 +1 @@\n+evil\n";
        apply_all(&[patch("evil", outside)]).await.unwrap_err();
    }
}
