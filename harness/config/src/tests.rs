//! The loader as its users meet it: plans, and the text of every error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{defaults, document, load, load_matrix};
use crate::{Matrix, Texts};
use exitlab_base::error::Result;
use exitlab_model::plan::Plan;
use exitlab_model::plan::{KernelSource, LeftBehind, Machine, Moment};
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::record::Channel;

mod below;
mod matrix;
mod wrong;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A directory with an experiment, and what an experiment may point at.
fn project(experiment: &str) -> TempDir {
    let dir = TempDir::new().expect("a temporary directory");
    for file in [
        "tree/arch/x86/kvm/x86.c",
        "linux.tar.xz",
        "my.config",
        "tools/strace",
    ] {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("create");
        // As long as a disk must be at least.
        std::fs::write(path, "# some\n".repeat(100)).expect("write");
    }
    std::fs::create_dir(dir.path().join("experiments")).expect("create");
    std::fs::write(dir.path().join("experiments/x.toml"), experiment).expect("write");
    dir
}

fn load_in(dir: &TempDir, sets: &[&str]) -> Result<Plan> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    load(
        Some(Path::new("experiments/x.toml")),
        &sets,
        dir.path(),
        &[
            PlatformKind::BochsVmx,
            PlatformKind::TcgSvm,
            PlatformKind::Nested,
        ],
    )
}

fn plan(experiment: &str, sets: &[&str]) -> Plan {
    load_in(&project(experiment), sets).expect("a good experiment")
}

#[test]
fn a_name_is_enough() {
    assert_eq!(
        plan("name = 'x'", &[]),
        Plan {
            name: "x".to_owned(),
            platform_choice: Some("its counts repeat bit for bit".to_owned()),
            ..defaults::plan()
        }
    );
}

#[test]
fn the_built_in_experiment_spells_out_every_default() {
    let built_in = load(None, &[], Path::new("/"), &[]).expect("the built-in experiment");
    assert_eq!(
        built_in,
        Plan {
            name: "boot-vs-idle".to_owned(),
            platform_choice: Some("no platform is usable here yet".to_owned()),
            ..defaults::plan()
        }
    );
    let given: BTreeSet<_> = keys_of(super::BUILT_IN).into_iter().collect();
    assert_eq!(
        given,
        document::KEYS.iter().map(|key| (*key).to_owned()).collect()
    );
}

#[test]
fn an_image_goes_with_an_experiment_that_spells_out_defaults() {
    let dir = project("");
    let image = ["kernel.source=image:linux.tar.xz".to_owned()];
    let plan = load(None, &image, dir.path(), &[]).expect("a good experiment");
    let expected = KernelSource::Image(dir.path().join("linux.tar.xz"));
    assert_eq!(plan.kernel.source, expected);
}

#[test]
fn without_channels_commands_are_enough_and_the_channel_trace_makes_a_kernel_that_traces() {
    let plan = |sets: &[&str]| plan("name = 'x'", sets);
    let silent = plan(&["sampling.channels=[]", "inspect=[\"uname\"]"]);
    assert!(silent.sampling.channels.is_empty() && !silent.kernel.tracing);
    let traced = plan(&["sampling.channels=[\"trace\"]"]);
    assert!(traced.kernel.tracing);
}

#[test]
fn channels_that_are_left_to_exitlab_are_the_census_or_the_tracepoint() {
    let dir = project("name = 'x'");
    let plan = |sets: &[&str]| load_in(&dir, sets).expect("a good experiment");
    let auto = "sampling.channels=auto";
    // The kernel of the experiment carries the census, and nothing is left open.
    assert_eq!(
        plan(&[auto]),
        plan(&["sampling.channels=[\"cpuid\", \"stats\"]"])
    );
    let plain = plan(&[auto, "kernel.census=false"]);
    assert_eq!(plain.sampling.channels, [Channel::Trace]);
    assert!(plain.kernel.tracing && !plain.sampling.auto);
    // That kernel is known on the host only.
    let local = plan(&["platform=local"]);
    assert!(local.sampling.auto && !local.kernel.tracing);
    let cycles = plan(&["platform=local", "sampling.cycles=true"]);
    assert!(!cycles.sampling.auto, "cycles are the census's alone");
    let watched = plan(&[auto, "guest.ssh=false"]);
    assert_eq!(watched.sampling.channels, [Channel::Stats]);
    assert!(load_in(&dir, &["sampling.channels=msr"]).is_err());
}

