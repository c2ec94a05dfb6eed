//! Another witness of what is below the reasons and of times: `perf kvm stat`, which records on
//! the same machine, over the very same guest.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use exitlab_base::archive::{Tree, archive};

use crate::rig::machine::{self, RealMachine};
use crate::support::{Outcome, Place};

use crate::first::machines::unless_stopped;

/// How many processors the guest has: of each, the last exit is without an entry.
const VCPUS: u64 = 2;

/// What a mean of perf's and one of ours may differ by, microseconds: each of the two takes its
/// time while the other is at work, and perf prints hundredths.
const APART_US: f64 = 0.5;

/// The guest: Linux from its first instruction until it has switched itself off, so that no exit
/// comes that only one of the two sees.
fn experiment() -> String {
    let init = "quiet rdinit=/bin/busybox -- sh -c \\\"for i in 1 2 3 4 5 6 7 8; do \
                /bin/busybox true; done; /bin/busybox sleep 1; /bin/busybox poweroff -f\\\"";
    machine::experiment("witness", r#"["boot", "end"]"#)
        .replace("\"microvm\"", "\"q35\"")
        .replace(
            "[guest]\n",
            &format!("[guest]\nvcpus = {VCPUS}\nssh = false\ncmdline = \"{init}\"\n"),
        )
        .replace(
            "[sampling]\n",
            "[sampling]\nchannels = [\"trace\"]\ndetail = true\ntime = true\n",
        )
}

/// The experiment, and perf with the libraries that it needs, for the `/exp` of a machine.
pub(super) fn files() -> [(&'static str, Vec<u8>); 2] {
    let mut tree = Tree::default();
    tree.program(Path::new("/usr/bin/perf")).unwrap();
    [
        ("witness.toml", experiment().into_bytes()),
        ("perf.cpio", archive(&tree).unwrap()),
    ]
}

/// What perf calls the exit codes that such a guest has
/// (`tools/arch/x86/include/uapi/asm/svm.h`); the others are found by their names.
const CODES: [(&str, &str); 17] = [
    ("cpuid", "CPUID"),
    ("cr0_sel_write", "Selective CR0 write"),
    ("hlt", "HLT"),
    ("hypercall", "VMMCALL"),
    ("interrupt", "External interrupt"),
    ("io", "I/O instruction"),
    ("msr", "MSR access"),
    ("npf", "Nested page fault"),
    ("read_cr0", "CR0 read"),
    ("read_cr4", "CR4 read"),
    ("rsm", "RSM"),
    ("stgi", "STGI"),
    ("vintr", "Virtual interrupt window"),
    ("wbinvd", "WBINVD or WBNOINVD"),
    ("write_cr0", "CR0 write"),
    ("write_cr4", "CR4 write"),
    ("write_dr7", "DR7 write"),
];

/// The lines of a report of perf's: how many, and the mean in microseconds, as perf prints it.
fn report(data: &Path, event: &str) -> BTreeMap<String, (u64, f64)> {
    let output = Command::new("perf")
        .args(["kvm", "-i"])
        .arg(data)
        .args(["stat", "report", "--event", event])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // It prints to either.
    let outcome = Outcome::from(output);
    let told = outcome.stdout + &outcome.stderr;
    let lines = told.lines().filter_map(|line| line.split_once(" ( +-"));
    let found: BTreeMap<_, _> = lines
        .map(|(line, _)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, figures) = words.split_at(words.len() - 6);
            let mean = figures[5].trim_end_matches("us").parse().unwrap();
            (name.join(" "), (figures[0].parse().unwrap(), mean))
        })
        .collect();
    assert!(!found.is_empty(), "{event}: {told}");
    found
}

type Line = BTreeMap<String, String>;

/// The lines of a table of ours for the last sample, by the names of its columns.
fn lines(table: &str) -> Vec<Line> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let lines = reader
        .deserialize()
        .map(|line: csv::Result<Line>| line.unwrap());
    lines.filter(|line| line["sample"] == "2").collect()
}

