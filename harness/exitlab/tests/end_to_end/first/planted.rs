//! Changes that are planted one by one, on both platforms that repeat where processors show them
//! differently, and on one where they do not: `exitlab compare` must find each by name of reason
//! and phase, and find nothing where nothing was changed that is used.
//!
//! They use the cache of the user who runs them, where `scripts/test` has put the kernels.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{REPOSITORY, built, own_file, planted_kernel};
use crate::support::{Outcome, Place, exitlab};
use serde_json::{Value, json};

/// A short life: a boot, a second of nothing, a fifth of a second of work, and another one of
/// which most is slept through. The programs are of `tests/planted`.
const EXPERIMENT: &str = r#"
name = "planted"
[guest]
machine = "microvm"
initrd = "plain.cpio"
[kvm_intel]
ept = true
[kvm_amd]
npt = true
[sampling]
schedule = ["boot", "+1s"]
[[phase]]
name = "busy"
run = "/bin/spend"
[[phase]]
name = "naps"
run = "/bin/spend napping"
"#;

/// What must be found of a change: in which phase, of which reason, and how much more.
struct Found(&'static str, &'static str, Amount);

enum Amount {
    Exactly(f64),
    AtLeast(f64),
    /// So many fewer, or fewer still.
    LessBy(f64),
}

use Amount::{AtLeast, Exactly, LessBy};

/// A platform, and what its processor calls what must be found.
struct Platform {
    name: &'static str,
    /// The parameter that turns nested paging off.
    nested_paging: &'static str,
    /// The changes that are tried there.
    changes: &'static [&'static str],
    found: fn(&str) -> Vec<Found>,
}

const BOCHS_VMX: Platform = Platform {
    name: "bochs-vmx",
    nested_paging: "kvm_intel.ept",
    changes: &["paging", "tick", "polling", "unused"],
    found: found_on_vmx,
};

const TCG_SVM: Platform = Platform {
    name: "tcg-svm",
    nested_paging: "kvm_amd.npt",
    // QEMU puts its processor to sleep and wakes it at next to no cost, so that without polling
    // hardly more naps fit: which of their exits move, and how, hangs on the moment.
    changes: &["paging", "tick", "verbose", "cpuid", "unused"],
    found: found_on_svm,
};

fn found_on_vmx(change: &str) -> Vec<Found> {
    match change {
        "tick" => vec![
            Found("busy", "VMX-preemption timer expired", AtLeast(100.0)),
            Found("busy", "WRMSR", AtLeast(100.0)),
        ],
        "paging" => vec![
            Found("boot", "EPT violation", LessBy(100.0)),
            Found(
                "boot",
                "Exception or non-maskable interrupt (NMI)",
                AtLeast(1000.0),
            ),
            Found("boot", "Control-register accesses", AtLeast(1000.0)),
            Found("boot", "INVLPG", AtLeast(10.0)),
        ],
        "polling" => vec![Found("naps", "HLT", LessBy(10.0))],
        change => panic!("{change}"),
    }
}

fn found_on_svm(change: &str) -> Vec<Found> {
    match change {
        "tick" => vec![
            Found("busy", "External interrupt", AtLeast(100.0)),
            Found("busy", "MSR access", AtLeast(100.0)),
        ],
        "paging" => vec![
            Found("boot", "Nested page fault", LessBy(100.0)),
            Found("boot", "Exception #PF page fault", AtLeast(1000.0)),
            Found("boot", "CR3 write", AtLeast(1000.0)),
            Found("boot", "INVLPG", AtLeast(10.0)),
        ],
        "cpuid" => vec![Found("boot", "CPUID", Exactly(1.0))],
        change => panic!("{change}"),
    }
}

#[test]
fn planted_changes_are_found_on_bochs_vmx() {
    planted_changes_are_found(&BOCHS_VMX);
}

#[test]
fn planted_changes_are_found_on_tcg_svm() {
    planted_changes_are_found(&TCG_SVM);
}