/// Every dotted key that a TOML text gives a value.
fn keys_of(text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().expect("TOML");
    let dotted = |(key, value): (String, toml::Value)| match value {
        toml::Value::Table(section) => section
            .keys()
            .map(|inner| format!("{key}.{inner}"))
            .collect(),
        _ => vec![key],
    };
    table.into_iter().flat_map(dotted).collect()
}

#[test]
fn a_guest_on_tcg_svm_acknowledges_interrupts_by_exits() {
    let cpu = |sets: &[&str]| plan("name = 'x'", sets).guest.cpu;
    assert_eq!(cpu(&[]), "host");
    assert_eq!(cpu(&["platform=tcg-svm"]), "host,-kvm-pv-eoi");
    let own = ["platform=tcg-svm", "guest.cpu=host,+kvm-pv-eoi"];
    assert_eq!(cpu(&own), "host,+kvm-pv-eoi");
}

#[test]
fn a_large_guest_on_tcg_svm_gets_a_fast_host() {
    let speed = |sets: &[&str]| {
        let sets = [&["platform=tcg-svm"], sets].concat();
        plan("name = 'x'", &sets).host.instructions_per_second
    };
    assert_eq!(speed(&[]), 250_000_000);
    assert_eq!(speed(&["guest.image=debian"]), 1_000_000_000);
    let given = "host.instructions_per_second=250_000_000";
    assert_eq!(speed(&["guest.image=debian", given]), 250_000_000);
}

#[test]
fn auto_becomes_a_platform_with_its_reason() {
    let plan = |sets: &[&str]| plan("name = 'x'", sets);
    let auto = plan(&["platform=auto"]);
    assert_eq!(auto.platform, PlatformKind::BochsVmx);
    let why = auto.platform_choice.as_deref();
    assert_eq!(why, Some("its counts repeat bit for bit"));
    let cycles = plan(&["platform=auto", "sampling.cycles=true"]);
    assert_eq!(cycles.platform, PlatformKind::Nested);
    assert_eq!(cycles.host.instructions_per_second, 0);
    assert_eq!(plan(&["platform=nested"]).platform_choice, None);
}

#[test]
fn ssh_needs_a_machine_that_is_no_option() {
    let there = plan("name = 'x'", &["platform=ssh", "host.address=me@there"]);
    assert_eq!(there.platform_name(), "ssh, me@there");
    let wrong = |sets: &[&str]| {
        let error = load_in(&project("name = 'x'"), sets).expect_err("wrong");
        format!("{error} | {}", error.cure())
    };
    let cases = [
        wrong(&["platform=ssh"]),
        wrong(&["host.address=-oProxyCommand=x"]),
        wrong(&["host.address='a b'"]),
    ];
    insta::assert_snapshot!(cases.join("\n\n"));
    let file = wrong(&["host.ssh_config=no/such/file"]);
    assert!(
        file.contains("no such file") && file.contains("host.ssh_config"),
        "{file}"
    );
}

#[test]
fn tcg_takes_the_place_of_kvm_on_nested_only() {
    let nested = plan("name = 'x'", &["platform=nested"]);
    assert_eq!(nested.guest.cpu, "host");
    assert_eq!(nested.platform_name(), "nested");
    let tried = ["platform=nested", "host.accelerator=tcg"];
    let tried = plan("name = 'x'", &tried);
    assert_eq!(tried.host.accelerator, Accelerator::Tcg);
    assert_eq!(tried.guest.cpu, "host,-kvm-pv-eoi");
    assert_eq!(tried.platform_name(), "nested, emulated by TCG");
    let dir = project("name = 'x'");
    let error = load_in(&dir, &["host.accelerator=tcg"]).expect_err("on bochs-vmx");
    assert!(error.to_string().contains("of no meaning on bochs-vmx"));
    let speed = ["platform=nested", "host.instructions_per_second=1000"];
    let error = load_in(&dir, &speed).expect_err("a speed");
    assert!(error.to_string().contains("the real clock"));
}

