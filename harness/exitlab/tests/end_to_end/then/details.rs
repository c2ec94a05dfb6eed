//! What lies below the reasons, on real hosts: a guest that does a known number of known things.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::guests::{assemble, experiment};
use super::{log, own_symbols};
use crate::support::{Place, run};

/// Lines of `details.csv` up to the end, less those up to READY: what the guest did by itself.
fn between(dir: &Path) -> Vec<(String, i64)> {
    let text = std::fs::read_to_string(dir.join("details.csv")).unwrap();
    let count = |sample: &str, rest: &str| {
        let start = format!("1,{sample},");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        // Cell, sample and phase stand before what a detail is, its count after it.
        let mut found = lines.filter_map(|line| {
            let (what, count) = line.splitn(4, ',').nth(3)?.rsplit_once(',')?;
            (what == rest).then(|| count.parse::<i64>().unwrap())
        });
        found.next().unwrap_or(0)
    };
    let last = text.lines().filter(|line| line.starts_with("1,3,"));
    let what = last.filter_map(|line| line.splitn(4, ',').nth(3)?.rsplit_once(','));
    let grown = what.map(|(what, _)| (what.to_owned(), count("3", what) - count("2", what)));
    grown.filter(|(_, grown)| *grown != 0).collect()
}

/// What the guest did between READY and its end, and nothing that is left over but one leaf.
fn assert_known(found: &[(String, i64)]) {
    let of = |what: &str| {
        let found = found.iter().find(|(found, _)| found == what);
        found.map_or(0, |(_, count)| *count)
    };
    for (what, count) in [
        ("123,port,0x80,write,\"POST code, delay\"", 300),
        ("123,port,0x3fd,read,COM1", 200),
        // The emulated processor is left at each of 25 bytes, and where it finds none left; one
        // of silicon once.
        ("123,port,0xed,write string,\"delay, no device\"", 26),
        ("123,port,0x3f8,write,COM1", "details: DONE\n".len() as i64),
        ("123,port,0x604,write,ACPI PM1 control", 1),
        ("114,leaf,0x7.0x1,,extended features", 100),
        // Once by the guest, once by KVM, which asks for the vendor when it emulates a string.
        ("114,leaf,0x0,,vendor", 2),
        ("124,msr,0x1b,read,IA32_APICBASE", 71),
        ("124,msr,0x1b,write,IA32_APICBASE", 40),
        ("1024,mmio,0xfec00000,write,I/O APIC", 60),
        ("1024,mmio,0xfec00010,read,I/O APIC", 50),
        ("129,hypercall,0x63.0x0,,", 30),
    ] {
        assert_eq!(of(what), count, "{what} of {found:#?}");
    }
    let remainders = found.iter().filter(|(what, _)| what.contains("remainder"));
    let remainders: Vec<_> = remainders
        .map(|(what, count)| (&what[..18], *count))
        .collect();
    assert_eq!(remainders, [("114,remainder,leaf", -1)], "{found:#?}");
}

/// Each exit between READY and the end has a time, but the one that ended the guest.
fn assert_timed(times: &str) {
    for known in [
        "123,I/O instruction,false,541,540,",
        "114,CPUID,false,101,101,",
        "124,MSR access,false,111,111,",
        "129,VMMCALL,false,30,30,",
    ] {
        let line = format!("1,3,end,2,{known}");
        assert!(
            times.lines().any(|found| found.starts_with(&line)),
            "no {line} in {times}"
        );
    }
}

/// Where a guest, which is linked at 1 MiB, has an instruction that it has once.
pub(super) fn place_of(guest: &Path, instruction: &[u8]) -> usize {
    let bytes = std::fs::read(guest).unwrap();
    // The multiboot header begins the text.
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    let text = find(&bytes, &0x1bad_b002_u32.to_le_bytes()).unwrap();
    0x10_0000 + find(&bytes[text..], instruction).unwrap()
}

/// The same guest with one more write to the port of the POST code: `mov $301, %edi`.
fn with_one_more(place: &Place, guest: &Path) -> PathBuf {
    let mut bytes = std::fs::read(guest).unwrap();
    let three_hundred = [0xbf, 0x2c, 0x01, 0x00, 0x00, 0xe6, 0x80];
    let at = bytes.windows(7).position(|w| w == three_hundred).unwrap();
    bytes[at + 1] += 1;
    // Of the same name, for the plan has names of files.
    let other = place.path("more").join(guest.file_name().unwrap());
    std::fs::create_dir(place.path("more")).unwrap();
    std::fs::write(&other, bytes).unwrap();
    other
}