/// As many exits of each reason as perf has pairs of exit and entry, but for the last one of each
/// vCPU; and as long in the mean.
fn assert_reasons(perf: &BTreeMap<String, (u64, f64)>, times: &str) {
    let ours = lines(times);
    let ours: BTreeMap<&str, &Line> = ours
        .iter()
        .filter(|line| !line["reason"].is_empty())
        .map(|line| (line["name"].as_str(), line))
        .collect();
    let name = |called: &str| {
        let known = CODES.iter().find(|(short, _)| *short == called);
        known.map_or(called.to_owned(), |(_, name)| (*name).to_owned())
    };
    let perf: BTreeMap<String, _> = perf
        .iter()
        .map(|(called, seen)| (name(called), *seen))
        .collect();
    let without_entry = |line: &Line| {
        let of = |column: &str| line[column].parse::<u64>().unwrap();
        of("exits") - of("count")
    };
    let alone: u64 = ours.values().map(|line| without_entry(line)).sum();
    assert!(alone <= VCPUS, "{times}");
    let mut compared = 0;
    for (name, line) in &ours {
        let count: u64 = line["count"].parse().unwrap();
        let Some((pairs, mean_us)) = perf.get(*name) else {
            // Exits that others than this kind of guest have are called otherwise by perf.
            assert!(!CODES.iter().any(|(_, known)| known == name), "{name}");
            continue;
        };
        assert_eq!(*pairs, count, "{name} of {perf:#?}\n{times}");
        let mean: f64 = line["mean_ns"].parse().unwrap();
        let apart = mean / 1000.0 - mean_us;
        assert!(apart.abs() < APART_US, "{name}: {apart} µs\n{times}");
        compared += count;
    }
    let all: u64 = perf.values().map(|(pairs, _)| pairs).sum();
    // What perf has more names for than this test are registers, a handful.
    assert!(compared * 1000 >= all * 999, "{compared} of {all}");
}

/// The counts of a kind of details, spelled as perf does: `0x3f8:POUT`.
fn details(table: &str, kind: &str, [read, write]: [&str; 2]) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for line in lines(table).iter().filter(|line| line["kind"] == kind) {
        let way = if line["direction"].starts_with("write") {
            write
        } else {
            read
        };
        let count = line["count"].parse::<u64>();
        *found.entry(format!("{}:{way}", line["key"])).or_default() += count.unwrap();
    }
    found
}

/// What perf records of the guest is what exitlab counts of it.
pub(super) fn perf_tells_the_same(place: &Place, machine: &RealMachine) {
    machine.told("cd / && cpio -idu < /exp/perf.cpio 2>/dev/null && perf --version");
    let run = |_: &Path| -> Outcome {
        let record = "rm -rf /tmp/w /tmp/perf.data; cd /exp && perf kvm stat record -a \
                      -o /tmp/perf.data exitlab run witness.toml --platform local --out /tmp/w";
        machine.ssh(record).into()
    };
    let outcome = unless_stopped(&place.path("witness"), run);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("LOST"), "{}", outcome.stderr);
    let data = place.path("perf.data");
    std::fs::write(&data, machine.ssh("cat /tmp/perf.data").stdout).unwrap();

    let times = machine.told("cat /tmp/w/times.csv");
    assert_reasons(&report(&data, "vmexit"), &times);
    let table = machine.told("cat /tmp/w/details.csv");
    // QEMU itself says what is where, and where nothing is.
    for told in [
        ",read,ahci,",
        ",write,PCI configuration address,",
        "COM2, no device\"",
    ] {
        assert!(table.contains(told), "no {told} in {table}");
    }
    for (event, kind, ways) in [
        ("mmio", "mmio", ["R", "W"]),
        ("msr", "msr", ["R", "W"]),
        ("ioport", "port", ["PIN", "POUT"]),
    ] {
        let perf = report(&data, event).into_iter();
        let mut perf: BTreeMap<String, u64> = perf.map(|(key, (count, _))| (key, count)).collect();
        let ours = details(&table, kind, ways);
        if kind == "port" {
            // The one that switched the guest off has no entry, so perf has no pair; and of a
            // string that the firmware reads, KVM had a byte before the processor asked for it.
            *perf.entry("0x604:POUT".to_owned()).or_default() += 1;
            let string = |of: &BTreeMap<String, u64>| of.get("0x511:PIN").copied();
            let ahead = string(&ours).unwrap() - string(&perf).unwrap();
            assert!(ahead <= 1, "{ahead}");
            *perf.get_mut("0x511:PIN").unwrap() += ahead;
        }
        assert_eq!(perf, ours, "{event}");
    }
}
