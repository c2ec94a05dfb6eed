//! Why Git gives no answer, in words: that there is no repository is only one reason.

use std::path::Path;

use crate::error::Error;

/// Git said `said` when it was asked for the repository in `dir` (with `LC_ALL=C`).
pub fn of(dir: &Path, said: &str) -> Error {
    let shown = dir.display();
    let (message, cure) = if said.contains("dubious ownership") {
        (
            format!(
                "{shown} belongs to another user, and Git does not read such a repository \
                 (dubious ownership)"
            ),
            format!(
                "if you trust it: {}",
                trust(said)
                    .unwrap_or_else(|| format!("git config --global --add safe.directory {shown}"))
            ),
        )
    } else if said.contains("safe.bareRepository") {
        (
            format!("{shown} is a bare repository, and safe.bareRepository keeps Git from it"),
            "name a work tree of it".to_owned(),
        )
    } else if said.contains("not a git repository") || said.contains("No such file or directory") {
        (
            format!("{shown} is no Git repository: {said}"),
            "name a work tree, or a bare repository".to_owned(),
        )
    } else if said.contains("cannot change to") {
        (
            format!("{shown} cannot be entered: {said}"),
            "check its rights, and those of the directories above it".to_owned(),
        )
    } else {
        (
            format!("Git cannot read {shown}: {said}"),
            format!("git -C {shown} rev-parse must work by hand"),
        )
    };
    Error::Config { message, cure }
}

/// The command that Git itself advises.
fn trust(said: &str) -> Option<String> {
    let line = said.lines().map(str::trim);
    let mut line = line.filter(|line| line.starts_with("git config"));
    line.next().map(str::to_owned)
}

/// Git found no commit by that name, in a repository whose history may be cut off.
pub fn of_revision(dir: &Path, revision: &str, said: &str, is_shallow: bool) -> Error {
    let shown = dir.display();
    let colon = if said.is_empty() { "" } else { ": " };
    let message = format!("{shown} has no revision `{revision}`{colon}{said}");
    if is_shallow {
        return Error::Config {
            message: format!("{message}; it is a shallow clone, with the newest commits only"),
            cure: format!(
                "fetch the rest: git -C {shown} fetch --unshallow --tags; or name a revision \
                 that it has"
            ),
        };
    }
    Error::Config {
        message,
        cure: "name a commit, tag or branch of that repository".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_own_words() {
        let of = |said| crate::error::for_people(&of(Path::new("/src/linux"), said));
        let texts = [
            of(
                "detected dubious ownership in repository at '/src/linux'\nTo add an exception for \
                this directory, call:\n\n\tgit config --global --add safe.directory /src/linux",
            ),
            of("not a git repository (or any of the parent directories): .git"),
            of("cannot use bare repository '/src/linux' (safe.bareRepository is 'explicit')"),
            of("cannot change to '/src/linux': Permission denied"),
            of("bad config line 1 in file /home/me/.gitconfig"),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        exitlab: /src/linux belongs to another user, and Git does not read such a repository (dubious ownership)
          cure: if you trust it: git config --global --add safe.directory /src/linux

        exitlab: /src/linux is no Git repository: not a git repository (or any of the parent directories): .git
          cure: name a work tree, or a bare repository

        exitlab: /src/linux is a bare repository, and safe.bareRepository keeps Git from it
          cure: name a work tree of it

        exitlab: /src/linux cannot be entered: cannot change to '/src/linux': Permission denied
          cure: check its rights, and those of the directories above it

        exitlab: Git cannot read /src/linux: bad config line 1 in file /home/me/.gitconfig
          cure: git -C /src/linux rev-parse must work by hand
        ");
        let shallow = of_revision(Path::new("/src/linux"), "HEAD~1", "", true);
        insta::assert_snapshot!(crate::error::for_people(&shallow), @r"
        exitlab: /src/linux has no revision `HEAD~1`; it is a shallow clone, with the newest commits only
          cure: fetch the rest: git -C /src/linux fetch --unshallow --tags; or name a revision that it has
        ");
    }
}
