//! Follows a file that an emulator is still writing, line by line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use exitlab_base::error::{Error, Result};

/// A file that grows. It need not exist yet.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: Option<File>,
    pending: Vec<u8>,
}

impl Growing {
    /// Follows `path` from its beginning.
    pub fn new(path: &Path) -> Growing {
        Growing {
            path: path.to_owned(),
            file: None,
            pending: Vec::new(),
        }
    }

    /// The lines that were completed since the last call, without their ends.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(e) => return Err(Error::io("open", &self.path)(e)),
            };
        }
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut self.pending)
                .map_err(Error::io("read", &self.path))?;
        }
        let mut lines = Vec::new();
        let mut start = 0;
        while let Some(length) = self.pending[start..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.pending[start..start + length]);
            lines.push(line.trim_end_matches('\r').to_owned());
            start += length + 1;
        }
        self.pending.drain(..start);
        Ok(lines)
    }

    /// Whether a line was begun whose end has not come.
    pub fn is_cut_off(&self) -> bool {
        !self.pending.is_empty()
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
        let mut growing = Growing::new(&path);
        assert!(
            growing.lines().unwrap().is_empty(),
            "the file does not exist yet"
        );
        let mut file = File::create(&path).unwrap();
        write!(file, "one\r\ntw").unwrap();
        assert_eq!(growing.lines().unwrap(), ["one"]);
        assert!(growing.is_cut_off());
        writeln!(file, "o").unwrap();
        assert_eq!(growing.lines().unwrap(), ["two"]);
        assert!(!growing.is_cut_off());
    }
}