#[test]
fn a_host_has_the_speed_of_its_platform() {
    let speed = |sets: &[&str]| plan("name = 'x'", sets).host.instructions_per_second;
    assert_eq!(speed(&[]), 200_000_000);
    assert_eq!(speed(&["platform=tcg-svm"]), 250_000_000);
    let key = "host.instructions_per_second";
    let slower = format!("{key}=125_000_000");
    assert_eq!(speed(&["platform=tcg-svm", &slower]), 125_000_000);
    assert_eq!(
        speed(&["platform=tcg-svm", &format!("{key}=0")]),
        250_000_000
    );
}

#[test]
fn every_experiment_of_the_repository_loads() {
    let configs = Path::new(REPOSITORY).join("configs");
    for entry in std::fs::read_dir(configs).expect("configs") {
        let path = entry.expect("an entry").path();
        let matrix = load_matrix(Some(&path), &[], Path::new("/"), &[]).expect("good experiments");
        for cell in matrix.cells {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            assert_eq!(Some(cell.plan.name.as_str()), stem);
        }
    }
}

#[test]
fn the_documentation_has_every_key() {
    let path = Path::new(REPOSITORY).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).expect("docs/configuration.md");
    for key in document::KEYS.iter().chain(document::PHASE_KEYS) {
        assert!(
            text.contains(&format!("| `{key}` |")),
            "{key} is not documented"
        );
    }
}

#[test]
fn paths_are_relative_to_the_file_or_for_set_to_the_current_directory() {
    let experiment = "name = 'x'\nkernel.source = '../tree'\nguest.files = ['../tools/strace']";
    let dir = project(experiment);
    let root = dir.path().to_owned();

    let plan = load_in(&dir, &["kernel.fragments=['my.config']"]).expect("a good experiment");
    assert_eq!(
        plan.kernel.source,
        KernelSource::Tree(root.join("experiments/../tree"))
    );
    assert_eq!(plan.guest.files, [root.join("experiments/../tools/strace")]);
    assert_eq!(plan.kernel.fragments, [root.join("my.config")]);

    let plan = load_in(&dir, &["kernel.source=image:./tools/strace"]).expect("a good experiment");
    let image = KernelSource::Image(root.join("tools/strace"));
    assert_eq!(plan.kernel.source, image);

    let plan = load_in(&dir, &["kernel.patches=['my.config', './tools/strace']"]);
    let patches = ["my.config", "tools/strace"].map(|path| root.join(path));
    assert_eq!(plan.expect("a good experiment").kernel.patches, patches);

    let plan = load_in(&dir, &["kernel.source=./linux.tar.xz"]).expect("a good experiment");
    assert_eq!(
        plan.kernel.source,
        KernelSource::Tarball(root.join("linux.tar.xz"))
    );
}

#[test]
fn the_last_set_wins_and_bare_words_are_strings() {
    let sets = [
        "guest.machine=pc",
        "guest.machine=microvm",
        "guest.cmdline=quiet nokaslr=1 x",
        "guest.ssh = true",
        "guest.seed=\"a=b\"",
        "host.cmdline=",
        "sampling.schedule=[\"boot\", \"@2m\"]",
    ];
    let plan = plan("name = 'x'\nguest.machine = 'q35'", &sets);
    assert_eq!(plan.guest.machine, Machine::Microvm);
    assert_eq!(plan.guest.cmdline, "quiet nokaslr=1 x");
    assert!(plan.guest.ssh);
    assert_eq!(plan.guest.seed, "a=b");
    assert_eq!(plan.host.cmdline, "");
    assert_eq!(plan.sampling.schedule, [Moment::Boot, Moment::After(120.0)]);
}

