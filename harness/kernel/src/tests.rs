#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use exitlab_model::plan::KernelSource;

fn source_of(cache: &Cache, dir: &Path, text: &str) -> Source {
    let path = dir.join("linux.tar");
    fs::write(&path, text).unwrap();
    Source::find(cache, &KernelSource::Tarball(path)).unwrap()
}

fn patch(text: &str) -> Patch {
    Patch {
        name: "some/where/mine.patch".into(),
        text: text.into(),
    }
}

#[test]
fn the_key_changes_with_every_input() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let one = source_of(&cache, dir.path(), "one");
    let other = source_of(&cache, dir.path(), "another");
    let own = kconfig::fragments(false, &[]).unwrap();
    let user = Fragment {
        name: "mine".into(),
        text: "CONFIG_A=y\n".into(),
    };
    let more = [own.clone(), vec![user]].concat();
    let census = |census, patches: &[&str]| Changes {
        census,
        patches: patches.iter().map(|text| patch(text)).collect(),
    };
    let gcc = |version: &str| [("gcc", version.to_owned())];

    let keys = [
        key(&one, &census(true, &[]), &own, &gcc("12")),
        key(&other, &census(true, &[]), &own, &gcc("12")),
        key(&one, &census(false, &[]), &own, &gcc("12")),
        key(&one, &census(true, &[]), &more, &gcc("12")),
        key(&one, &census(true, &[]), &own, &gcc("13")),
        key(&one, &census(true, &["a"]), &own, &gcc("12")),
        key(&one, &census(true, &["b"]), &own, &gcc("12")),
        key(&one, &census(true, &["a", "b"]), &own, &gcc("12")),
        key(&one, &census(true, &["b", "a"]), &own, &gcc("12")),
        key(
            &one,
            &census(true, &[]),
            &kconfig::fragments(true, &[]).unwrap(),
            &gcc("12"),
        ),
    ];
    let distinct: BTreeSet<_> = keys.iter().map(Key::hex).collect();
    assert_eq!(distinct.len(), keys.len());
    assert_eq!(keys[0], key(&one, &census(true, &[]), &own, &gcc("12")));
}

#[test]
fn kernels_of_which_nearly_every_object_differs_have_work_trees_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let source = source_of(&cache, dir.path(), "one");
    let gcc = [("gcc", "12".to_owned())];
    let name = |text: &str| {
        let user = Fragment {
            name: "mine".into(),
            text: text.into(),
        };
        let own = kconfig::fragments(false, &[]).unwrap();
        work_name(&source, &[own, vec![user]].concat(), &gcc)
    };
    let plain = work_name(&source, &kconfig::fragments(false, &[]).unwrap(), &gcc);
    assert_eq!(name("CONFIG_CRYPTO_AES=y\n"), plain, "a few objects more");
    let fast = name("CONFIG_HZ_1000=y\n");
    assert_eq!(
        fast,
        name("# Fast.\nCONFIG_HZ_1000=y\nCONFIG_CRYPTO_AES=y\n")
    );
    let tracing = work_name(&source, &kconfig::fragments(true, &[]).unwrap(), &gcc);
    let preempt = name("CONFIG_PREEMPT=y\n");
    let distinct = BTreeSet::from([plain, fast, tracing, preempt]);
    assert_eq!(distinct.len(), 4);
}

#[test]
fn the_key_names_overlay_and_hooks_only_where_the_census_is() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let source = source_of(&cache, dir.path(), "one");
    let names = |census| -> Vec<String> {
        let patches = vec![patch("a")];
        key(&source, &Changes { census, patches }, &[], &[])
            .inputs()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert!(names(true).contains(&"overlay/arch/x86/kvm/exit_census.c".to_owned()));
    assert!(names(true).contains(&"hooks/census.toml".to_owned()));
    assert!(names(false).contains(&"patch mine.patch".to_owned()));
    assert!(
        !names(false)
            .iter()
            .any(|n| n.starts_with("overlay") || n.starts_with("hooks"))
    );
}
