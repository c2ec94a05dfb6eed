//! The shared libraries that a program needs, found by the dynamic loader itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::elf::has_interpreter;
use crate::error::{Error, Result};
use crate::not_started;

/// The dynamic loader, which is what `ldd` asks, too.
pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Absolute paths of the libraries and the loader; empty for static programs and for
/// files that are no programs.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new(LOADER)
        .arg("--list")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| {
            let purpose = format!("finds the libraries of {}", program.display());
            not_started::error(Path::new(LOADER), &purpose, "install libc6", error)
        })?;
    if !output.status.success() {
        let content = std::fs::read(program).map_err(Error::io("read", program))?;
        if has_interpreter(&content) != Some(true) {
            // It fails for scripts and static programs alike: they need nothing more.
            return Ok(Vec::new());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Build {
            stage: "image".into(),
            message: format!("the libraries of {} were not found", program.display()),
            tail: said.lines().map(str::to_owned).collect(),
            cure: format!("{LOADER} --list {} must work by hand", program.display()),
        });
    }
    parse(&String::from_utf8_lossy(&output.stdout)).map_err(|library| Error::Build {
        stage: "image".into(),
        message: format!(
            "{} needs {library}, which is not installed",
            program.display()
        ),
        tail: Vec::new(),
        cure: format!("reinstall the package that {} is from", program.display()),
    })
}

/// Reads what the loader prints; the error is the name of a library that was not found.
fn parse(text: &str) -> std::result::Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        let place = place.split(" (").next().unwrap_or_default();
        if place == "not found" {
            return Err(name.to_owned());
        }
        if place.starts_with('/') {
            found.push(PathBuf::from(place));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_read_and_the_vdso_is_not() {
        let text = "\tlinux-vdso.so.1 (0x00007fff)\n\
                    \tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x0000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x0000)\n";
        let expected = [
            "/lib/x86_64-linux-gnu/libz.so.1",
            "/lib64/ld-linux-x86-64.so.2",
        ]
        .map(PathBuf::from);
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_missing_library_is_named() {
        assert_eq!(
            parse("\tlibgone.so.1 => not found\n").unwrap_err(),
            "libgone.so.1"
        );
    }

    #[test]
    fn a_real_program_has_a_libc() {
        let libraries = libraries(Path::new("/usr/bin/ldd")).unwrap();
        assert!(libraries.is_empty(), "ldd is a script");
        let libraries = super::libraries(Path::new("/bin/ls")).unwrap();
        assert!(
            libraries.iter().any(|path| path.ends_with("libc.so.6")),
            "{libraries:?}"
        );
    }
}
