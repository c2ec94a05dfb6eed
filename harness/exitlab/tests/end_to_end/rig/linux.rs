//! A Git repository of Linux: Debian's source, and a few commits on top of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::REPOSITORY;

/// Debian's source, which is the first commit.
const TARBALL: &str = "/usr/src/linux-source-6.12.tar.xz";

/// Two thirds of the source, of which these kernels compile nothing. Each Kconfig file and
/// each Makefile stays.
const LEFT_OUT: [&str; 12] = [
    "*/Documentation/*.rst",
    "*/Documentation/*.yaml",
    "*/arch/a*/*.[chS]",
    "*/arch/[b-w]*/*.[chS]",
    "*.dts*",
    "*/drivers/gpu/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/net/ethernet/*.[ch]",
    "*/drivers/net/wireless/*.[ch]",
    "*/drivers/staging/*.[ch]",
    "*/sound/*.[ch]",
    "*/tools/[pt]e*",
];

/// A bare repository. Its commits have fixed dates and people, so that they are the same
/// commits each time, and their kernels are built once.
pub struct Linux {
    dir: PathBuf,
}

impl Linux {
    /// The repository of the tarball that is installed, made the first time.
    pub fn repository() -> Linux {
        let list = Command::new("dpkg-query")
            .args(["-W", "-f", "${Version}", "linux-source-6.12"])
            .output()
            .unwrap();
        let version = String::from_utf8(list.stdout).unwrap();
        assert!(!version.is_empty(), "linux-source-6.12 is installed");
        let parent = Path::new(REPOSITORY).join("target/linux-repository");
        let dir = parent.join(&version);
        if !dir.is_dir() {
            std::fs::create_dir_all(&parent).unwrap();
            let new = tempfile::tempdir_in(&parent).unwrap();
            let linux = Linux {
                dir: new.path().join("linux.git"),
            };
            linux.make(&new.path().join("tree"), &version);
            std::fs::rename(&linux.dir, &dir).unwrap();
        }
        Linux {
            dir: dir.canonicalize().unwrap(),
        }
    }

    fn make(&self, tree: &Path, version: &str) {
        std::fs::create_dir(tree).unwrap();
        let mut tar = Command::new("tar");
        tar.args(LEFT_OUT.map(|files| format!("--exclude={files}")));
        tar.args(["--strip-components=1", "-xf", TARBALL, "-C"]);
        assert!(tar.arg(tree).status().unwrap().success());
        std::fs::create_dir(&self.dir).unwrap();
        self.git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
        self.git(&["config", "gc.auto", "0"]);
        // Each file counts as big: all go into one pack as they are, and none of 80,000
        // becomes a file of its own. Ignored files are source, too.
        let cheap = ["-c", "core.bigFileThreshold=1", "-c", "core.compression=1"];
        let place = format!("--work-tree={}", tree.display());
        let add = ["add", "--all", "--force", "."];
        let mut command = self.command(&[&cheap[..], &[&place], &add].concat());
        assert!(command.current_dir(tree).status().unwrap().success());
        let files = self.git(&["write-tree"]);
        let first = self.git(&["commit-tree", "-m", &format!("Linux {version}"), &files]);
        self.git(&["update-ref", "refs/heads/main", &first]);
        std::fs::remove_dir_all(tree).unwrap();
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Git's answer.
    pub fn git(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {words:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.dir).args(words);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "A. Developer");
            command.env(format!("GIT_{who}_EMAIL"), "a@example.org");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05+00:00");
        }
        command.stdin(Stdio::null());
        command
    }

    /// What a file holds in a commit.
    pub fn text(&self, commit: &str, path: &str) -> String {
        let mut command = self.command(&["show", &format!("{commit}:{path}")]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    /// A commit on top of `parent` that gives a file another text. No work tree is needed.
    pub fn commit(&self, parent: &str, subject: &str, path: &str, text: &str) -> String {
        let mut hash = self
            .command(&["hash-object", "-w", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = hash.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let blob = String::from_utf8(hash.wait_with_output().unwrap().stdout).unwrap();
        let tree = self.git(&["rev-parse", &format!("{parent}^{{tree}}")]);
        let files = self.with_blob(&tree, path, blob.trim());
        self.git(&["commit-tree", "-p", parent, "-m", subject, &files])
    }

    /// The tree `tree` with another blob at `path`.
    fn with_blob(&self, tree: &str, path: &str, blob: &str) -> String {
        let (name, below) = match path.split_once('/') {
            Some((name, below)) => (name, Some(below)),
            None => (path, None),
        };
        let list = self.git(&["ls-tree", tree]);
        let entry = |line: &str| {
            let (kind, name) = line.split_once('\t').unwrap();
            (name.to_owned(), kind.to_owned())
        };
        let mut entries: BTreeMap<String, String> = list.lines().map(entry).collect();
        let kind = match below {
            None => format!("100644 blob {blob}"),
            Some(below) => {
                let inner = self.git(&["rev-parse", &format!("{tree}:{name}")]);
                format!("040000 tree {}", self.with_blob(&inner, below, blob))
            }
        };
        entries.insert(name.to_owned(), kind);
        let mut make = self
            .command(&["mktree"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = make.stdin.take().unwrap();
        for (name, kind) in &entries {
            writeln!(input, "{kind}\t{name}").unwrap();
        }
        drop(input);
        let made = make.wait_with_output().unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Everything beside the objects: references, work trees, bisections.
    pub fn state(&self) -> String {
        let mut files: Vec<String> = Vec::new();
        let mut dirs = vec![self.dir.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let objects = path == self.dir.join("objects");
                match path.is_dir() {
                    true if !objects => dirs.push(path),
                    _ => files.push(path.display().to_string()),
                }
            }
        }
        files.sort();
        files.join("\n") + "\n" + &self.git(&["for-each-ref"])
    }
}