#[expect(
    clippy::print_stdout,
    reason = "a test that fails shows every comparison"
)]
fn planted_changes_are_found(platform: &Platform) {
    let place = Place::new();
    place.write("planted.toml", EXPERIMENT);
    archive(&place, "plain", &[]);
    archive(&place, "one-more", &["--defsym", "ONE_MORE=1"]);
    let base = measure(&place, platform, "base", &[]);

    let mut changes = changes(&place, platform);
    changes.retain(|(name, _)| platform.changes.contains(name));
    assert_eq!(changes.len(), platform.changes.len());
    for (name, sets) in &changes {
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        measure(&place, platform, name, &sets);
    }
    let compared = changes.iter().map(|(name, sets)| {
        let comparison = Comparison::of(&base, &place.path(name));
        println!("{}, {sets:?}\n{comparison}", platform.name);
        (*name, comparison)
    });
    let compared: Vec<_> = compared.collect();
    for (name, comparison) in compared {
        match name {
            "unused" => {
                comparison.assert_no_difference();
                all_is_the_same(&base, &place.path(name));
            }
            "verbose" => {
                let more = printed(&place.path(name)) - printed(&base);
                assert!(more > 1000.0, "characters");
                comparison.assert_found(&[Found("boot", "I/O instruction", AtLeast(more))]);
            }
            name => comparison.assert_found(&(platform.found)(name)),
        }
    }
    parameters_are_as_asked(platform, &base, "1", "Y");
    parameters_are_as_asked(platform, &place.path("paging"), "0", "N");
    // Without EPT there is no unrestricted guest mode, and KVM emulates real mode.
    let emulated = table(&place.path("paging")).contains("KVM emulated the guest");
    assert_eq!(emulated, platform.name == BOCHS_VMX.name);
    assert!(!table(&base).contains("KVM emulated the guest"));
    place.assert_deserted();
}

/// The parameter of nested paging is the one that was asked for, and the table says so.
fn parameters_are_as_asked(platform: &Platform, dir: &Path, asked: &str, shown: &str) {
    let text = std::fs::read_to_string(dir.join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&text).unwrap();
    let name = platform.nested_paging;
    let expected = json!({"parameter": name, "asked": asked, "found": shown});
    let found = record["kvm_parameters"].as_array().unwrap();
    assert!(found.contains(&expected), "{found:?}");
    let table = table(dir);
    let said = format!("{name}={asked} (host shows {shown})");
    assert!(table.contains(&said), "{table}");
    assert!(!table.contains(['✗', '△']), "a check failed:\n{table}");
}

fn table(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("table.md")).unwrap()
}

/// How many characters a guest printed: each goes to its port by an exit of its own.
fn printed(dir: &Path) -> f64 {
    let console = std::fs::metadata(dir.join("guest-console.log")).unwrap();
    console.len() as f64
}

/// Each change by name, and as it is told to `exitlab run`.
fn changes(place: &Place, platform: &Platform) -> Vec<(&'static str, Vec<String>)> {
    let [patches, fragments] = planted_kernel();
    let faster = built(&["kernel", "--set", &patches, "--set", &fragments]);
    let one_more = place.path("one-more.cpio");
    let unused = own_file("planted/unused-driver.patch");
    vec![
        ("paging", vec![format!("{}=0", platform.nested_paging)]),
        (
            "tick",
            vec![
                format!("guest.kernel={}", faster.display()),
                "guest.cmdline=quiet planted_ticks=4".to_owned(),
            ],
        ),
        ("verbose", vec!["guest.cmdline=pci=lastbus=0".to_owned()]),
        ("polling", vec!["kvm.halt_poll_ns=0".to_owned()]),
        (
            "cpuid",
            vec![format!("guest.initrd={}", one_more.display())],
        ),
        ("unused", vec![format!("kernel.patches=[{unused:?}]")]),
    ]
}

/// Runs the experiment with some keys set.
fn measure(place: &Place, platform: &Platform, name: &str, sets: &[&str]) -> PathBuf {
    let (file, out) = (place.path("planted.toml"), place.path(name));
    let mut command = exitlab();
    command.args(["run", "--progress", "plain", "--platform", platform.name]);
    for set in sets {
        command.args(["--set", set]);
    }
    let outcome = command.arg("--out").args([&out, &file]).output();
    let outcome = Outcome::from(outcome.unwrap());
    assert_eq!(outcome.code, Some(0), "{sets:?}: {}", outcome.stderr);
    out
}

