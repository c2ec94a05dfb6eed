//! The log of single exits, on the host that `then::details` boots: its guest does known things,
//! in a known order.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::details::place_of;
use super::guests::experiment;
use crate::support::{Place, exitlab};

/// `data16 nop`, which the guest has once, and CPUID, which is as long.
const NOTHING: [u8; 2] = [0x66, 0x90];
const CPUID: [u8; 2] = [0x0f, 0xa2];

fn json(arguments: &[&Path], words: &[&str]) -> Value {
    let mut command = exitlab();
    let (name, words) = words.split_first().unwrap();
    command.arg(name).args(arguments).args(words);
    let output = command.args(["--format", "json"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn record(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// As many exits for each reason as the tracepoint counted up to the last sample.
fn assert_all(log: &[Value], record: &Value) {
    let mut logged: BTreeMap<u64, u64> = BTreeMap::new();
    for exit in log {
        *logged.entry(exit["reason"].as_u64().unwrap()).or_default() += 1;
    }
    let counts = record["samples"][2]["trace"]["counts"].as_array().unwrap();
    let reasons = record["reasons"].as_array().unwrap();
    let counted: BTreeMap<u64, u64> = reasons
        .iter()
        .zip(counts)
        .map(|(reason, count)| (reason["reason"].as_u64().unwrap(), count.as_u64().unwrap()))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(logged, counted);
}

/// What the guest did after READY: each thing as often as its program says, in its order, and
/// each byte that it wrote.
fn assert_order(log: &[Value], written: usize) {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    let mut bytes = String::new();
    for exit in log.iter().filter(|exit| exit["phase"] == "end") {
        let detail = exit["detail"].as_str().unwrap();
        // The host's own work, and the last instruction, which may be on its way.
        if detail.is_empty() || detail.contains("not mapped") {
            continue;
        }
        if detail == "write port 0x80 (POST code, delay)" {
            assert_eq!(exit["rip"], format!("{written:#x}"));
        }
        if detail == "write port 0x3f8 (COM1)" {
            bytes.push(char::from(exit["value"].as_u64().unwrap() as u8));
        }
        match runs.last_mut() {
            Some((last, count)) if *last == detail => *count += 1,
            _ => runs.push((detail, 1)),
        }
    }
    assert_eq!(bytes, "details: DONE\n");
    let of_ports: Vec<_> = runs
        .iter()
        .filter(|(what, _)| what.contains("port"))
        .collect();
    assert_eq!(
        of_ports,
        [
            &("write port 0x80 (POST code, delay)", 300),
            &("read port 0x3fd (COM1)", 200),
            &("write string port 0xed (delay, no device)", 26),
            &("write port 0x3f8 (COM1)", 14),
            &("write port 0x604 (ACPI PM1 control)", 1),
        ]
    );
    for known in [
        ("leaf 0x7.0x1 (extended features)", 100),
        ("read MSR 0x1b (IA32_APICBASE)", 71),
        ("write MSR 0x1b (IA32_APICBASE)", 40),
        ("hypercall 0x63", 30),
    ] {
        assert!(runs.contains(&known), "{known:?} of {runs:#?}");
    }
}

/// Two runs with `sets` of the guest in the file `guest` are in `first` and `second`; it writes
/// to port 0x80 at `written`. Two more are made: of a guest that has one CPUID in place of a NOP,
/// and of one whose log has no room.
pub(super) fn assert_logged(place: &Place, guest: &Path, written: usize, sets: &[&str]) {
    let (first, second) = (place.path("first"), place.path("second"));
    let log = json(&[&first], &["log"]);
    let log = log.as_array().unwrap();
    assert_all(log, &record(&first));
    assert_order(log, written);
    let words = ["log", "--place", &format!("{written:#x}"), "--skip", "290"];
    let rest = json(&[&first], &words);
    assert_eq!(rest.as_array().unwrap().len(), 10);
    let file = |dir: &Path| std::fs::read(dir.join("log.npy.gz")).unwrap();
    assert!(file(&first) == file(&second), "the logs differ");
    let table = std::fs::read_to_string(first.join("table.md")).unwrap();
    assert!(table.contains("✓ The log has every exit"), "{table}");
    let same = json(&[&first, &second], &["diverge"]);
    assert_eq!(
        (&same["vcpus"], &same["moved"]),
        (&Value::from(vec![0; 0]), &0.into())
    );

    assert_parting(place, guest, sets);
    assert_no_room(place, sets);
}

/// A guest that has one CPUID in place of a NOP parts from the one that has not there.
fn assert_parting(place: &Place, guest: &Path, sets: &[&str]) {
    let first = place.path("first");
    let mut bytes = std::fs::read(guest).unwrap();
    let all = bytes.windows(2).enumerate();
    let all: Vec<_> = all.filter(|(_, two)| *two == NOTHING).collect();
    assert_eq!(all.len(), 1);
    let nothing = all[0].0;
    let address = place_of(guest, &NOTHING);
    bytes[nothing..nothing + 2].copy_from_slice(&CPUID);
    std::fs::write(guest, bytes).unwrap();
    let third = experiment(place, "third", sets);
    assert_eq!(third.code, Some(0), "{}", third.stderr);
    let found = json(&[&first, &place.path("third")], &["diverge"]);
    let parting = &found["vcpus"][0]["partings"][0];
    let own = (
        &parting["only_base"],
        &parting["only_head"],
        &parting["meets"],
    );
    assert_eq!(own, (&0.into(), &1.into(), &true.into()), "{found:#}");
    let exit = &parting["head"][0];
    assert_eq!(exit["reason"], "0x072 CPUID", "{found:#}");
    assert_eq!(exit["place"], format!("{address:#x} (low memory)"));
    assert!(parting["common"].as_u64().unwrap() > 800);
    let moved = found["causes"].as_array().unwrap();
    let moved = moved.iter().filter(|moved| moved["place"] == exit["place"]);
    let moved: Vec<_> = moved
        .map(|moved| (&moved["base"], &moved["head"]))
        .collect();
    assert_eq!(moved, [(&0.into(), &1.into())], "{found:#}");
}

/// What the kernel has no room for breaks a promise, and where the log ends is said.
fn assert_no_room(place: &Place, sets: &[&str]) {
    let mut sets = sets.to_vec();
    sets.extend(["sampling.log_buffer=8K", "sampling.log_limit=100"]);
    let little = experiment(place, "little", &sets);
    assert_eq!(little.code, Some(7), "{}", little.stderr);
    for words in ["the log has every exit", "keeps the first 100 exits"] {
        assert!(little.stderr.contains(words), "{}", little.stderr);
    }
    let little = place.path("little");
    let table = std::fs::read_to_string(little.join("table.md")).unwrap();
    for words in [
        "✗ The kernel had no room for ",
        "△ The log ends after 100 exits",
    ] {
        assert!(table.contains(words), "{table}");
    }
    assert_eq!(json(&[&little], &["log"]).as_array().unwrap().len(), 100);
}
