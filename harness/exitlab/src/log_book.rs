//! The log of single exits on its way into its file: bytes of each vCPU as the agent sent them,
//! some eight for each exit.

use std::collections::BTreeMap;
use std::path::Path;

use crate::broken::broken;
use exitlab_analysis::log::{array, merged};
use exitlab_base::error::{Error, Result};
use exitlab_base::files::write_whole_with;
use exitlab_model::log::{LogPart, LogSummary};
use exitlab_model::stream::Broken;

/// Most bytes that are taken: more than the longest log has.
const MOST_BYTES: usize = 256 << 20;

/// Exits that came.
#[derive(Debug, Default)]
pub struct LogBook {
    streams: BTreeMap<u16, Vec<u8>>,
    bytes: usize,
}

impl LogBook {
    /// Takes in the next part.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] if there is more than there can be.
    pub fn take(&mut self, part: &LogPart) -> Result<()> {
        self.bytes = self.bytes.saturating_add(part.bytes.len());
        if self.bytes > MOST_BYTES {
            let most = format!("at most {} MiB of a log", MOST_BYTES >> 20);
            return Err(by_the_agent(most, "more of it"));
        }
        let stream = self.streams.entry(part.vcpu).or_default();
        stream.extend_from_slice(&part.bytes);
        Ok(())
    }

    /// Writes the file: all exits by time, then by vCPU.
    ///
    /// # Errors
    ///
    /// [`Error::Stream`] if what came is no log, or not the whole of it; [`Error::Io`] if the
    /// file cannot be written.
    pub fn write(&self, path: &Path, summary: &LogSummary) -> Result<()> {
        let expected = || format!("a log of {} exits", summary.exits);
        let broken = |came: String| by_the_agent(expected(), came);
        let mut came = 0_u64;
        for exit in merged(&self.streams) {
            exit.map_err(|malformed| broken(malformed.to_string()))?;
            came += 1;
        }
        if came != summary.exits {
            return Err(broken(format!("one of {came}")));
        }
        let rows = merged(&self.streams).map_while(std::result::Result::ok);
        write_whole_with(path, |file| array::write(file, came, rows))
    }
}

fn by_the_agent(expected: impl Into<String>, came: impl Into<String>) -> Error {
    broken(Broken::by_the_agent(expected, came))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_analysis::log::Log;
    use exitlab_base::error::exit_code;
    use exitlab_model::layout::LOG;
    use exitlab_model::log::{Cause, Encoder, LoggedExit};

    fn part(vcpu: u16, times: &[u64]) -> LogPart {
        let (mut encoder, mut bytes) = (Encoder::default(), Vec::new());
        for &time_ns in times {
            let exit = LoggedExit {
                time_ns,
                duration_ns: None,
                cause: Cause::default(),
                value: 0,
            };
            encoder.put(&exit, &mut bytes);
        }
        LogPart { vcpu, bytes }
    }

    fn summary(exits: u64) -> LogSummary {
        LogSummary {
            exits,
            ..LogSummary::default()
        }
    }

    #[test]
    fn vcpus_are_put_in_one_order_and_parts_may_end_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG);
        let mut book = LogBook::default();
        let whole = part(1, &[10, 300_000, 300_001]);
        let (one, two) = whole.bytes.split_at(whole.bytes.len() / 2);
        book.take(&part(0, &[11, 300_000])).unwrap();
        for bytes in [one, two] {
            let bytes = bytes.to_vec();
            book.take(&LogPart { vcpu: 1, bytes }).unwrap();
        }
        book.write(&path, &summary(5)).unwrap();
        let rows = Log::open(dir.path()).unwrap();
        let rows: Vec<_> = rows.map(|row| row.unwrap()).collect();
        let order: Vec<_> = rows
            .iter()
            .map(|row| (row.exit.time_ns, row.vcpu))
            .collect();
        assert_eq!(
            order,
            [(10, 1), (11, 0), (300_000, 0), (300_000, 1), (300_001, 1)]
        );
    }

    #[test]
    fn a_log_that_is_not_what_the_agent_says_is_a_broken_stream() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG);
        let mut book = LogBook::default();
        book.take(&part(0, &[1, 2])).unwrap();
        let error = book.write(&path, &summary(3)).unwrap_err();
        assert_eq!(error.exit_code(), exit_code::EXPERIMENT);
        let bytes = vec![0xff; 3];
        book.take(&LogPart { vcpu: 0, bytes }).unwrap();
        assert!(book.write(&path, &summary(2)).is_err());
        assert!(!path.exists());
    }
}
