//! Bytes that are not what they were.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::dice::Dice;
use crate::field::Field;

/// What of the cache can be made again within a campaign: the guest's image, the host's.
const PARTS: [&str; 2] = ["guest-image", "host-image"];

/// A file of the cache that a run of the campaign uses.
pub fn artifact(field: &Field, dice: &mut Dice) -> PathBuf {
    let mut build = field.exitlab();
    build.args(["build", dice.one(&PARTS), "--platform", "tcg-svm"]);
    build.args(["--set", "guest.machine=microvm"]);
    let output = build.stdout(Stdio::piped()).output().unwrap();
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // A neighbour as well: what was written down about it is no safer than itself.
    let dir = match path.is_dir() {
        true => path.as_path(),
        false => path.parent().unwrap(),
    };
    let files: Vec<PathBuf> = files_of(dir);
    files[dice.below(files.len())].canonicalize().unwrap()
}

fn files_of(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_file()).collect();
    files.sort();
    files
}

/// Damages them, and says how.
pub fn bytes(bytes: &mut Vec<u8>, dice: &mut Dice) -> &'static str {
    let at = dice.below(bytes.len().max(1));
    match dice.below(4) {
        0 if !bytes.is_empty() => {
            bytes[at] ^= 1 << dice.below(8);
            "a bit"
        }
        1 => {
            bytes.truncate(at);
            "the end missing"
        }
        2 => {
            let end = bytes.len().min(at + 512);
            bytes[at.min(end)..end].fill(0);
            "a sector of zeros"
        }
        _ => {
            bytes.clear();
            "nothing"
        }
    }
}

/// What may get into a stream of lines: old lines once more, halves of them, other bytes.
pub fn noise(stream: &[u8], dice: &mut Dice) -> Vec<u8> {
    let lines: Vec<&[u8]> = stream.split_inclusive(|byte| *byte == b'\n').collect();
    match dice.below(5) {
        0 if !lines.is_empty() => lines[dice.below(lines.len())].to_vec(),
        1 => (0..dice.below(64) + 1).map(|_| dice.any() as u8).collect(),
        2 => b"\n\n{\"event\":\"finished\"}\n".to_vec(),
        3 => b"[    3.141592] a line of the host's kernel\n".to_vec(),
        _ => {
            let length = dice.below(stream.len().max(1));
            stream[..length].to_vec()
        }
    }
}
