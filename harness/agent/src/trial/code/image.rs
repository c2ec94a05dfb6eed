//! The kernel's memory: `/proc/kcore`, an ELF core file, or `/dev/mem`, where the kernel was
//! built with one of them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::symbols::Symbols;

/// The core file, by addresses of the kernel.
const KCORE: &str = "/proc/kcore";
/// The memory, by physical addresses, and the file that says where the kernel lies in it.
const MEM: &str = "/dev/mem";
const IOMEM: &str = "/proc/iomem";
/// What a line of the latter calls the kernel's code, and what the kernel calls its beginning.
const CODE: &str = "Kernel code";
const TEXT: &str = "_text";
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
    pub fn open(symbols: &Symbols) -> Result<Image, String> {
        Image::kcore().or_else(|kcore| {
            let mem = Image::mem(symbols);
            mem.map_err(|mem| format!("{KCORE}: {kcore}; {MEM}: {mem}"))
        })
    }

    fn kcore() -> Result<Image, String> {
        let file = File::open(KCORE).map_err(|e| e.to_string())?;
        let header = bytes(&file, 0, HEADER)?;
        let many = usize::from(half(&header, 56));
        let table = bytes(&file, word(&header, 32), many * PROGRAM_HEADER)?;
        let segments = table.chunks_exact(PROGRAM_HEADER).filter_map(segment);
        let segments = segments.collect();
        Ok(Image { file, segments })
    }

    /// The one segment is the kernel's code.
    fn mem(symbols: &Symbols) -> Result<Image, String> {
        let file = File::open(MEM).map_err(|e| e.to_string())?;
        let map = std::fs::read_to_string(IOMEM).map_err(|e| e.to_string())?;
        let (first, last) = code_in(&map).ok_or("no kernel in the map of memory")?;
        let text = symbols.functions(TEXT).next();
        let segment = Segment {
            address: text.ok_or("no beginning of the kernel's code")?.start,
            offset: first,
            len: last + 1 - first,
        };
        bytes(&file, first, 1)?;
        let segments = vec![segment];
        Ok(Image { file, segments })
    }

    /// Reads that many bytes at an address of the kernel.
    pub fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, String> {
        let has = |segment: &&Segment| {
            at >= segment.address && at - segment.address + len as u64 <= segment.len
        };
        let segment = self.segments.iter().find(has);
        let segment =
            segment.ok_or_else(|| format!("the kernel's memory has nothing at {at:#x}"))?;
        let offset = segment.offset + (at - segment.address);
        bytes(&self.file, offset, len)
            .map_err(|e| format!("failed to read the kernel's memory at {at:#x}: {e}"))
    }
}

fn bytes(file: &File, at: u64, len: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; len];
    let read = file.read_exact_at(&mut bytes, at);
    read.map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// First and last byte of the kernel's code: `  01000000-01ffffff : Kernel code`.
fn code_in(map: &str) -> Option<(u64, u64)> {
    let mut lines = map.lines().filter_map(|line| line.trim().split_once(" : "));
    let (range, _) = lines.find(|(_, name)| *name == CODE)?;
    let (first, last) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(first)?, number(last)?))
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
    fn the_map_of_memory_says_where_the_kernels_code_is() {
        let map = "00000000-00000fff : Reserved\n00100000-3fffffff : System RAM\n  \
                   01000000-019fffff : Kernel code\n  01a00000-01dfffff : Kernel rodata\n";
        assert_eq!(code_in(map), Some((0x0100_0000, 0x019f_ffff)));
        assert_eq!(code_in("00000000-00000fff : Reserved"), None);
    }

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
