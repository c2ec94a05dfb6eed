//! The `newc` archive format of Linux's initramfs
//! (`Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Ours and not the `cpio` program's, because owner, time and inode numbers must not
//! come from the machine that builds.

use super::tree::{Node, Tree};
use crate::error::Result;

const DIR: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// The tree as an uncompressed archive.
///
/// # Errors
///
/// If a file of this machine in it cannot be read, or changed meanwhile.
pub fn archive(tree: &Tree) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (number, (path, node)) in (1..).zip(tree.nodes()) {
        match node {
            Node::Dir => entry(&mut out, number, path, DIR | 0o755, &[]),
            Node::File { content, mode } => {
                entry(&mut out, number, path, FILE | mode, &content.read()?)
            }
            Node::Link { target } => entry(&mut out, number, path, LINK | 0o777, target.as_bytes()),
        }
    }
    entry(&mut out, 0, "TRAILER!!!", 0, &[]);
    Ok(out)
}

fn entry(out: &mut Vec<u8>, inode: u32, path: &str, mode: u32, content: &[u8]) {
    let fields = [
        inode,
        mode,
        0, // uid
        0, // gid
        1, // links
        0, // mtime
        content.len() as u32,
        0, // device, major and minor
        0,
        0, // device node, major and minor
        0,
        path.len() as u32 + 1,
        0, // checksum, unused
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(content);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_cpio_program_reads_it() {
        let mut tree = Tree::default();
        tree.file("/init", "#!/bin/sh\n", 0o755);
        tree.link("/bin/sh", "busybox");
        let mut child = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(&archive(&tree).unwrap())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
        drwxr-xr-x   1 0        0               0 Jan  1  1970 bin
        lrwxrwxrwx   1 0        0               7 Jan  1  1970 bin/sh -> busybox
        -rwxr-xr-x   1 0        0              10 Jan  1  1970 init
        ");
    }
}
