//! Symbols of the user's own: of a guest that nobody can ask, on the host that `then::details`
//! boots.

use std::path::Path;

use super::guests::experiment;
use crate::support::Place;

/// The run `first` with `sets` has places by address; given the program itself for its symbols, it
/// has the same ones by name.
pub(super) fn assert_named(place: &Place, program: &Path, written: usize, sets: &[&str]) {
    let symbols = format!("guest.symbols={}", program.display());
    let sets: Vec<&str> = sets.iter().copied().chain([symbols.as_str()]).collect();
    let named = experiment(place, "named", &sets);
    assert_eq!(named.code, Some(0), "{}", named.stderr);
    let read = |out: &str, file: &str| std::fs::read_to_string(place.path(out).join(file)).unwrap();
    let places = read("named", "places.csv");
    let at = written - 0x10_000c;
    let line = format!("1,3,end,123,{written:#x},_start+{at:#x},300");
    assert!(places.lines().any(|found| found == line), "no {line}");
    // They name, and change nothing.
    for file in ["samples.csv", "details.csv"] {
        assert!(read("first", file) == read("named", file), "{file} differs");
    }
}
