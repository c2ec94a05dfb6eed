//! Whether cells of a matrix come from one build: the one rule of resuming, merging and
//! comparing. Cells that differ in their values may have kernels and images of their own; the
//! program that ran them is one.

use std::collections::BTreeMap;

use crate::record::Provenance;

/// A cell, and where its counts come from.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// How people are told of it.
    pub name: &'a str,
    /// What it has of each axis: cells of equal values are repeats.
    pub values: &'a BTreeMap<String, String>,
    /// Where its counts come from, as far as it is known.
    pub from: &'a Provenance,
}

/// Two cells of two builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoBuilds {
    /// Name of a cell.
    pub one: String,
    /// Name of the other.
    pub other: String,
    /// In what their builds differ: `exitlab binary`, `kernel`, …
    pub what: &'static str,
    /// What the two have there.
    pub found: [String; 2],
}

impl std::fmt::Display for TwoBuilds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TwoBuilds {
            one,
            other,
            what,
            found: [a, b],
        } = self;
        let (a, b) = (short(a), short(b));
        write!(
            f,
            "{one} and {other} were made with different artifacts: {what} ({a} and {b})"
        )
    }
}

/// Enough of a digest to tell it from others.
fn short(text: &str) -> &str {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest { &text[..12] } else { text }
}

/// What all cells of a matrix share.
fn of_all(from: &Provenance) -> [(&'static str, &str); 2] {
    [
        ("exitlab binary", &from.exitlab_digest),
        ("agent", &from.agent_digest),
    ]
}

/// What repeats of one cell share, besides.
fn of_repeats(from: &Provenance) -> [(&'static str, &str); 8] {
    [
        ("kernel", &from.kernel_digest),
        ("what the kernel was built from", &from.kernel_key),
        ("host image", &from.host_image_digest),
        ("guest image", &from.guest_image_digest),
        ("emulator", &from.emulator),
        ("host's kernel", &from.host_kernel),
        ("QEMU", &from.qemu),
        ("CPU", &from.cpu),
    ]
}

/// The files of one name that both booted, which repeats share, too.
fn booted<'a>(
    one: &'a Provenance,
    other: &'a Provenance,
) -> impl Iterator<Item = (Named<'a>, Named<'a>)> {
    const WHAT: &str = "a booted file";
    one.booted.iter().filter_map(move |(name, digest)| {
        let mut others = other.booted.iter();
        let (_, its) = others.find(|(other, _)| other == name)?;
        Some(((WHAT, digest.as_str()), (WHAT, its.as_str())))
    })
}

/// Says no at the first two cells that come from two builds. What is not known of a cell is
/// no difference: earlier versions kept less, and a cell that did not run yet has no CPU.
///
/// # Errors
///
/// The two cells.
pub fn require_one<'a>(cells: impl IntoIterator<Item = Made<'a>>) -> Result<(), TwoBuilds> {
    let mut first = None;
    let mut first_of: BTreeMap<&BTreeMap<String, String>, Made<'a>> = BTreeMap::new();
    for cell in cells {
        let all = *first.get_or_insert(cell);
        let repeat = *first_of.entry(cell.values).or_insert(cell);
        let mut shared = of_all(all.from).into_iter().zip(of_all(cell.from));
        let mut more = of_repeats(repeat.from)
            .into_iter()
            .zip(of_repeats(cell.from));
        let differ = |(one, other): (Named<'_>, Named<'_>), with: Made<'_>| {
            let known = !one.1.is_empty() && !other.1.is_empty();
            (known && one.1 != other.1).then(|| TwoBuilds {
                one: with.name.to_owned(),
                other: cell.name.to_owned(),
                what: one.0,
                found: [one.1, other.1].map(str::to_owned),
            })
        };
        let found = shared.find_map(|pair| differ(pair, all));
        let found = found.or_else(|| more.find_map(|pair| differ(pair, repeat)));
        let mut booted = booted(repeat.from, cell.from);
        let found = found.or_else(|| booted.find_map(|pair| differ(pair, repeat)));
        if let Some(two) = found {
            return Err(two);
        }
    }
    Ok(())
}

/// What is compared, and what a cell has there.
type Named<'a> = (&'static str, &'a str);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn values(vcpus: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("guest.vcpus".to_owned(), vcpus.to_owned())])
    }

    fn from(exitlab: &str, kernel: &str, cpu: &str) -> Provenance {
        Provenance {
            exitlab_digest: exitlab.to_owned(),
            kernel_digest: kernel.to_owned(),
            cpu: cpu.to_owned(),
            ..Provenance::default()
        }
    }

    fn of(cells: &[(&str, Provenance)]) -> Result<(), String> {
        let all: Vec<_> = cells.iter().map(|(vcpus, _)| values(vcpus)).collect();
        let made = all
            .iter()
            .zip(cells)
            .map(|(values, (name, from))| Made { name, values, from });
        require_one(made).map_err(|two| two.to_string())
    }

    #[test]
    fn one_program_for_all_and_one_kernel_for_repeats() {
        let good = [
            ("1", from("x", "k", "c")),
            ("2", from("x", "another", "d")),
            ("1", from("x", "k", "")),
        ];
        of(&good).unwrap();
        let why = of(&[("1", from("x", "k", "")), ("2", from("y", "k", ""))]).unwrap_err();
        assert!(
            why.contains("1 and 2") && why.contains("exitlab binary"),
            "{why}"
        );
        let why = of(&[good[0].clone(), good[1].clone(), ("1", from("x", "l", "c"))]).unwrap_err();
        assert!(
            why.contains("different artifacts: kernel (k and l)"),
            "{why}"
        );
        let why = of(&[("1", from("x", "k", "c")), ("1", from("x", "k", "d"))]).unwrap_err();
        assert!(why.contains("CPU"), "{why}");
    }
}
