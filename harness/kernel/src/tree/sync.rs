//! A work tree follows a tree of the user's: files whose contents differ are written, and no
//! others, so that `make` compiles only what an edit reaches.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::WorkTree;
use super::files::{read_if_there, replace};
use crate::source::Source;
use exitlab_base::artifact::digest;
use exitlab_base::error::{Error, Result};

impl WorkTree {
    /// Makes the untouched tree that of `source`. Says no, having done nothing, if it is not
    /// known which of its files are source.
    ///
    /// The user's tree is copied aside first, as a fresh work tree is made: what builds left
    /// in it is gone from the copy, and it may change meanwhile.
    pub(super) async fn follow(&self, source: &Source, progress: &dyn Fn(&str)) -> Result<bool> {
        let state = source.digest.hex();
        if self.position()? == [state] {
            return Ok(true);
        }
        let before = self.sources()?;
        if before.is_empty() {
            return Ok(false);
        }
        progress("copy the tree");
        let (fresh, scratch) = (self.scratch()?, self.scratch()?);
        let log = self.log_path("unpack");
        source.unpack(fresh.path(), scratch.path(), &log).await?;
        let after: BTreeSet<PathBuf> = digest::list(fresh.path(), &|_| false)?
            .into_iter()
            .collect();
        let all: BTreeSet<PathBuf> = before.union(&after).cloned().collect();
        let touched = self.touched()?;
        let mut changed = Vec::new();
        for path in &all {
            let present = self.place_of(path, &touched);
            if !are_equal(&present, &fresh.path().join(path))? {
                changed.push(path.clone());
            }
            // So that it can be interrupted.
            tokio::task::yield_now().await;
        }
        progress(&format!("files that differ: {}", changed.len()));
        // From here on it is neither; what was or will be source is known.
        self.set_position(&[])?;
        self.set_sources(&all)?;
        self.take_over(&changed, fresh.path())?;
        self.set_sources(&after)?;
        self.set_position(&[state.to_owned()])?;
        Ok(true)
    }

    /// The files of the untouched tree; none if they are not known.
    fn sources(&self) -> Result<BTreeSet<PathBuf>> {
        let list = read_if_there(&self.sources_path())?.unwrap_or_default();
        let paths = list
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty());
        Ok(paths
            .map(|path| std::ffi::OsString::from_vec(path.to_vec()).into())
            .collect())
    }

    pub(super) fn set_sources(&self, sources: &BTreeSet<PathBuf>) -> Result<()> {
        let paths = sources.iter().map(|path| path.as_os_str().as_bytes());
        let list: Vec<u8> = paths.flat_map(|path| [path, b"\0"].concat()).collect();
        let path = self.sources_path();
        replace(&path, &list, &path)
    }

    pub(super) fn sources_path(&self) -> PathBuf {
        self.root.join("sources")
    }
}

/// Whether two files, programs or links are the same, or neither is there.
fn are_equal(one: &Path, other: &Path) -> Result<bool> {
    let kind = |path: &Path| path.symlink_metadata().ok();
    let (Some(a), Some(b)) = (kind(one), kind(other)) else {
        return Ok(kind(one).is_none() && kind(other).is_none());
    };
    if a.file_type() != b.file_type() {
        return Ok(false);
    }
    if a.is_symlink() {
        let target = |path: &Path| fs::read_link(path).map_err(Error::io("read", path));
        return Ok(target(one)? == target(other)?);
    }
    let program = |mode: u32| mode & 0o111 != 0;
    let alike =
        a.len() == b.len() && program(a.permissions().mode()) == program(b.permissions().mode());
    Ok(alike && read_if_there(one)? == read_if_there(other)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::position::tests::{MAKEFILE, contents, make, variant};
    use super::*;
    use exitlab_base::artifact::Cache;
    use exitlab_model::plan::KernelSource;

    struct Place {
        dir: tempfile::TempDir,
        cache: Cache,
    }

    /// Its name, what it does, and what is compiled for it.
    type Edit = (&'static str, &'static dyn Fn(&Place), Vec<&'static str>);

    impl Place {
        fn new() -> Place {
            let dir = tempfile::tempdir().unwrap();
            let place = Place {
                cache: Cache::open(dir.path().join("cache")).unwrap(),
                dir,
            };
            let makefile = format!("{MAKEFILE}mrproper:\n\trm -f generated.c\n");
            for (path, text) in [
                ("Makefile", &*makefile),
                ("Kconfig", ""),
                ("arch/x86/kvm/Makefile", ""),
                ("include/common.h", "common\n"),
                ("kernel.c", "kernel\n"),
                ("kvm.c", "kvm\n"),
                ("README", "one\n"),
            ] {
                place.write(path, text);
            }
            place
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.dir.path().join("linux").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        async fn tree(&self, name: &str) -> WorkTree {
            let source = KernelSource::Tree(self.dir.path().join("linux"));
            let source = Source::find(&self.cache, &source).unwrap();
            WorkTree::open(&self.cache, name, &source, &|_| {})
                .await
                .unwrap()
        }
    }

    #[tokio::test]
    async fn an_edit_compiles_what_it_reaches_and_the_tree_is_as_a_fresh_one() {
        let place = Place::new();
        let all = vec!["CC kernel.o", "CC kvm.o"];
        let edits: [Edit; 6] = [
            ("nothing", &|_| {}, all.clone()),
            ("words", &|p| p.write("README", "two\n"), vec![]),
            (
                "a file",
                &|p| p.write("kernel.c", "new\n"),
                vec!["CC kernel.o"],
            ),
            ("hooked", &|p| p.write("kvm.c", "kvm, changed\n"), vec![]),
            ("a header", &|p| p.write("include/common.h", "more\n"), all),
            // Built in place, as developers do: `make mrproper` knows what that made.
            ("products", &|p| p.write("generated.c", "made\n"), vec![]),
        ];
        for (edit, change, compiled) in edits {
            change(&place);
            let tree = place.tree("followed").await;
            tree.materialize(&variant()).unwrap();
            assert_eq!(make(&tree), compiled, "{edit}");
            let fresh = place.tree(&format!("fresh {edit}")).await;
            fresh.materialize(&variant()).unwrap();
            make(&fresh);
            assert_eq!(contents(&tree), contents(&fresh), "{edit}");
        }
    }

    #[tokio::test]
    async fn an_interrupted_copy_is_made_good() {
        let place = Place::new();
        drop(place.tree("followed").await);
        place.write("kernel.c", "new\n");
        let tree = place.tree("followed").await;
        // As if the last of its files had not come any more.
        tree.set_position(&[]).unwrap();
        fs::write(tree.dir().join("kernel.c"), "kernel\n").unwrap();
        drop(tree);
        let tree = place.tree("followed").await;
        assert_eq!(
            fs::read_to_string(tree.dir().join("kernel.c")).unwrap(),
            "new\n"
        );
    }
}
