//! The whole program, as far as no host is needed: bad input is named, answered with the
//! documented exit code, and leaves nothing behind.

#![allow(clippy::unwrap_used, missing_docs)]

mod kept;
mod only_text;
mod outside;
mod support;
mod watched;

use support::{Outcome, Place, exitlab, run};

/// Runs an experiment that must be refused; checks the code and every fragment.
fn refused(place: &Place, config: &str, sets: &[&str], code: i32, fragments: &[&str]) {
    let config = place.write("experiment.toml", config);
    let out = place.path("out");
    let mut args = vec![
        "run",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    for set in sets {
        args.extend(["--set", set]);
    }
    let outcome = run(&args);
    outcome.assert_failed(code, fragments);
    assert!(!out.exists(), "nothing is left behind");
    place.assert_deserted();
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let config = "name = \"x\"\n[guest]\nmachin = \"q35\"\n";
    let fragments = ["experiment.toml:3", "machin", "machine", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
}

#[test]
fn a_wrong_type_is_named_with_key_and_value() {
    let config = "name = \"x\"\n[guest]\nvcpus = \"two\"\n";
    let fragments = ["experiment.toml:3", "guest.vcpus", "two", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
}

#[test]
fn an_override_is_checked_like_the_file() {
    let fragments = ["--set", "guest.machine", "toaster", "q35", "cure:"];
    refused(
        &Place::new(),
        "name = \"x\"\n",
        &["guest.machine=toaster"],
        2,
        &fragments,
    );
}

#[test]
fn a_schedule_that_runs_backwards_is_refused() {
    let config = "name = \"x\"\n[sampling]\nschedule = [\"boot\", \"@10s\", \"@4s\"]\n";
    let fragments = ["experiment.toml:3", "sampling.schedule", "@4s", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
}

#[test]
fn a_missing_source_tree_is_named() {
    let config = "name = \"x\"\n[kernel]\nsource = \"no/such/linux\"\n";
    let fragments = ["kernel.source", "no/such/linux", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
}

#[test]
fn a_key_that_builds_is_refused_beside_a_ready_image() {
    let place = Place::new();
    place.write("bzImage", "");
    let config = "name = \"x\"\n[kernel]\nsource = \"image:bzImage\"\ncensus = false\n";
    let fragments = [
        "experiment.toml:4",
        "kernel.census",
        "is a ready image",
        "--set",
        "kernel.fragments",
        "cure:",
    ];
    let fragment = place.write("my.config", "CONFIG_BPF_SYSCALL=y\n");
    let set = format!("kernel.fragments=[\"{}\"]", fragment.display());
    refused(&place, config, &[&set], 2, &fragments);
}

#[test]
fn a_missing_image_and_a_missing_patch_are_named() {
    let config = "name = \"x\"\n[kernel]\nsource = \"image:no/such/bzImage\"\n";
    let fragments = ["experiment.toml:3", "no/such/bzImage", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
    let config = "name = \"x\"\n[kernel]\npatches = [\"no/such.patch\"]\n";
    let fragments = ["experiment.toml:3", "no/such.patch", "cure:"];
    refused(&Place::new(), config, &[], 2, &fragments);
}

#[test]
fn what_is_no_image_is_refused_before_anything_is_built() {
    let place = Place::new();
    place.write("bzImage", "not a kernel");
    let config = "name = \"x\"\n[kernel]\nsource = \"image:bzImage\"\n";
    let fragments = ["kernel.source", "is no bzImage", "cure:"];
    refused(&place, config, &[], 2, &fragments);
}

/// The start of a kernel tree, with the one target that is asked for before the hooks.
const MAKEFILE: &str = "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION =\nmrproper:\n";

#[test]
fn hooks_that_find_no_place_are_named_with_file_and_what_was_looked_for() {
    let place = Place::new();
    // Its KVM has nothing that the hooks look for.
    place.write("linux/Makefile", MAKEFILE);
    place.write("linux/Kconfig", "");
    for file in [
        "arch/x86/include/asm/kvm_host.h",
        "arch/x86/kvm/Makefile",
        "arch/x86/kvm/cpuid.c",
        "arch/x86/kvm/x86.c",
        "arch/x86/kvm/vmx/main.c",
        "arch/x86/kvm/vmx/vmx.c",
    ] {
        place.write(&format!("linux/{file}"), "/* rewritten from scratch */\n");
    }
    let cache = place.path("cache");
    let config = place.write(
        "experiment.toml",
        "name = \"x\"\n[kernel]\nsource = \"linux\"\n",
    );
    let out = place.path("out");
    let outcome = run(&[
        "run",
        config.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--cache",
        cache.to_str().unwrap(),
    ]);
    outcome.assert_failed(
        4,
        &[
            "VM exit on VMX",
            "arch/x86/kvm/vmx/vmx.c",
            "no `vmx_vcpu_run($arguments) {`",
            "cure:",
        ],
    );
    assert!(!out.exists());
    place.assert_deserted();
}

#[test]
fn a_patch_that_does_not_apply_is_named_by_file_and_hunk() {
    let place = Place::new();
    place.write("linux/Makefile", MAKEFILE);
    place.write("linux/Kconfig", "");
    for file in ["Makefile", "x86.c"] {
        place.write(&format!("linux/arch/x86/kvm/{file}"), "/* another */\n");
    }
    let path = "arch/x86/kvm/x86.c";
    let patch = format!("--- a/{path}\n+++ b/{path}\n@@ -7 +7 @@\n-int a;\n+int b;\n");
    place.write("mine.patch", &patch);
    let kernel = "source = \"linux\"\ncensus = false\npatches = [\"mine.patch\"]";
    let config = format!("name = \"x\"\n[kernel]\n{kernel}\n");
    let config = place.write("experiment.toml", &config);
    let (out, cache) = (place.path("out"), place.path("cache"));
    let outcome = exitlab()
        .args(["run", config.to_str().unwrap(), "--progress", "plain"])
        .arg("--out")
        .arg(&out)
        .arg("--cache")
        .arg(&cache)
        .output()
        .unwrap();
    Outcome::from(outcome).assert_failed(
        4,
        &["mine.patch", "arch/x86/kvm/x86.c: hunk 1 (line 7)", "cure:"],
    );
    assert!(!out.exists());
    place.assert_deserted();
}

#[test]
fn an_existing_output_directory_is_refused_and_left_alone() {
    let place = Place::new();
    let precious = place.write("out/precious", "data");
    let outcome = run(&["run", "--out", precious.parent().unwrap().to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("exists already"),
        "{}",
        outcome.stderr
    );
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "data");
}

#[test]
fn reasons_are_listed_and_can_be_cut_to_an_older_manual() {
    let all = run(&["reasons", "--format", "csv"]).stdout;
    assert!(all.contains("10,CPUID,"), "{all}");
    assert!(all.contains("48,EPT violation,"), "{all}");
    let cut = run(&["reasons", "--format", "csv", "--sdm", "2021"]).stdout;
    assert_eq!(cut.lines().count(), 1 + 66);
}

#[test]
fn doctor_finds_everything_where_tests_run() {
    let outcome = run(&["doctor"]);
    assert_eq!(
        outcome.code,
        Some(0),
        "{}\n{}",
        outcome.stdout,
        outcome.stderr
    );
    assert!(
        outcome.stdout.contains("Nothing is missing"),
        "{}",
        outcome.stdout
    );
}

/// A doctor's opinion of `nested` on a machine whose `/proc/cpuinfo` and `/dev` are
/// made by `script`, in a mount namespace of our own. `$1` is a directory for files.
fn doctor_of_nested(script: &str) -> Outcome {
    let place = Place::new();
    let exitlab = env!("CARGO_BIN_EXE_exitlab");
    let script = format!("set -e; cd \"$1\"; {script}; shift; exec \"$@\"");
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(place.path(""))
        .args([exitlab, "doctor", "--platform", "nested"])
        .output()
        .unwrap();
    output.into()
}

const HIDE_DEVICES: &str = "mount -t tmpfs tmpfs /dev";

/// A processor with SVM, whatever this one has.
const SVM: &str = "echo 'flags : fpu svm' > cpuinfo; mount --bind cpuinfo /proc/cpuinfo";

#[test]
fn what_nested_lacks_is_named_on_a_machine_without_it() {
    let cases = [
        (
            "echo 'flags : fpu' > cpuinfo; mount --bind cpuinfo /proc/cpuinfo".to_owned(),
            "vmx or svm in /proc/cpuinfo: runs",
        ),
        (format!("{SVM}; {HIDE_DEVICES}"), "/dev/kvm: runs"),
        (
            format!(
                "{SVM}; mount -t tmpfs tmpfs /sys/module; mkdir -p /sys/module/kvm_amd/parameters; \
                 echo 0 > /sys/module/kvm_amd/parameters/nested"
            ),
            "kvm_amd nested=1 (is 0): runs",
        ),
        (
            format!("{SVM}; mount -t tmpfs tmpfs /sys/module"),
            "module kvm_amd: runs",
        ),
    ];
    for (script, said) in cases {
        let outcome = doctor_of_nested(&script);
        assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("cure:"), "{}", outcome.stderr);
    }
}

#[test]
fn auto_says_what_it_chose_and_why() {
    let outcome = run(&["doctor", "--platform", "auto"]);
    assert!(
        outcome.stdout.contains("auto is bochs-vmx: "),
        "{}",
        outcome.stdout
    );
}

#[test]
fn usage_errors_have_the_documented_code() {
    assert_eq!(run(&["run", "--no-such-option"]).code, Some(2));
    assert_eq!(run(&["frobnicate"]).code, Some(2));
}

/// A repository that passes for Linux, of two commits that differ in their words only.
fn repository(place: &Place) -> String {
    for name in ["Makefile", "Kconfig", "arch/x86/kvm/x86.c"] {
        place.write(&format!("linux/{name}"), "");
    }
    let dir = place.path("linux");
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(&dir);
        command.args(["-c", "user.name=A", "-c", "user.email=a@example.org"]);
        assert!(command.args(words).status().unwrap().success(), "{words:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    // It would go on beside the test, which then leaves a process behind.
    git(&["config", "maintenance.auto", "false"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    git(&["rm", "-q", "-r", "arch"]);
    git(&["commit", "-q", "-m", "no kernel any more"]);
    dir.display().to_string()
}

#[test]
fn what_cannot_be_bisected_is_refused_before_anything_is_built() {
    let place = Place::new();
    let repo = repository(&place);
    let rule = "[[rule]]\nphase = \"boot\"\nexact = true\n";
    let rules = place.write("gate.toml", rule).display().to_string();
    let out = place.path("out").display().to_string();
    let nowhere = place.path("").display().to_string();
    let missing = place.path("none.toml").display().to_string();
    let cases: [(&str, [&str; 4], &[&str]); 6] = [
        ("bisect", [&repo, "main", "HEAD", &rules], &["same commit"]),
        (
            "bisect",
            [&repo, "main~1", "v9", &rules],
            &["no revision `v9`"],
        ),
        (
            "bisect",
            [&nowhere, "a", "b", &rules],
            &["no Git repository"],
        ),
        (
            "bisect",
            [&repo, "main~1", "main", &missing],
            &["none.toml"],
        ),
        (
            "bisect",
            [&repo, "main~1", "main", &rules],
            &["kernel.source", "is not a revision of a kernel"],
        ),
        ("ab", [&repo, "main", "HEAD", &rules], &["the same kernel"]),
    ];
    for (command, [repo, old, new, rules], fragments) in cases {
        let names = match command {
            "ab" => ["--base", "--head"],
            _ => ["--good", "--bad"],
        };
        let words = [command, "--repo", repo, names[0], old, names[1], new];
        let more = ["--rules", rules, "--out", &out, "--platform", "tcg-svm"];
        let outcome = run(&[&words[..], &more].concat());
        outcome.assert_failed(2, &[fragments, &["cure:"]].concat());
        assert!(!place.path("out").exists(), "nothing is left behind");
    }
}

#[test]
fn a_revision_is_named_with_what_is_wrong_with_it() {
    let place = Place::new();
    let repo = repository(&place);
    let source = |text: &str| format!("kernel.source=git:{text}");
    let config = "name = \"x\"\n";
    for (set, fragment) in [
        (source(&repo), "names no revision"),
        (
            source(&format!("{repo}#no-such")),
            "has no revision `no-such`",
        ),
        (source("no/such/linux#main"), "is no Git repository"),
        (
            source(&format!("{repo}#main")),
            "is not a revision of a kernel",
        ),
    ] {
        let fragments = ["kernel.source", fragment, "cure:"];
        refused(&place, config, &[&set], 2, &fragments);
    }
}

#[test]
fn a_gate_does_not_hold_a_baseline_against_itself() {
    let place = Place::new();
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let baseline = format!("{repository}/results/baseline/baseline.toml");
    let rules = format!("{repository}/results/baseline/gate.toml");
    let outcome = run(&["gate", &baseline, "--rules", &rules]);
    outcome.assert_failed(2, &["baseline.toml is on both sides", "cure:"]);
    place.assert_deserted();
}
