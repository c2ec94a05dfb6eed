//! The ring buffers of a tracefs instance, one for each processor, as the kernel hands them out
//! without copying (`per_cpu/cpuN/trace_pipe_raw`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::page::{self, Events};
use crate::failure::Failure;
use crate::trace::{kernel_fs, trigger};

/// Most bytes of what the kernel tells of a buffer.
const MOST_STATS: u64 = 64 << 10;

/// The buffers.
#[derive(Debug)]
pub struct Rings {
    files: Vec<File>,
    stats: Vec<PathBuf>,
    page: Vec<u8>,
}

impl Rings {
    /// Those of the instance at `root`.
    pub fn open(root: &Path) -> Result<Rings, Failure> {
        let dir = root.join("per_cpu");
        let failed =
            |path: &Path, e| trigger::failed(format!("failed to read {}: {e}", path.display()));
        let entries = std::fs::read_dir(&dir).map_err(|e| failed(&dir, e))?;
        let number = |name: &std::ffi::OsStr| name.to_str()?.strip_prefix("cpu")?.parse().ok();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut numbers: Vec<u32> = names.filter_map(|name| number(&name)).collect();
        numbers.sort_unstable();
        let mut rings = Rings {
            files: Vec::new(),
            stats: Vec::new(),
            page: vec![0; page::BYTES],
        };
        for number in numbers {
            let of = dir.join(format!("cpu{number}"));
            let raw = of.join("trace_pipe_raw");
            let nonblocking = OFlags::NONBLOCK.bits() as i32;
            let file = OpenOptions::new()
                .read(true)
                .custom_flags(nonblocking)
                .open(&raw);
            rings.files.push(file.map_err(|e| failed(&raw, e))?);
            rings.stats.push(of.join("stats"));
        }
        Ok(rings)
    }

    /// Hands on every event that is there, processor by processor, but of each at most so many
    /// pages.
    ///
    /// # Errors
    /// If a buffer cannot be read, or holds what is none.
    pub fn drain(&mut self, pages: usize, mut hear: impl FnMut(u64, &[u8])) -> Result<(), String> {
        for file in &mut self.files {
            for _ in 0..pages {
                match file.read(&mut self.page) {
                    Ok(0) => break,
                    Ok(read) => {
                        let mut events = Events::of(self.page.get(..read).unwrap_or_default());
                        for (time, data) in events.by_ref() {
                            hear(time, data);
                        }
                        if events.malformed() {
                            return Err("the kernel's ring buffer has a page that is none".into());
                        }
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(format!("failed to read the kernel's ring buffer: {e}")),
                }
            }
        }
        Ok(())
    }

    /// How many events the kernel had no room for so far.
    pub fn lost(&self) -> Result<u64, String> {
        let mut sum = 0_u64;
        for path in &self.stats {
            let text = kernel_fs::text(path, MOST_STATS);
            let text = text.map_err(|e| format!("failed to read {}: {e}", path.display()))?;
            sum = sum.saturating_add(lost(&text));
        }
        Ok(sum)
    }
}

/// Of one processor: written over, interrupted by too many others, or without room.
fn lost(stats: &str) -> u64 {
    let of = |key: &str| {
        let value = stats.lines().find_map(|line| line.strip_prefix(key));
        value
            .and_then(|value| value.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let all = ["overrun:", "commit overrun:", "dropped events:"];
    all.into_iter()
        .fold(0, |sum, key| sum.saturating_add(of(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lost_is_added_up() {
        let stats = "entries: 4\noverrun: 3\ncommit overrun: 20\nbytes: 9\n\
                     oldest event ts:     1.5\nnow ts: 2.5\ndropped events: 100\nread events: 7\n";
        assert_eq!(lost(stats), 123);
        assert_eq!(lost("nothing"), 0);
    }

    #[test]
    fn every_processor_is_read_in_its_order() {
        let dir = tempfile::tempdir().unwrap();
        for (cpu, time) in [(10, 3), (2, 5)] {
            let of = dir.path().join(format!("per_cpu/cpu{cpu}"));
            std::fs::create_dir_all(&of).unwrap();
            let page = page::page(1, &[(time, &[1; 8]), (time + 1, &[2; 8])]);
            std::fs::write(of.join("trace_pipe_raw"), page).unwrap();
            std::fs::write(of.join("stats"), "overrun: 2").unwrap();
        }
        let mut rings = Rings::open(dir.path()).unwrap();
        let mut times = Vec::new();
        rings.drain(9, |time, _| times.push(time)).unwrap();
        assert_eq!(times, [5, 6, 3, 4]);
        assert_eq!(rings.lost(), Ok(4));
        std::fs::write(dir.path().join("per_cpu/cpu2/trace_pipe_raw"), [9; 4096]).unwrap();
        let mut rings = Rings::open(dir.path()).unwrap();
        assert!(rings.drain(9, |_, _| ()).unwrap_err().contains("none"));
    }
}
