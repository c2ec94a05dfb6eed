//! The host kernel's log, `/dev/kmsg`: what was printed while something was tried.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// Beginnings of what a kernel says when its own code went wrong.
const ILLNESSES: [&str; 6] = [
    "BUG:",
    "Oops:",
    "general protection fault",
    "kernel BUG at",
    "UBSAN:",
    "WARNING:",
];

/// `/dev/kmsg` is read record by record; none is longer.
const RECORD: usize = 8192;

/// Records printed since some moment.
pub struct KernelLog {
    file: Option<File>,
}

impl KernelLog {
    /// Everything from now on. A host without `/dev/kmsg` has an empty log.
    pub fn from_now() -> KernelLog {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
            .open("/dev/kmsg");
        let file = file.ok().and_then(|mut file| {
            file.seek(SeekFrom::End(0)).ok()?;
            Some(file)
        });
        KernelLog { file }
    }

    /// Whether there is a log to read.
    pub fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// What was printed since this was asked last.
    pub fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(file) = &mut self.file else {
            return lines;
        };
        let mut record = [0; RECORD];
        loop {
            match file.read(&mut record) {
                Ok(0) => return lines,
                Ok(len) => lines.push(message(&record[..len])),
                // The kernel printed faster than we read, and dropped some.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                    lines.push("(records lost)".to_owned());
                }
                Err(_) => return lines,
            }
        }
    }

    /// A line that says that the kernel's own code went wrong.
    pub fn find_illness(&mut self) -> Option<String> {
        let lines = self.lines();
        let ill = |line: &String| ILLNESSES.iter().any(|illness| line.contains(illness));
        lines.into_iter().find(ill)
    }
}

/// The text of a record: `priority,number,time,flags;text`, and further lines with
/// properties.
fn message(record: &[u8]) -> String {
    let text = String::from_utf8_lossy(record);
    let line = text.lines().next().unwrap_or_default();
    line.split_once(';')
        .map_or(line, |(_, text)| text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_its_text() {
        let record = b"4,612,8123456,-;BUG: unable to handle page fault\n SUBSYSTEM=x\n";
        assert_eq!(message(record), "BUG: unable to handle page fault");
    }
}
