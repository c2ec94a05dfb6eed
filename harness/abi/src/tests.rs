//! The constants of this crate against the kernel's C.

extern crate std;

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

fn kernel(file: &str) -> String {
    let dir = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../kernel/overlay/arch/x86/kvm/"
    );
    std::fs::read_to_string(format!("{dir}{file}")).unwrap()
}

/// Every `#define NAME VALUE` whose value is a number or one bit.
fn defines(text: &str) -> BTreeMap<&str, u32> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("#define ")?.split_once('\t')?;
            Some((name, number(value.split_whitespace().next()?)?))
        })
        .collect()
}

/// Every `NAME = NUMBER,` of the enumerations.
fn enumerators(text: &str) -> BTreeMap<&str, u32> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_suffix(',')?.split_once(" = ")?;
            Some((name, number(value)?))
        })
        .collect()
}

fn number(text: &str) -> Option<u32> {
    if let Some(bit) = text.strip_prefix("BIT(") {
        return Some(1 << bit.strip_suffix(')')?.parse::<u32>().ok()?);
    }
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The rows of `census_maps`, by number: what each leaf from [`MAPPED`] on means.
fn rows(text: &str) -> BTreeMap<u32, Vec<String>> {
    let table = text.split_once("census_maps[][4] = {").unwrap().1;
    let table = table.split_once("};").unwrap().0;
    let row = |line: &str| {
        let (index, meanings) = line.trim().strip_prefix('[')?.split_once("] = {")?;
        let meanings = meanings.trim_end_matches([' ', '}', ',']);
        let meanings = meanings.split(',').map(|word| word.trim().to_string());
        Some((index.parse().ok()?, meanings.collect()))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn the_kernel_defines_the_same_numbers() {
    let text = kernel("exit_census.c");
    let defined = defines(&text);
    for (name, value) in [
        ("CENSUS_LEAF_DISCOVERY", DISCOVERY),
        ("CENSUS_LEAF_STATUS", STATUS),
        ("CENSUS_LEAF_MAPPED", MAPPED),
        ("CENSUS_SIGNATURE", SIGNATURE),
        ("CENSUS_VERSION", VERSION),
        ("CENSUS_MAP_SHIFT", MAP_SHIFT),
        ("CENSUS_CYCLES_ON", CYCLES_ON),
        ("CENSUS_NO_SUCH_REASON", UNDEFINED),
        ("CENSUS_FIRST_MAP", LEAF_MAPS[0].number.into()),
        ("CENSUS_LAST_MAP", LEAF_MAPS[2].number.into()),
    ] {
        assert_eq!(defined.get(name), Some(&value), "{name}");
    }
    let text = kernel("exit_census.h");
    let defined = enumerators(&text);
    for (name, value) in [
        ("KVM_EXIT_CENSUS_VMX", ISA_VMX),
        ("KVM_EXIT_CENSUS_SVM", ISA_SVM),
        ("KVM_EXIT_CENSUS_UNDEFINED", STATUS_UNDEFINED),
        ("KVM_EXIT_CENSUS_NOT_ENABLED", STATUS_NOT_ENABLED),
        ("KVM_EXIT_CENSUS_ENABLED", STATUS_ENABLED),
    ] {
        assert_eq!(defined.get(name), Some(&value), "{name}");
    }
}

#[test]
fn every_leaf_means_the_same_to_the_kernel() {
    let rows = rows(&kernel("exit_census.c"));
    let numbers: Vec<u32> = rows.keys().copied().collect();
    assert_eq!(numbers, LEAF_MAPS.map(|map| u32::from(map.number)));
    for (number, meanings) in rows {
        let map = LeafMap::of(number).unwrap();
        let meaning = |leaf| match leaf {
            _ if map.shares_totals() && leaf == map.total_count => "CENSUS_TOTALS",
            _ if leaf == map.total_count => "CENSUS_TOTAL_COUNT",
            _ if leaf == map.total_cycles => "CENSUS_TOTAL_CYCLES",
            _ if leaf == map.count => "CENSUS_COUNT",
            _ if leaf == map.cycles => "CENSUS_CYCLES",
            _ => "CENSUS_NOT_OURS",
        };
        let ours: Vec<&str> = (MAPPED..MAPPED + 4).map(meaning).collect();
        assert_eq!(meanings, ours, "leaf map {number}");
    }
}

#[test]
fn the_signature_is_four_letters_in_memory_order() {
    assert_eq!(&SIGNATURE.to_le_bytes(), b"EXTL");
}

#[test]
fn there_are_three_leaf_maps() {
    assert_eq!(LeafMap::of(0), None);
    assert_eq!(LeafMap::of(4), None);
}
