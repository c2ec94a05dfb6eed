//! Follows a file that an emulator is still writing, line by line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use exitlab_base::bounded::Lines;
use exitlab_base::error::{Error, Result};

/// Most bytes that one look reads: what comes faster must not keep everything else waiting.
const AT_ONCE: u64 = 1 << 20;

/// A file that grows. It need not exist yet.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
    /// How much was read so far, bytes.
    read: u64,
}

impl Growing {
    /// Follows `path` from its beginning; of a line, at most `longest` bytes are kept.
    pub fn new(path: &Path, longest: usize) -> Growing {
        Growing {
            path: path.to_owned(),
            file: None,
            lines: Lines::new(longest),
            read: 0,
        }
    }

    /// The lines that were completed since the last call, without their ends; of a file that
    /// grows fast, some of them.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(e) => return Err(Error::io("open", &self.path)(e)),
            };
        }
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        if let Some(file) = &mut self.file {
            file.take(AT_ONCE)
                .read_to_end(&mut bytes)
                .map_err(Error::io("read", &self.path))?;
        }
        self.read += bytes.len() as u64;
        self.lines.feed(&bytes, |line| lines.push(line));
        Ok(lines)
    }

    /// How much has been read, bytes.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// How much of a line that has not ended came so far, bytes.
    pub fn pending(&self) -> u64 {
        self.lines.pending()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_whole_lines_are_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut growing = Growing::new(&path, 100);
        assert!(
            growing.lines().unwrap().is_empty(),
            "the file does not exist yet"
        );
        let mut file = File::create(&path).unwrap();
        write!(file, "one\r\ntw").unwrap();
        assert_eq!(growing.lines().unwrap(), ["one"]);
        assert_eq!(growing.pending(), 2);
        writeln!(file, "o").unwrap();
        assert_eq!(growing.lines().unwrap(), ["two"]);
    }

    #[test]
    fn a_flood_is_taken_in_piece_by_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "y\n".repeat(1 << 20)).unwrap();
        let mut growing = Growing::new(&path, 100);
        assert_eq!(growing.lines().unwrap().len(), 1 << 19);
        assert_eq!(growing.lines().unwrap().len(), 1 << 19);
        assert!(growing.lines().unwrap().is_empty());
        assert_eq!(growing.read(), 2 << 20);
    }
}
