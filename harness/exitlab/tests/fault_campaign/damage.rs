//! Bytes that are not what they were.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dice::Dice;

/// The files in a directory, sorted.
pub fn files_of(dir: &Path) -> Vec<PathBuf> {
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
