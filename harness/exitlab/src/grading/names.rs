//! Names of kernels: of their directories and pages, and in every table. They are made from
//! paths that other people chose.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// Most characters of a name.
const LONGEST: usize = 60;

/// Names under which everybody hands in: the directory says whose it is.
const COMMON: [&str; 6] = [
    "bzimage",
    "vmlinuz",
    "image",
    "kernel",
    "boot",
    "bzimage.bin",
];

/// Gives each of a list of kernels a name of its own.
#[derive(Debug, Default)]
pub struct Names {
    /// In small letters: some file systems tell no others apart.
    given: BTreeSet<String>,
}

impl Names {
    /// A plain name like `wanted` that nobody has: `ada`, `ada-2`.
    pub fn give(&mut self, wanted: &str) -> String {
        let plain = plain(wanted);
        let mut name = plain.clone();
        let mut number = 2_u32;
        while !self.given.insert(name.to_lowercase()) {
            name = format!("{plain}-{number}");
            number += 1;
        }
        name
    }
}

/// What a kernel is called by its path: by the file, or the directories above one that is
/// called as all are (`ada/arch/x86/boot/bzImage`).
pub fn of_path(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let is_common = |part: &String| COMMON.contains(&part.to_lowercase().as_str());
    let Some((file, above)) = parts.split_last() else {
        return String::new();
    };
    if !is_common(file) {
        // `ada.bzImage`
        return match file.rsplit_once('.') {
            Some((whose, end)) if is_common(&end.to_owned()) && !whose.is_empty() => {
                whose.to_owned()
            }
            _ => file.clone(),
        };
    }
    let build = ["arch", "x86", "x86_64"];
    let of_build = |part: &&String| !is_common(part) && !build.contains(&part.as_str());
    above.iter().rev().find(of_build).unwrap_or(file).clone()
}

/// Whether a name is one that [`Names::give`] could have given: letters, digits and `._+-`,
/// and no beginning that hides or is an option.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST + 12
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(is_of_name)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-')
}

fn plain(wanted: &str) -> String {
    let mut name = String::new();
    for c in wanted.chars() {
        match is_of_name(c) {
            true => name.push(c),
            false if name.ends_with('-') => {}
            false => name.push('-'),
        }
    }
    let name = name.trim_matches(['.', '-', '+']);
    let name = &name[..name.len().min(LONGEST)];
    match name {
        "" => "kernel".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_called_by_who_handed_it_in() {
        let of = |path: &str| of_path(Path::new(path));
        assert_eq!(of("ada.bzImage"), "ada");
        assert_eq!(of("notes.txt"), "notes.txt");
        assert_eq!(of("hand-in/ada/bzImage"), "ada");
        assert_eq!(of("bob/linux/arch/x86/boot/bzImage"), "linux");
        assert_eq!(of("/bzImage"), "bzImage");
        assert_eq!(of("../.."), "");
    }

    #[test]
    fn names_are_plain_whatever_a_path_holds() {
        let mut names = Names::default();
        for odd in [
            "..",
            "",
            "a/b",
            "../../x",
            "ada\n# lovelace",
            "\u{1b}[2J",
            "-rf",
            "ä ö",
            ".hidden",
            &"x".repeat(500),
            "=1+1",
            "con trol\0",
        ] {
            let name = names.give(odd);
            assert!(is_plain(&name), "{odd:?} {name:?}");
        }
    }

    #[test]
    fn no_two_kernels_have_one_name() {
        let mut names = Names::default();
        let given = ["ada", "ada", "Ada", "ada-2", "ada"].map(|name| names.give(name));
        assert_eq!(given, ["ada", "ada-2", "Ada-3", "ada-2-2", "ada-4"]);
    }

    #[test]
    fn what_a_file_says_is_plain_or_not() {
        for bad in ["", ".", "..", "a/b", "-a", "a b", "a\n", "/x", ".a", "é"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
        assert!(is_plain("ada-2"));
    }
}
