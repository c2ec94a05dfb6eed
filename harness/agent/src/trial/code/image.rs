//! `/proc/kcore`: the kernel's memory as an ELF core file, where it was built with one.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The file.
const KCORE: &str = "/proc/kcore";
/// Bytes of an ELF header, and of a program header, of 64 bits.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// A segment that is in memory (`PT_LOAD`).
const LOAD: u32 = 1;

/// The kernel's memory.
pub struct Image {
    file: File,
    segments: Vec<Segment>,
}

/// Where a piece of it is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    address: u64,
    offset: u64,
    len: u64,
}

impl Image {
    /// Opens it.
    pub fn open() -> Result<Image, String> {
        let file = File::open(KCORE)
            .map_err(|_| format!("this kernel has no {KCORE} (CONFIG_PROC_KCORE)"))?;
        let read = |at: u64, len: usize| {
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, at)
                .map_err(|e| format!("failed to read {KCORE}: {e}"))?;
            Ok::<_, String>(bytes)
        };
        let header = read(0, HEADER)?;
        let many = usize::from(half(&header, 56));
        let table = read(word(&header, 32), many * PROGRAM_HEADER)?;
        let segments = table.chunks_exact(PROGRAM_HEADER).filter_map(segment);
        let segments = segments.collect();
        Ok(Image { file, segments })
    }

    /// Reads that many bytes at an address of the kernel.
    pub fn read(&mut self, at: u64, len: usize) -> Result<Vec<u8>, String> {
        let has = |segment: &&Segment| {
            at >= segment.address && at - segment.address + len as u64 <= segment.len
        };
        let segment = self.segments.iter().find(has);
        let segment = segment.ok_or_else(|| format!("{KCORE} has nothing at {at:#x}"))?;
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, segment.offset + (at - segment.address))
            .map_err(|e| format!("failed to read {KCORE} at {at:#x}: {e}"))?;
        Ok(bytes)
    }
}

/// A program header: type, flags, offset, virtual and physical address, sizes.
fn segment(header: &[u8]) -> Option<Segment> {
    let kind = word(header, 0) as u32;
    (kind == LOAD).then(|| Segment {
        offset: word(header, 8),
        address: word(header, 16),
        len: word(header, 40),
    })
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_memory_is_a_segment() {
        let mut header = [0; PROGRAM_HEADER];
        assert_eq!(segment(&header), None);
        header[0] = 1;
        header[8..16].copy_from_slice(&0x1000_u64.to_le_bytes());
        header[16..24].copy_from_slice(&0xffff_ffff_8100_0000_u64.to_le_bytes());
        header[40..48].copy_from_slice(&0x2000_u64.to_le_bytes());
        let found = segment(&header).unwrap();
        assert_eq!((found.offset, found.len), (0x1000, 0x2000));
    }
}
