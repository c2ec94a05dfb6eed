//! The file of a log, read row by row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{Row, array};
use exitlab_base::error::{Error, Result};
use exitlab_model::layout::LOG;
use exitlab_model::log::MOST;

/// The log of a run. After an error nothing follows.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: GzDecoder<BufReader<File>>,
    count: u64,
    left: u64,
}

impl Log {
    /// That of a results directory.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if there is none, or what is there is none.
    pub fn open(dir: &Path) -> Result<Log> {
        let path = dir.join(LOG);
        if !path.is_file() {
            return Err(Error::Config {
                message: format!("{} has no log of exits", dir.display()),
                cure: "run it with sampling.log = true and the channel \"trace\"; attach writes \
                       no log"
                    .to_owned(),
            });
        }
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let mut file = GzDecoder::new(BufReader::new(file));
        let rows = array::rows(&mut file).ok().flatten();
        match rows.filter(|rows| *rows <= MOST) {
            Some(count) => Ok(Log {
                path,
                file,
                count,
                left: count,
            }),
            None => Err(damaged(
                &path,
                "it does not begin as a log of this version does",
            )),
        }
    }

    /// How many exits are in it.
    pub fn exits(&self) -> u64 {
        self.count
    }

    fn read(&mut self) -> Result<Row> {
        let mut bytes = [0; array::ROW];
        let at = self.count - self.left;
        if self.file.read_exact(&mut bytes).is_err() {
            let what = format!(
                "it ends at exit {at} of {}, or is damaged there",
                self.count
            );
            return Err(damaged(&self.path, &what));
        }
        array::row(&bytes).ok_or_else(|| {
            damaged(
                &self.path,
                &format!("exit {at} is none that a kernel tells"),
            )
        })
    }

    /// Nothing follows the last exit, and the whole of it is what was written.
    fn end(&mut self) -> Result<()> {
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            _ => Err(damaged(&self.path, "its last exit is not its end")),
        }
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Config {
        message: format!("{} is damaged: {what}", path.display()),
        cure: "run the experiment again".to_owned(),
    }
}

impl Iterator for Log {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let mut row = self.read();
        self.left -= 1;
        if row.is_ok() && self.left == 0 {
            row = row.and_then(|row| self.end().map(|()| row));
        }
        if row.is_err() {
            self.left = 0;
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture;
    use proptest::prelude::*;

    fn read(dir: &Path) -> Result<Vec<Row>> {
        Log::open(dir)?.collect()
    }

    #[test]
    fn what_is_written_is_read_and_is_the_same_bytes_again() {
        let dir = tempfile::tempdir().unwrap();
        let rows = fixture::rows();
        fixture::write(dir.path(), &rows);
        let first = std::fs::read(dir.path().join(LOG)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), rows);
        fixture::write(dir.path(), &rows);
        assert_eq!(std::fs::read(dir.path().join(LOG)).unwrap(), first);
        // Flags and time of the compressed file.
        assert_eq!(first[3..8], [0; 5]);
        fixture::write(dir.path(), &[]);
        assert_eq!(read(dir.path()).unwrap(), []);
    }

    #[test]
    fn what_is_no_log_is_told_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let words = |dir: &Path| read(dir).unwrap_err().to_string();
        assert!(words(dir.path()).contains("has no log of exits"));
        let path = dir.path().join(LOG);
        std::fs::write(&path, "none").unwrap();
        assert!(words(dir.path()).contains("does not begin"));
        fixture::write(dir.path(), &fixture::rows());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 12]).unwrap();
        assert!(words(dir.path()).contains("damaged"));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused(at: prop::sample::Index, bit in 0..8_u8, cut: prop::sample::Index) {
            let dir = tempfile::tempdir().unwrap();
            fixture::write(dir.path(), &fixture::rows());
            let path = dir.path().join(LOG);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bytes.truncate(1 + cut.index(bytes.len() - 1));
            std::fs::write(&path, bytes).unwrap();
            let _ = read(dir.path());
        }
    }
}
