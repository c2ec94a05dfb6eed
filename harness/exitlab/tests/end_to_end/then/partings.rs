//! `exitlab diverge` on the changes that `first::planted` finds by their counts: the exit at which
//! each one parts from the run without it, and the code of the guest that is behind it.

use std::path::Path;

use serde_json::Value;

use crate::first::planted::archive;
use crate::rig::{built, planted_kernel};
use crate::support::{Outcome, Place, exitlab};

/// Only a boot: each of the changes shows in it. The guest's kernel has everything planted, and
/// its command line switches it on; words that mean nothing keep it as long.
const EXPERIMENT: &str = r#"
name = "partings"
[guest]
machine = "microvm"
initrd = "init.cpio"
[kvm_amd]
npt = true
[sampling]
schedule = ["boot"]
channels = ["trace"]
log = true
"#;

const CMDLINE: &str = "guest.cmdline=quiet planted_ticks=1";

/// The instruction of `tests/planted/init.S` that is a CPUID or a NOP, of a program linked by ld
/// at its usual address. Of the programs that run when the guest is asked, another one has it.
const ONE_MORE: &str = "0x401004 (busybox+0x1004 (sh) or low memory)";

fn measure(place: &Place, kernel: &Path, out: &str, sets: &[&str]) {
    let kernel = format!("guest.kernel={}", kernel.display());
    let mut command = exitlab();
    command.args(["run", "--progress", "plain", "--platform", "tcg-svm"]);
    for set in [&[kernel.as_str(), CMDLINE], sets].concat() {
        command.args(["--set", set]);
    }
    let files = [place.path(out), place.path("partings.toml")];
    let outcome = Outcome::from(command.arg("--out").args(files).output().unwrap());
    assert_eq!(outcome.code, Some(0), "{sets:?}: {}", outcome.stderr);
}

/// What `exitlab diverge` says of the base and a change: where the only vCPU parts first, and the
/// causes, the one that moved the most before the others.
struct Found {
    parting: Value,
    causes: Vec<Value>,
}

#[expect(clippy::print_stdout, reason = "a test that fails shows every parting")]
fn diverge(place: &Place, change: &str) -> Found {
    let told = |format: &str| {
        let mut command = exitlab();
        command.args(["diverge", "--partings", "1", "--format", format]);
        command.args([place.path("base"), place.path(change)]);
        let outcome = Outcome::from(command.output().unwrap());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout
    };
    println!("{change}\n{}", told("table"));
    let json: Value = serde_json::from_str(&told("json")).unwrap();
    Found {
        parting: json["vcpus"][0]["partings"][0].clone(),
        causes: json["causes"].as_array().unwrap().clone(),
    }
}

impl Found {
    /// The first exit that one side has there: reason, detail and place.
    fn exit(&self, side: &str) -> [&str; 3] {
        let exit = &self.parting[side][0];
        ["reason", "detail", "place"].map(|key| exit[key].as_str().unwrap())
    }

    /// The causes by what they moved, the most before the others: detail, place, and how much.
    fn moved(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.causes.iter().map(|cause| {
            let word = |key: &str| cause[key].as_str().unwrap();
            let count = |key: &str| cause[key].as_i64().unwrap();
            (word("detail"), word("place"), count("head") - count("base"))
        })
    }

    /// The cause that moved the most.
    fn most(&self) -> (&str, &str, i64) {
        self.moved().next().unwrap()
    }
}

#[test]
fn planted_changes_part_where_they_are_on_tcg_svm() {
    let place = Place::new();
    place.write("partings.toml", EXPERIMENT);
    let [patches, fragments] = planted_kernel();
    let kernel = built(&["kernel", "--set", &patches, "--set", &fragments]);
    // Files of one name, for what an experiment calls them is a part of it.
    let guest = |more: &[&str]| {
        archive(&place, "init", more);
        std::fs::remove_dir_all(place.path("init")).unwrap();
    };
    guest(&[]);
    measure(&place, &kernel, "base", &[]);
    for (change, set) in [
        ("tick", "guest.cmdline=quiet planted_ticks=4"),
        ("verbose", "guest.cmdline=loud_ planted_ticks=1"),
        ("paging", "kvm_amd.npt=0"),
        ("polling", "kvm.halt_poll_ns=0"),
    ] {
        measure(&place, &kernel, change, &[set]);
    }
    guest(&["--defsym", "ONE_MORE=1"]);
    measure(&place, &kernel, "cpuid", &[]);

    let cpuid = diverge(&place, "cpuid");
    let [reason, detail, at] = cpuid.exit("head");
    assert_eq!((reason, at), ("0x072 CPUID", ONE_MORE), "{detail}");
    assert_eq!(cpuid.parting["only_head"], 1);

    of_a_console(&diverge(&place, "verbose"));

    // Its very first instruction is a page fault, of one kind or of the other.
    let paging = diverge(&place, "paging");
    let first = |side: &str| paging.exit(side)[0].to_owned();
    assert_eq!(paging.parting["common"], 0);
    assert_eq!(first("base"), "0x400 Nested page fault");
    assert_eq!(first("head"), "0x04e Exception #PF page fault");
    assert_eq!(paging.exit("head")[2], "0xfff0 (firmware or real mode)");

    // The timer is set more often, by the function that sets it. Only the ends of the interrupts
    // that it makes are as many.
    let tick = diverge(&place, "tick");
    let set = "write MSR 0x6e0 (IA32_TSC_DEADLINE)";
    let of_timer = |(detail, at, more): (&str, &str, i64)| {
        detail == set && at.starts_with("lapic_next_deadline+") && more > 20
    };
    assert!(tick.moved().take(2).any(of_timer), "{:?}", tick.causes);

    // A change of the host: no code of the guest's causes more or fewer exits to speak of.
    let polling = diverge(&place, "polling");
    assert!(polling.most().2.abs() < 20, "{:?}", polling.causes);
    place.assert_deserted();
}

/// Of a kernel that says on its console what it does.
fn of_a_console(verbose: &Found) {
    let [reason, _, at] = verbose.exit("head");
    assert_eq!(reason, "0x07b I/O instruction");
    assert!(at.starts_with("io_serial_in+"), "{at}");
    let (detail, at, more) = verbose.most();
    assert_eq!(detail, "write port 0x3f8 (COM1)");
    assert!(
        at.starts_with("io_serial_out+") && more > 1000,
        "{at} {more}"
    );
}
