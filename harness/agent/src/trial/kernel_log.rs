//! The host kernel's log, `/dev/kmsg`: what was printed while something was tried.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use exitlab_model::rule::{Illness, illness_in};

/// `/dev/kmsg` is read record by record; none is longer.
const RECORD: usize = 8192;
/// Records that are kept of one look; what comes on top is counted only.
const KEPT: usize = 1000;
/// Records that one look reads at most: a kernel may print faster than anybody reads.
const MOST: usize = 50_000;
/// How long a kernel that went wrong may take to say where.
const SAYING: Duration = Duration::from_millis(200);
/// The level of messages up to which they go to the console, as first of four numbers.
const LEVELS: &str = "/proc/sys/kernel/printk";
/// Seconds, half of those after which a processor counts as stuck; and whether that is the
/// end (Documentation/admin-guide/sysctl/kernel.rst).
const THRESHOLD: &str = "/proc/sys/kernel/watchdog_thresh";
const PANIC: &str = "/proc/sys/kernel/softlockup_panic";

/// Records printed since some moment.
pub struct KernelLog {
    file: Option<File>,
}

/// What was printed: how many lines, and the first of them.
#[derive(Debug, Default)]
pub struct Printed {
    /// The first lines.
    pub lines: Vec<String>,
    /// How many there were.
    pub count: usize,
}

/// Has the host's kernel speak of what matters, where it can be told to.
///
/// Messages are kept off the console, which is slow: a kernel that prints a lot would stand
/// still for it. What a kernel says of its own death is shown whatever the level, and raises
/// it again. A loop that does not end is its death, within twice the threshold: on a host with
/// one processor nothing else could tell.
pub fn prepare() {
    for (file, value) in [(LEVELS, "1"), (THRESHOLD, "4"), (PANIC, "1")] {
        let _ = std::fs::write(file, value);
    }
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
    pub fn printed(&mut self) -> Printed {
        let mut printed = Printed::default();
        let Some(file) = &mut self.file else {
            return printed;
        };
        let mut record = [0; RECORD];
        while printed.count < MOST {
            match file.read(&mut record) {
                Ok(0) => break,
                Ok(len) => {
                    printed.count += 1;
                    if printed.lines.len() < KEPT {
                        printed.lines.push(message(&record[..len]));
                    }
                }
                // The kernel printed faster than we read, and dropped some.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => printed.count += 1,
                Err(_) => break,
            }
        }
        printed
    }

    /// What says that the kernel's own code went wrong, with the place where it is told.
    pub fn find_illness(&mut self) -> Option<Illness> {
        let mut lines = self.printed().lines;
        let illness = illness_in(&lines)?;
        if illness.place.is_some() {
            return Some(illness);
        }
        std::thread::sleep(SAYING);
        lines.extend(self.printed().lines);
        illness_in(&lines)
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