/// One exit more is told with its port and its instruction, by `compare` and below a failed rule.
fn assert_explained(place: &Place, written: usize) {
    let of = |name: &str| place.path(name).display().to_string();
    let (first, more) = (of("first"), of("longer"));
    let compared = run(&["compare", &first, &more]);
    let rows: Vec<String> = compared
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for row in [
        "· write port 0x80 (POST code, delay) 300 301 +1".to_owned(),
        format!("· from {written:#x} (low memory) 300 301 +1"),
    ] {
        assert!(rows.contains(&row), "no {row} in {}", compared.stdout);
    }
    let rule = |detail: &str| {
        let rules = format!(
            "[[rule]]\nreason = \"I/O instruction\"\nmax_increase = 0\n\
             [[rule]]\nreason = \"I/O instruction\"\ndetail = \"{detail}\"\nmax_increase = 0\n\
             [[rule]]\nreason = \"CPUID\"\ndetail = \"leaf 0x7.0x1\"\nexact = true\n"
        );
        let rules = place.write("rules.toml", &rules).display().to_string();
        run(&["gate", "--rules", &rules, "--base", &first, "--", &more])
    };
    let failed = rule("port 0x80");
    let why = format!(
        "\n    write port 0x80 (POST code, delay) +1\n    from {written:#x} (low memory) +1\n"
    );
    assert_eq!(failed.code, Some(1), "{}{}", failed.stdout, failed.stderr);
    for words in [
        why.as_str(),
        "port 0x80: 300 → 301, +1",
        ", 2 failed, 0 undecided",
    ] {
        assert!(
            failed.stdout.contains(words),
            "no {words} in {}",
            failed.stdout
        );
    }
    let unknown = rule("port 0x81");
    unknown.assert_failed(
        2,
        &["port 0x81", "did you mean", "port 0x80 (POST code, delay)"],
    );
}

/// The second run is the first one again, and the kernel lacked nothing.
fn assert_whole_and_equal(place: &Place) {
    for file in [
        "samples.csv",
        "counts.csv",
        "details.csv",
        "places.csv",
        "times.csv",
        "events.jsonl",
    ] {
        let read = |out: &str| std::fs::read(place.path(out).join(file)).unwrap();
        assert!(read("first") == read("second"), "{file} differs");
    }
    let record = std::fs::read_to_string(place.path("first").join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let details = record["samples"][2]["trace"]["details"].as_array().unwrap();
    let mut lacking = details.iter().filter(|h| h.get("lacks").is_some());
    assert_eq!(lacking.next(), None);
}

/// Each thing is under its number, from its address, as often as the guest did it; the sums are those of the
/// reasons; and a second run is the same byte for byte.
#[test]
fn a_guest_that_does_known_things_is_told_to_the_last_of_them_on_tcg_svm() {
    let place = Place::new();
    let program = assemble(&place, "details", "0x100000", &[]);
    let written = place_of(&program, &[0xe6, 0x80]);
    let more = format!("guest.kernel={}", with_one_more(&place, &program).display());
    let guest = format!("guest.kernel={}", program.display());
    let sets = [
        guest.as_str(),
        "guest.ssh=false",
        "sampling.channels=[\"stats\", \"trace\"]",
        "sampling.detail=true",
        "sampling.places=true",
        "sampling.time=true",
        "sampling.log=true",
        "sampling.schedule=[\"boot\", \"line:READY\", \"end\"]",
    ];
    let first = experiment(&place, "first", &sets);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_known(&between(&place.path("first")));
    let table = std::fs::read_to_string(place.path("first").join("table.md")).unwrap();
    assert!(table.contains("✓ Details come to"), "{table}");
    assert!(
        table.contains("write port 0x80 (POST code, delay)"),
        "{table}"
    );

    let places = std::fs::read_to_string(place.path("first").join("places.csv")).unwrap();
    let line = format!("1,3,end,123,{written:#x},{written:#x} (low memory),300");
    assert!(places.lines().any(|found| found == line), "no {line}");

    let times = std::fs::read_to_string(place.path("first").join("times.csv")).unwrap();
    assert_timed(&times);
    assert!(table.contains("✓ Each exit has a time"), "{table}");

    let second = experiment(&place, "second", &sets);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_whole_and_equal(&place);

    let more: Vec<&str> = [&[more.as_str()], &sets[1..]].concat();
    let longer = experiment(&place, "longer", &more);
    assert_eq!(longer.code, Some(0), "{}", longer.stderr);
    assert_explained(&place, written);

    own_symbols::assert_named(&place, &program, written, &sets);
    log::assert_logged(&place, &program, written, &sets);
}
