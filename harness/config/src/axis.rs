//! Lists where a key takes one value: the axes of a matrix. They are expanded in the text,
//! before anything is parsed into a document, so that a cell is an experiment like any
//! other and its errors name the line of the file.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Keys that take a list. For them a list of lists is an axis.
pub(super) const LISTS: &[&str] = &[
    "inspect",
    "kernel.patches",
    "kernel.fragments",
    "guest.files",
    "guest.packages",
    "guest.devices",
    "sampling.schedule",
    "sampling.channels",
];

/// A key with several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    /// `guest.machine`
    pub key: String,
    /// Where the list is in the text.
    span: Range<usize>,
    /// Where its elements are.
    elements: Vec<Range<usize>>,
}

impl Axis {
    /// Where its list begins.
    pub(super) fn start(&self) -> usize {
        self.span.start
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }
}

/// The axes of a text; none of one that is not TOML, which is told where it is parsed.
pub(super) fn find(text: &str) -> Vec<Axis> {
    let mut axes = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        collect(table.get_ref(), "", &mut axes);
    }
    axes
}

fn collect(table: &DeTable<'_>, prefix: &str, axes: &mut Vec<Axis>) {
    for (name, value) in table {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            prefix => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref() {
            // What a phase holds is never an axis.
            _ if key == "phase" => {}
            DeValue::Table(inner) => collect(inner, &key, axes),
            DeValue::Array(list) => {
                let plain = list
                    .iter()
                    .any(|e| !matches!(e.get_ref(), DeValue::Array(_)));
                if LISTS.contains(&key.as_str()) && (plain || list.is_empty()) {
                    continue;
                }
                axes.push(Axis {
                    key,
                    span: value.span(),
                    elements: list.iter().map(|element| element.span()).collect(),
                });
            }
            _ => {}
        }
    }
}

/// The text with one element in place of each list. The lines after a list keep their
/// numbers.
pub(super) fn choose(text: &str, axes: &[Axis], chosen: &BTreeMap<String, usize>) -> String {
    let mut axes: Vec<&Axis> = axes.iter().filter(|axis| axis.len() > 0).collect();
    axes.sort_by_key(|axis| axis.span.start);
    let (mut out, mut from) = (String::new(), 0);
    for axis in axes {
        let element = chosen.get(&axis.key).copied().unwrap_or(0);
        let element = &text[axis.elements[element.min(axis.len() - 1)].clone()];
        out += &text[from..axis.span.start];
        out += element;
        let lines = |text: &str| text.matches('\n').count();
        let lost = lines(&text[axis.span.clone()]) - lines(element);
        out.extend(std::iter::repeat_n('\n', lost));
        from = axis.span.end;
    }
    out + &text[from..]
}

/// An element as people read it: text without its quotes, everything else as written.
pub(super) fn shown(text: &str, axis: &Axis, element: usize) -> String {
    let written = &text[axis.elements[element].clone()];
    match written.parse::<toml::Value>() {
        Ok(toml::Value::String(text)) => text,
        _ => written.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
name = 'x'
repeat = 2
[guest]
machine = ['q35', # comment
           'microvm']
vcpus = 1
files = ['a', 'b']
[kvm_intel]
ept = [true, false] # both
[kernel]
patches = [[], ['p']]
";

    #[test]
    fn lists_where_one_value_belongs_are_axes() {
        let axes = find(TEXT);
        let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
        assert_eq!(keys, ["guest.machine", "kernel.patches", "kvm_intel.ept"]);
        let values = |axis: usize| {
            let axis = &axes[axis];
            (0..axis.len())
                .map(|n| shown(TEXT, axis, n))
                .collect::<Vec<_>>()
        };
        assert_eq!(values(0), ["q35", "microvm"]);
        assert_eq!(values(1), ["[]", "['p']"]);
        assert_eq!(values(2), ["true", "false"]);
        assert!(find("no = [toml").is_empty());
    }

    #[test]
    fn a_cell_is_the_text_with_one_of_each() {
        let chosen = BTreeMap::from([
            ("guest.machine".to_owned(), 1),
            ("kvm_intel.ept".to_owned(), 1),
        ]);
        let text = choose(TEXT, &find(TEXT), &chosen);
        assert_eq!(text.lines().count(), TEXT.lines().count());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "machine = 'microvm'");
        assert_eq!((lines[5], lines[8]), ("vcpus = 1", "ept = false # both"));
        assert_eq!(lines[10], "patches = []");
        assert!(text.parse::<toml::Table>().is_ok());
    }
}
