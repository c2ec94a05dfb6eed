//! Applying the hooks, without touching the tree: pristine texts in, changed texts out.

use std::fmt::Write;
use std::path::Path;

use super::assets::{Asset, HOOKS};
use super::patch::{Files, Misfit, Patch};
use super::source::Series;
use crate::stage;
use exitlab_base::error::{Error, Result};

/// What the hooked files of a tree of `series` hold after the hooks. `pristine` gives a
/// file of the untouched tree; the work is done in `scratch`, an empty directory.
///
/// A series without a patch of its own gets the nearest one that fits without fuzz.
pub async fn apply(
    series: Series,
    pristine: impl Fn(&Path) -> Result<Option<Vec<u8>>>,
    scratch: &Path,
) -> Result<Files> {
    let mut misfits = Vec::new();
    for (attempt, (name, text)) in nearest_first(series, HOOKS).into_iter().enumerate() {
        let dir = scratch.join(attempt.to_string());
        let patch = Patch {
            name: name.to_owned(),
            text: text.as_bytes().to_vec(),
        };
        match patch.apply(&pristine, &dir).await? {
            Ok(files) => return Ok(files),
            Err(misfit) => misfits.push(misfit),
        }
    }
    Err(no_patch_fits(series, &misfits))
}

/// The patch of this series if there is one: only it is tried. Else all, nearest first.
fn nearest_first(series: Series, patches: &[Asset]) -> Vec<Asset> {
    let mut ranked: Vec<(u32, Asset)> = patches
        .iter()
        .filter_map(|asset| {
            let theirs: Series = asset.0.strip_suffix(".patch")?.parse().ok()?;
            Some((series.distance(theirs), *asset))
        })
        .collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    let own = ranked.first().is_some_and(|(distance, _)| *distance == 0);
    ranked.truncate(if own { 1 } else { ranked.len() });
    ranked.into_iter().map(|(_, asset)| asset).collect()
}

fn no_patch_fits(series: Series, misfits: &[Misfit]) -> Error {
    let mut message = String::new();
    for misfit in misfits {
        let separator = if message.is_empty() { "" } else { "\n" };
        let _ = write!(
            message,
            "{separator}kernel/hooks/{} does not fit this {series} tree:",
            misfit.patch
        );
        for reject in &misfit.rejects {
            let _ = write!(message, "\n  {reject}");
        }
    }
    let cure = cure(series, misfits);
    let tail = misfits
        .iter()
        .flat_map(|misfit| misfit.output.iter().cloned())
        .collect();
    Error::Build {
        stage: stage::named(stage::HOOKS),
        message,
        tail,
        cure,
    }
}

fn cure(series: Series, misfits: &[Misfit]) -> String {
    let mut rejects = misfits.iter().flat_map(|misfit| &misfit.rejects).peekable();
    if rejects.peek().is_some() && rejects.all(|reject| reject.applied_before) {
        return "this tree carries the census already: set kernel.census to false, or choose an \
                untouched source"
            .into();
    }
    let own = format!("{series}.patch");
    let edit = match misfits.first() {
        Some(nearest) if nearest.patch != own => format!(
            "copy kernel/hooks/{} to kernel/hooks/{own}, name it in harness/kernel/src/assets.rs \
             and edit it",
            nearest.patch
        ),
        _ => format!("edit kernel/hooks/{own}"),
    };
    format!(
        "{edit} so that these hunks match the files of your tree, and build exitlab again; or \
         choose a source that the hooks fit (docs/kernel-build.md)"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SERIES: Series = Series {
        major: 6,
        minor: 12,
    };

    /// The text that a patch expects in a file, at the lines where it expects it.
    fn snippet(patch: &str, file: &Path) -> Vec<u8> {
        let mut lines: Vec<String> = Vec::new();
        let mut here = false;
        for line in patch.lines() {
            if let Some(path) = line.strip_prefix("--- a/") {
                here = Path::new(path) == file;
            } else if let Some(rest) = line.strip_prefix("@@ -").filter(|_| here) {
                let start: usize = rest.split([',', ' ']).next().unwrap().parse().unwrap();
                lines.resize(start - 1, String::new());
            } else if line.starts_with("diff ") || line.starts_with("+++ ") {
                here &= !line.starts_with("diff ");
            } else if here && !line.starts_with('+') {
                lines.push(line.get(1..).unwrap_or("").to_owned());
            }
        }
        (lines.join("\n") + "\n").into_bytes()
    }

    async fn apply_to(change: impl Fn(&Path, Vec<u8>) -> Option<Vec<u8>>) -> Result<Files> {
        let scratch = tempfile::tempdir().unwrap();
        let (_, patch) = HOOKS.iter().find(|hooks| hooks.0 == "6.12.patch").unwrap();
        let pristine = |path: &Path| Ok(change(path, snippet(patch, path)));
        apply(SERIES, pristine, scratch.path()).await
    }

    #[tokio::test]
    async fn hooks_apply_to_the_text_they_expect() {
        let files = apply_to(|_, text| Some(text)).await.unwrap();
        assert_eq!(files.len(), 7);
        let vmx = files[Path::new("arch/x86/kvm/vmx/vmx.c")].as_ref().unwrap();
        assert!(String::from_utf8_lossy(vmx).contains("kvm_exit_census_count("));
    }

    #[tokio::test]
    async fn a_reject_names_patch_file_hunk_and_line() {
        let rename = |path: &Path, text: Vec<u8>| {
            let text = String::from_utf8(text).unwrap();
            let renamed = text.replace("trace_kvm_exit", "trace_kvm_vmexit");
            (!path.ends_with("cpuid.c")).then(|| renamed.into_bytes())
        };
        let error = apply_to(rename).await.unwrap_err();
        insta::assert_snapshot!(error.to_string(), @r"
        kernel: apply hooks: kernel/hooks/6.12.patch does not fit this 6.12 tree:
          arch/x86/kvm/cpuid.c: no such file in the tree
          arch/x86/kvm/svm/svm.c: hunk 3 (line 4499)
          arch/x86/kvm/vmx/vmx.c: hunk 3 (line 7485)
        ");
        assert!(
            error
                .cure()
                .starts_with("edit kernel/hooks/6.12.patch so that")
        );
    }

    #[tokio::test]
    async fn a_tree_with_the_census_is_recognised() {
        let applied = apply_to(|_, text| Some(text)).await.unwrap();
        let error = apply_to(|path, _| applied.get(path).cloned().flatten())
            .await
            .unwrap_err();
        assert!(error.cure().contains("kernel.census"), "{error}");
    }

    #[test]
    fn the_nearest_series_comes_first_and_an_exact_one_is_alone() {
        let patches = [("6.12.patch", ""), ("6.6.patch", ""), ("7.0.patch", "")];
        let order = |series: &str| -> Vec<_> {
            nearest_first(series.parse().unwrap(), &patches)
                .into_iter()
                .map(|p| p.0)
                .collect()
        };
        assert_eq!(order("6.12"), ["6.12.patch"]);
        assert_eq!(order("6.8"), ["6.6.patch", "6.12.patch", "7.0.patch"]);
        assert_eq!(order("7.1"), ["7.0.patch", "6.12.patch", "6.6.patch"]);
    }
}