#[test]
fn cycles_are_counted_by_a_word_to_the_host() {
    let with = |sets: &[&str]| plan("name = 'x'", sets).host.cmdline;
    assert_eq!(with(&["sampling.cycles=true"]), "kvm.exit_census_cycles=1");
    assert_eq!(
        with(&["host.cmdline=nokaslr", "sampling.cycles=true"]),
        "nokaslr kvm.exit_census_cycles=1"
    );
    assert_eq!(with(&["sampling.cycles=false"]), "");
}

#[test]
fn phases_follow_in_order_and_a_set_replaces_them() {
    let experiment = "name = 'x'\n[[phase]]\nname = 'cpu'\nrun = 'true; true'\nrepeat = 3\n\
                      left_behind = 'end'\n\
                      [[phase]]\nname = 'disk'\nrun = 'sync'";
    let phases = |sets: &[&str]| plan(experiment, sets).phases;
    let seen: Vec<_> = phases(&[])
        .into_iter()
        .map(|phase| (phase.name, phase.run, phase.repeat, phase.left_behind))
        .collect();
    let expected = [
        ("cpu", "true; true", 3, LeftBehind::End),
        ("disk", "sync", 1, LeftBehind::Wait),
    ];
    assert_eq!(
        seen,
        expected.map(|(n, r, t, l)| (n.to_owned(), r.to_owned(), t, l))
    );
    let other = phases(&["phase=[{name = 'one', run = 'ls'}]"]);
    assert_eq!((other.len(), other[0].name.as_str()), (1, "one"));
    assert!(phases(&["phase=[]"]).is_empty());
}

#[test]
fn parameters_are_words_to_the_host_and_the_last_text_wins() {
    let experiment = "name = 'x'\n[kvm]\nhalt_poll_ns = 0\n[kvm_intel]\nept = true\nple_gap = 0";
    let with = |sets: &[&str]| plan(experiment, sets);
    assert_eq!(
        with(&[]).host.cmdline,
        "kvm.halt_poll_ns=0 kvm_intel.ept=1 kvm_intel.ple_gap=0"
    );
    let sets = [
        "kvm_intel.ept=0",
        "host.cmdline=nokaslr",
        "kvm.nx_huge_pages=off",
    ];
    let plan = with(&sets);
    assert_eq!(
        plan.host.cmdline,
        "nokaslr kvm.halt_poll_ns=0 kvm.nx_huge_pages=off kvm_intel.ept=0 kvm_intel.ple_gap=0"
    );
    let words: Vec<String> = plan.kvm.iter().map(ToString::to_string).collect();
    assert_eq!(format!("nokaslr {}", words.join(" ")), plan.host.cmdline);
}

#[test]
fn plan_json() {
    let plan = load(None, &["guest.files=[]".to_owned()], Path::new("/"), &[]).expect("a plan");
    insta::assert_json_snapshot!(plan);
    let json = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("a plan"), plan);
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*", set in ".*") {
        let _ = resolve_text(text.clone(), &[]);
        let _ = resolve_text("name = 'x'".to_owned(), &[set]);
    }

    /// Keys that exist with values that mostly do not fit.
    #[test]
    fn no_value_panics(
        key in proptest::sample::select(document::KEYS),
        value in prop_oneof![
            "[-+@]?[0-9]{0,30}(\\.[0-9]{0,20})?[a-zA-Zé]{0,2}",
            "(debian:)?\\PC*",
            "\\[(\"[-+@a-z0-9]*\",?){0,4}\\]",
        ],
    ) {
        let _ = resolve_text("name = 'x'".to_owned(), &[format!("{key}={value}")]);
        let _ = resolve_text(format!("{key} = {value}"), &[]);
        let _ = resolve_text(format!("{key} = '{value}'"), &[]);
    }
}

fn resolve_text(text: String, sets: &[String]) -> Result<Matrix> {
    let root = PathBuf::from("/");
    Texts::new("x.toml", text, root.clone(), sets, &root).expand(&[])
}
