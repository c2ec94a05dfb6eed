#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::config::plan::KernelSource;

fn source_of(cache: &Cache, dir: &Path, text: &str) -> Source {
    let path = dir.join("linux.tar");
    fs::write(&path, text).unwrap();
    Source::find(cache, &KernelSource::Tarball(path)).unwrap()
}

#[test]
fn the_key_changes_with_every_input() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let one = source_of(&cache, dir.path(), "one");
    let other = source_of(&cache, dir.path(), "another");
    let own = kconfig::fragments(&[]).unwrap();
    let user = Fragment {
        name: "mine".into(),
        text: "CONFIG_A=y\n".into(),
    };
    let more = [own.clone(), vec![user]].concat();
    let gcc = |version: &str| [("gcc", version.to_owned())];

    let keys = [
        key(&one, true, &own, &gcc("12")),
        key(&other, true, &own, &gcc("12")),
        key(&one, false, &own, &gcc("12")),
        key(&one, true, &more, &gcc("12")),
        key(&one, true, &own, &gcc("13")),
    ];
    let distinct: BTreeSet<_> = keys.iter().map(Key::hex).collect();
    assert_eq!(distinct.len(), keys.len());
    assert_eq!(keys[0], key(&one, true, &own, &gcc("12")));
}

#[test]
fn the_key_names_overlay_and_hooks_only_where_the_census_is() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path().join("cache")).unwrap();
    let source = source_of(&cache, dir.path(), "one");
    let names = |census| -> Vec<String> {
        key(&source, census, &[], &[])
            .inputs()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert!(names(true).contains(&"overlay/arch/x86/kvm/exit_census.c".to_owned()));
    assert!(names(true).contains(&"hooks/6.12.patch".to_owned()));
    assert!(
        !names(false)
            .iter()
            .any(|n| n.starts_with("overlay") || n.starts_with("hooks"))
    );
}
