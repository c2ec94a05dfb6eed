//! Programs of this machine that builds call: one short run, one error that says which
//! stage it was, what the program printed and where its log lies.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rustix::process::Signal;
use tokio::process::Command;

use crate::error::{Error, Result};
use crate::need::Search;
use crate::{not_started, process};

/// Asks Debian's list of packages.
const DPKG_QUERY: &str = "dpkg-query";

/// Lines of what a program said in place of its version.
const SAID: usize = 8;

/// Runs a program to its end; a bad exit status is an error of `stage`.
pub async fn run(stage: &str, command: Command, log: &Path) -> Result<()> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let finished = process::run(command, log, |_| ()).await?;
    if finished.status.success() {
        return Ok(());
    }
    let cure = cure(finished.status, &finished.tail)
        .unwrap_or("see what it printed, above; `exitlab doctor` checks every program");
    Err(Error::Build {
        stage: stage.to_owned(),
        message: format!("{program} failed ({})", finished.status),
        cure: cure.to_owned(),
        tail: finished.tail,
    })
}

/// Versions of Debian packages, in the order of `names`. One call for all: each reads the
/// whole list of what is installed. Where there is no dpkg, nothing is known of any.
///
/// # Errors
///
/// If dpkg is there and cannot be asked.
pub fn package_versions(names: &[&str]) -> Result<String> {
    let mut command = std::process::Command::new(DPKG_QUERY);
    command.args(["-W", "-f", "${Package} ${Version}\n"]);
    command.args(names);
    // What is not installed is missing from the list, and the status says so.
    let text = match not_started::asked(command, "tells versions of packages", "") {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(_) if Search::this().candidate(DPKG_QUERY).is_none() => String::new(),
        Err(error) => return Err(error),
    };
    Ok(in_order(names, &text))
}

/// The lines of `text`, each a name and a version, in the order of `names`.
fn in_order(names: &[&str], text: &str) -> String {
    let known: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let version = |name: &&str| {
        let version = known.get(name).filter(|version| !version.is_empty());
        format!("{name} {}", version.unwrap_or(&"(version unknown)"))
    };
    names.iter().map(version).collect::<Vec<_>>().join(", ")
}

/// The version of a program that cannot be done without: `purpose` says what it is for. One
/// without a version must not pass for another: what it makes would be taken for the same.
///
/// # Errors
///
/// [`Error::Prerequisite`] if it is not there; if it is, why it could not be started, or what
/// it said in place of a version.
pub fn require_version(program: &str, args: &[&str], purpose: &str) -> Result<String> {
    let mut command = std::process::Command::new(program);
    command.args(args);
    let output = not_started::asked(command, purpose, "see what `exitlab doctor` says")?;
    let [printed, said] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    // `mkfs.erofs` prints its version and fails; what fails with words on standard error only
    // speaks of something else, such as a library that is missing.
    let said_well = Some(&*said).filter(|_| output.status.success());
    let found = first_words(&printed).or_else(|| said_well.and_then(first_words));
    let text = format!("{printed}{said}");
    found.map(str::to_owned).ok_or_else(|| Error::Build {
        stage: "tools".to_owned(),
        message: format!(
            "{program}, which {purpose}, does not tell its version ({})",
            output.status
        ),
        tail: text.lines().map(str::to_owned).take(SAID).collect(),
        cure: format!("{program} {} must work by hand", args.join(" ")),
    })
}

/// The first line that a program prints about its version, on either stream; none if it is not
/// there, or does not say.
pub fn version(program: &str, args: &[&str]) -> Option<String> {
    require_version(program, args, "").ok()
}

fn first_words(text: &str) -> Option<&str> {
    text.lines()
        .map(str::trim)
        .find(|line| line.chars().any(char::is_alphanumeric))
}

/// What to do about a program that failed, by how it ended and what it said last.
pub fn cure(status: std::process::ExitStatus, said: &[String]) -> Option<&'static str> {
    let says = |words: &[&str]| {
        let mut lines = said.iter();
        lines.any(|line| words.iter().any(|words| line.contains(words)))
    };
    let signal = status.signal();
    let is = |number: Signal| signal == Some(number.as_raw());
    if is(Signal::XFSZ) || says(&["File size limit exceeded", "File too large"]) {
        return Some("it met the limit on file sizes: raise it (ulimit -f unlimited)");
    }
    if says(&["Too many open files"]) {
        return Some("it met the limit on open files: raise it (ulimit -n)");
    }
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return Some("free some space in the file system of the cache, or choose another --cache");
    }
    if says(&["Resource temporarily unavailable", "Cannot fork"]) {
        return Some("it may start no more processes: raise ulimit -u, or the container's limit");
    }
    let starved = [
        "Cannot allocate memory",
        "Killed signal terminated program",
        "out of memory",
    ];
    (is(Signal::KILL) || says(&starved)).then_some(
        "it seems to have run out of memory: give this machine or container more, or end what \
         else takes it (dmesg tells whom the kernel killed)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_a_version_is_missing() {
        let version = require_version("exitlab-no-such-program", &[], "does nothing");
        let missing = "missing:\n  program `exitlab-no-such-program`: does nothing";
        assert_eq!(version.map_err(|e| e.to_string()), Err(missing.to_owned()));
    }

    #[test]
    fn what_a_failing_program_prints_is_no_version() {
        let asked = |script: &str| require_version("sh", &["-c", script], "tries");
        assert_eq!(
            asked("echo; echo sh 1.0 >&2").ok(),
            Some("sh 1.0".to_owned())
        );
        let error = asked("echo 'sh: error while loading shared libraries' >&2; exit 127");
        let error = crate::error::for_people(&error.unwrap_err());
        insta::assert_snapshot!(error, @r"
        exitlab: tools: sh, which tries, does not tell its version (exit status: 127)
          | sh: error while loading shared libraries
          cure: sh -c echo 'sh: error while loading shared libraries' >&2; exit 127 must work by hand
        ");
        assert!(asked(":").is_err(), "nothing is no version");
        assert_eq!(
            asked("echo sh 1; echo no option >&2; false").ok(),
            Some("sh 1".to_owned())
        );
    }

    #[test]
    fn limits_that_a_program_met_are_its_cure() {
        let of = |raw: i32, said: &str| cure(ExitStatusExt::from_raw(raw), &[said.to_owned()]);
        let has = |cure: Option<&str>, words| cure.is_some_and(|cure| cure.contains(words));
        assert!(has(of(25, ""), "ulimit -f"));
        assert!(has(
            of(2 << 8, "ld: final link failed: File too large"),
            "ulimit -f"
        ));
        assert!(has(
            of(2 << 8, "make: write error: No space left on device"),
            "--cache"
        ));
        assert!(has(of(9, ""), "memory"));
        assert_eq!(of(2 << 8, "error: expected ';'"), None);
    }

    #[test]
    fn versions_keep_the_order_of_the_names() {
        // dpkg-query sorts, and lists a removed package without a version.
        let text = "qemu 1:7.2+dfsg\nremoved \nseabios 1.16.2-1\n";
        let names = ["seabios", "removed", "unknown", "qemu"];
        assert_eq!(
            in_order(&names, text),
            "seabios 1.16.2-1, removed (version unknown), unknown (version unknown), \
             qemu 1:7.2+dfsg"
        );
    }
}