/// `NAME.cpio`: the tiny guest's initramfs with a first program that executes one instruction
/// before init, and a program that spends time.
pub(crate) fn archive(place: &Place, name: &str, init: &[&str]) {
    let tree = place.path(name);
    std::fs::create_dir_all(tree.join("bin")).unwrap();
    assemble(place, "init", init, &tree.join("init"));
    assemble(place, "spend", &[], &tree.join("bin/spend"));
    let guest_image = Path::new(REPOSITORY).join("guest-image");
    std::fs::copy(guest_image.join("init"), tree.join("init.proper")).unwrap();
    let pack = "chmod 755 init init.proper bin/spend && \
                touch -d @0 init init.proper bin/spend && \
                printf '%s\\n' init init.proper bin/spend | cpio -o -H newc --reproducible --quiet";
    let packed = Command::new("sh")
        .args(["-c", pack])
        .current_dir(&tree)
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    // Linux unpacks one archive after the other, and the later file counts.
    let mut archive = std::fs::read(built(&["guest-image"])).unwrap();
    archive.extend(packed.stdout);
    std::fs::write(place.path(&format!("{name}.cpio")), archive).unwrap();
}

/// Assembles a program without symbols: what differs is what is said.
fn assemble(place: &Place, name: &str, more: &[&str], program: &Path) {
    let source = own_file(&format!("planted/{name}.S"));
    let object = place.path("planted.o");
    let run = |command: &mut Command| assert!(command.status().unwrap().success());
    run(Command::new("as")
        .arg("--64")
        .args(more)
        .arg("-o")
        .args([&object, &source]));
    run(Command::new("ld")
        .args(["-s", "-o"])
        .args([program, &object]));
}

/// Two runs of one kernel are the same, byte for byte.
fn all_is_the_same(base: &Path, again: &Path) {
    for name in ["samples.csv", "counts.csv", "events.jsonl"] {
        let read = |dir: &Path| std::fs::read_to_string(dir.join(name)).unwrap();
        assert!(read(base) == read(again), "{name} differs");
    }
}

/// What `exitlab compare` says of two sides.
struct Comparison {
    cell: Value,
    table: String,
}

impl Comparison {
    fn of(base: &Path, head: &Path) -> Comparison {
        let compare = |format: &str| {
            let mut command = exitlab();
            command
                .arg("compare")
                .args([base, head])
                .args(["--format", format]);
            let outcome = Outcome::from(command.output().unwrap());
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            outcome.stdout
        };
        let json: Value = serde_json::from_str(&compare("json")).unwrap();
        Comparison {
            cell: json["cells"][0].clone(),
            table: compare("table"),
        }
    }

    /// How much more exits the head has, of each reason of each phase that differs.
    fn changes(&self) -> Vec<(&str, &str, f64)> {
        let findings = self.cell["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["verdict"] == "differs")
            .map(|finding| {
                let word = |key: &str| finding[key].as_str().unwrap();
                (
                    word("phase"),
                    word("name"),
                    finding["change"].as_f64().unwrap(),
                )
            })
            .collect()
    }

    fn assert_found(&self, expected: &[Found]) {
        let changes = self.changes();
        for Found(phase, reason, amount) in expected {
            let change = changes.iter().find(|(p, r, _)| p == phase && r == reason);
            let change = change.map_or(0.0, |(_, _, change)| *change);
            let right = match *amount {
                Exactly(amount) => change == amount,
                AtLeast(least) => change >= least,
                LessBy(least) => change <= -least,
            };
            assert!(right, "{reason} in {phase}: {change}\n{self}");
        }
    }

    /// Nothing differs but where the kernel came from: it is the same, byte for byte.
    fn assert_no_difference(&self) {
        assert_eq!(self.changes(), []);
        assert!(self.table.contains("Verdict: no difference in "), "{self}");
        let provenance = self.cell["provenance"].as_array().unwrap().iter();
        let names: Vec<&str> = provenance.map(|p| p["name"].as_str().unwrap()).collect();
        let expected = [
            "kernel input patch unused-driver.patch",
            "kernel key",
            "plan kernel.patches",
        ];
        assert_eq!(names, expected, "{self}");
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.table)
    }
}
