//! Which of Debian's packages files come from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Result;
use crate::need::Search;
use crate::not_started;

/// Asks Debian's list of packages.
const DPKG_QUERY: &str = "dpkg-query";

/// Names and versions of the packages that these files are from, by name. What is from no
/// package is left out; elsewhere than on Debian that is everything.
///
/// # Errors
///
/// If dpkg is there and cannot be asked: then files that are from packages would pass for
/// files that are from none.
pub fn packages_of<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<Vec<(String, String)>> {
    let places: BTreeSet<String> = files.into_iter().flat_map(|file| names_of(file)).collect();
    let owners: BTreeSet<String> = owners(&ask(&["-S"], &places)?);
    let format = "-f=${Package} ${Version}\n";
    let versions = ask(&["-W", format], &owners)?;
    let pairs = versions.lines().filter_map(|line| line.split_once(' '));
    let pairs = pairs.map(|(name, version)| (name.to_owned(), version.to_owned()));
    Ok(pairs.collect::<BTreeMap<_, _>>().into_iter().collect())
}

/// As what dpkg may know a file: where `/lib` is `/usr/lib` it knows some by the one name,
/// some by the other; and the file itself where the name is a link.
fn names_of(file: &Path) -> Vec<String> {
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mut names = Vec::new();
    for path in [file, &target] {
        let name = path.display().to_string();
        match name.strip_prefix("/usr") {
            Some(short) => names.push(short.to_owned()),
            None => names.push(format!("/usr{name}")),
        }
        names.push(name);
    }
    names
}

/// The packages' names of `dpkg-query -S`: `libc6:amd64, other: /lib/x`.
fn owners(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with("diversion"));
    lines
        .filter_map(|line| line.rsplit_once(": "))
        .flat_map(|(names, _)| names.split(", "))
        .map(|name| name.split(':').next().unwrap_or(name).to_owned())
        .collect()
}

/// What dpkg answers. It ends badly where one of many things is unknown, and answers the rest.
fn ask(question: &[&str], about: &BTreeSet<String>) -> Result<String> {
    if about.is_empty() || Search::this().candidate(DPKG_QUERY).is_none() {
        return Ok(String::new());
    }
    let mut command = Command::new(DPKG_QUERY);
    command.args(question).args(about);
    let output = not_started::asked(command, "tells packages of files", "install dpkg")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owner_is_named_once_and_diversions_are_none() {
        let text = "libc6:amd64, libc6-i386: /lib64/ld-linux-x86-64.so.2\n\
                    diversion by dash from: /bin/sh\n\
                    libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6\n";
        let expected: BTreeSet<String> = ["libc6", "libc6-i386"].map(str::to_owned).into();
        assert_eq!(owners(text), expected);
    }

    #[test]
    fn a_file_is_known_with_usr_and_without() {
        let names = names_of(Path::new("/no/such/file"));
        assert!(names.contains(&"/no/such/file".to_owned()), "{names:?}");
        assert!(names.contains(&"/usr/no/such/file".to_owned()), "{names:?}");
        let names = names_of(Path::new("/usr/no/such"));
        assert!(names.contains(&"/no/such".to_owned()), "{names:?}");
    }
}
