//! The disk that a host on Bochs boots from: a loader of ten sectors (`boot.S`), then the
//! kernel as it will lie in memory.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::image::CYLINDER;
use exitlab_base::artifact::{Cache, KeyBuilder};
use exitlab_base::error::{Error, Result};
use exitlab_base::tool;

const LOADER: &str = include_str!("boot.S");
const IMAGE: &str = "boot.img";

const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// Where `boot.S` has its parameters, its command line, and its end.
const PARAMETERS: usize = 0x800;
/// In the parameters: how many initramfses there are, and where the first one is.
const MODULES: usize = 12;
const MODULE: usize = 16;
const COMMAND_LINE: usize = 0x900;
const KERNEL: usize = 10 * SECTOR;

/// The disk with the uncompressed kernel `vmlinux`, whose command line is `words`, and an
/// initramfs if it has one; built, or found in the cache.
pub async fn build(
    cache: &Cache,
    vmlinux: &Path,
    initramfs: Option<&Path>,
    words: &str,
) -> Result<PathBuf> {
    let digest = cache.file_digest(vmlinux)?;
    let mut key = KeyBuilder::new()
        .text("kernel", digest.hex())
        .text("command line", words)
        .text("loader", LOADER);
    if let Some(initramfs) = initramfs {
        key = key.text("initramfs", cache.file_digest(initramfs)?.hex());
    }
    for program in ["as", "ld"] {
        let version = tool::require_version(program, &["--version"], "makes the boot disk")?;
        key = key.text(program, version);
    }
    let artifact = cache
        .get_or_build("boot-disk", &key.build(), async |dir: &Path| {
            let loader = assemble(dir).await?;
            let read = |path: &Path| std::fs::read(path).map_err(Error::io("read", path));
            let (elf, initramfs) = (read(vmlinux)?, initramfs.map(read).transpose()?);
            let image =
                image(loader, &elf, initramfs.as_deref(), words).map_err(|why| Error::Build {
                    stage: "boot disk".to_owned(),
                    message: format!("{}: {why}", vmlinux.display()),
                    tail: Vec::new(),
                    cure: "report this as a mistake of exitlab".to_owned(),
                })?;
            let path = dir.join(IMAGE);
            std::fs::write(&path, image).map_err(Error::io("write", path))
        })
        .await?;
    Ok(artifact.dir.join(IMAGE))
}

/// The loader's bytes.
async fn assemble(dir: &Path) -> Result<Vec<u8>> {
    let at = |name: &str| dir.join(name);
    std::fs::write(at("boot.S"), LOADER).map_err(Error::io("write", at("boot.S")))?;
    let mut assembler = Command::new("as");
    assembler
        .args(["--32", "-o", "boot.o", "boot.S"])
        .current_dir(dir);
    tool::run("boot disk: as", assembler, &at("as.log")).await?;
    let mut linker = Command::new("ld");
    linker
        .args(["-m", "elf_i386", "-Ttext=0x7c00", "--oformat=binary"])
        .args(["-o", "boot.bin", "boot.o"])
        .current_dir(dir);
    tool::run("boot disk: ld", linker, &at("ld.log")).await?;
    std::fs::read(at("boot.bin")).map_err(Error::io("read", at("boot.bin")))
}

/// The whole disk.
fn image(
    mut disk: Vec<u8>,
    elf: &[u8],
    initramfs: Option<&[u8]>,
    words: &str,
) -> Result<Vec<u8>, String> {
    let mut kernel = Memory::of(elf).ok_or("is no kernel with a PVH entry")?;
    let module = initramfs.map(|initramfs| kernel.append(initramfs));
    let room = KERNEL - COMMAND_LINE - 1;
    if words.len() > room {
        return Err(format!("its command line is longer than {room} characters"));
    }
    disk.resize(KERNEL, 0);
    let sectors = kernel.bytes.len().div_ceil(SECTOR) as u32;
    for (i, value) in [sectors, kernel.address, kernel.entry].iter().enumerate() {
        disk[PARAMETERS + 4 * i..][..4].copy_from_slice(&value.to_le_bytes());
    }
    if let Some(place) = module {
        disk[PARAMETERS + MODULES] = 1;
        for (i, value) in place.iter().enumerate() {
            disk[PARAMETERS + MODULE + 8 * i..][..8].copy_from_slice(&value.to_le_bytes());
        }
    }
    disk[COMMAND_LINE..][..words.len()].copy_from_slice(words.as_bytes());
    disk.extend_from_slice(&kernel.bytes);
    disk.resize(disk.len().next_multiple_of(CYLINDER as usize), 0);
    Ok(disk)
}

/// What an ELF file becomes in memory.
struct Memory {
    /// Physical address of the first byte.
    address: u32,
    /// Physical address of the PVH entry.
    entry: u32,
    /// Everything that is loaded.
    bytes: Vec<u8>,
    /// Physical address after what is loaded and what the kernel clears (`.bss`, `.brk`).
    end: usize,
}

impl Memory {
    const LOAD: u32 = 1;
    const NOTE: u32 = 4;
    /// `XEN_ELFNOTE_PHYS32_ENTRY`.
    const PVH_ENTRY: u32 = 18;

    /// None if it is no 64-bit ELF file with a PVH entry.
    fn of(elf: &[u8]) -> Option<Memory> {
        if !elf.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let (mut entry, mut loaded, mut end) = (None, Vec::new(), 0);
        let (table, size) = (number::<8>(elf, 32)?, number::<2>(elf, 54)?);
        for i in 0..number::<2>(elf, 56)? {
            let header = table + i * size;
            let offset = number::<8>(elf, header + 8)?;
            let length = number::<8>(elf, header + 32)?;
            let bytes = elf.get(offset..offset.checked_add(length)?)?;
            match number::<4>(elf, header)? as u32 {
                Memory::LOAD => {
                    let address = number::<8>(elf, header + 24)?;
                    loaded.push((address, bytes));
                    end = end.max(address.checked_add(number::<8>(elf, header + 40)?)?);
                }
                Memory::NOTE => entry = entry.or_else(|| pvh_entry(bytes)),
                _ => {}
            }
        }
        let start = loaded.iter().map(|(address, _)| *address).min()?;
        let mut memory = Vec::new();
        for (address, bytes) in loaded {
            let at = address - start;
            let end = at.checked_add(bytes.len())?;
            memory.resize(memory.len().max(end), 0);
            memory[at..end].copy_from_slice(bytes);
        }
        Some(Memory {
            address: start.try_into().ok()?,
            entry: entry?,
            bytes: memory,
            end,
        })
    }

    /// Puts an initramfs behind the kernel, on a page of its own: its address and size.
    fn append(&mut self, initramfs: &[u8]) -> [u64; 2] {
        let start = self.address as usize;
        let at = self
            .end
            .max(start + self.bytes.len())
            .next_multiple_of(PAGE);
        self.bytes.resize(at - start, 0);
        self.bytes.extend_from_slice(initramfs);
        [at as u64, initramfs.len() as u64]
    }
}

/// The entry that a segment of notes names.
fn pvh_entry(mut notes: &[u8]) -> Option<u32> {
    loop {
        let [name, content] = [0, 4].map(|at| number::<4>(notes, at));
        let (name, content) = (name?, content?);
        let start = 12 + name.next_multiple_of(4);
        let is_pvh = number::<4>(notes, 8)? as u32 == Memory::PVH_ENTRY;
        if is_pvh && notes.get(12..12 + name)? == b"Xen\0" {
            return number::<4>(notes, start).map(|entry| entry as u32);
        }
        notes = notes.get(start + content.next_multiple_of(4)..)?;
    }
}

/// A little-endian number of `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let mut value = [0; 8];
    value[..N].copy_from_slice(bytes.get(at..at.checked_add(N)?)?);
    usize::try_from(u64::from_le_bytes(value)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What a segment takes in memory, more than in the file.
    const MEMORY: u8 = 100;

    /// Two segments with a gap, and a note of another program's before the one that counts.
    fn elf() -> Vec<u8> {
        let mut elf = vec![0; 64 + 3 * 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 3;
        let note = |name: &[u8; 4], kind: u8, entry: u32| {
            let mut note = vec![4, 0, 0, 0, 4, 0, 0, 0, kind, 0, 0, 0];
            note.extend_from_slice(name);
            note.extend_from_slice(&entry.to_le_bytes());
            note
        };
        let notes = [note(b"GNU\0", 18, 1), note(b"Xen\0", 18, 0x100_0010)].concat();
        let parts: [(u8, u64, &[u8]); 3] = [
            (1, 0x100_0000, b"text"),
            (1, 0x100_0008, b"data"),
            (4, 0, &notes),
        ];
        for (i, (kind, address, bytes)) in parts.into_iter().enumerate() {
            let header = 64 + 56 * i;
            elf[header] = kind;
            let offset = elf.len() as u64;
            elf[header + 8..][..8].copy_from_slice(&offset.to_le_bytes());
            elf[header + 24..][..8].copy_from_slice(&address.to_le_bytes());
            elf[header + 32] = bytes.len() as u8;
            elf[header + 40] = MEMORY;
            elf.extend_from_slice(bytes);
        }
        elf
    }

    #[test]
    fn the_kernel_lies_on_the_disk_as_in_memory() {
        let disk = image(vec![0xfa; KERNEL], &elf(), None, "quiet").unwrap();
        assert_eq!(disk.len() as u64 % CYLINDER, 0);
        let parameter = |i: usize| number::<4>(&disk, PARAMETERS + 4 * i).unwrap();
        assert_eq!([0, 1, 2].map(parameter), [1, 0x100_0000, 0x100_0010]);
        assert!(disk[COMMAND_LINE..].starts_with(b"quiet"));
        assert!(disk[KERNEL..].starts_with(b"text\0\0\0\0data\0"));
    }

    #[test]
    fn an_initramfs_lies_behind_what_the_kernel_clears() {
        let zeros = vec![0; KERNEL];
        let disk = image(zeros, &elf(), Some(b"070701"), "quiet").unwrap();
        assert_eq!(number::<4>(&disk, PARAMETERS + MODULES), Some(1));
        let place = [0, 8].map(|at| number::<8>(&disk, PARAMETERS + MODULE + at).unwrap());
        assert_eq!(place, [0x100_1000, 6]);
        assert!(disk[KERNEL + 0x1000..].starts_with(b"070701"));
        let sectors = number::<4>(&disk, PARAMETERS).unwrap();
        assert_eq!(sectors, (0x1000_usize + 6).div_ceil(SECTOR));
    }

    #[test]
    fn what_is_no_kernel_is_refused() {
        let no_kernel: [&[u8]; 3] = [b"", b"\x7fELF\x02\x01", b"MZ"];
        for bytes in no_kernel {
            assert!(image(Vec::new(), bytes, None, "").is_err());
        }
        let long = "x".repeat(KERNEL);
        assert!(image(Vec::new(), &elf(), None, &long).is_err());
    }

    #[tokio::test]
    async fn the_loader_is_as_long_as_it_says_and_can_be_booted() {
        let dir = tempfile::tempdir().unwrap();
        let loader = assemble(dir.path()).await.unwrap();
        assert_eq!(loader.len(), KERNEL);
        assert_eq!(loader[510..512], [0x55, 0xaa]);
    }
}
