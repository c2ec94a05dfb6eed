//! Files that a guest boots from, as far as their first bytes say what they are: what no guest
//! boots from is refused before anything is built for it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::layer::Entry;
use super::value::existing_file;
use exitlab_base::toml::Wrong;
use exitlab_model::plan::{DiskFormat, DiskPlan};

/// Bytes that are looked at: as far as the signature of a tar archive.
const HEAD: u64 = 512;

/// The least header of a qcow2 image, bytes: that of version 2.
const QCOW2_HEADER: u64 = 72;

/// A sector of a disk, bytes.
const SECTOR: u64 = 512;

/// A format that some file has which is given for another thing.
#[derive(Debug, Clone, Copy)]
struct Format {
    /// What people call it.
    name: &'static str,
    /// How it begins, and from which byte on.
    magic: (usize, &'static [u8]),
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A disk in a format that is converted first.
    Disk,
    /// Something that is unpacked first.
    Packed,
    /// A program or a kernel.
    Program,
}

const fn format(name: &'static str, at: usize, magic: &'static [u8], kind: Kind) -> Format {
    let magic = (at, magic);
    Format { name, magic, kind }
}

/// Of QEMU's block drivers, and of what images are packed with.
const FORMATS: [Format; 24] = [
    format("VMDK", 0, b"KDMV", Kind::Disk),
    format("VMDK", 0, b"COWD", Kind::Disk),
    format("VMDK", 0, b"# Disk DescriptorFile", Kind::Disk),
    format("VHDX", 0, b"vhdxfile", Kind::Disk),
    format("VHD", 0, b"conectix", Kind::Disk),
    format("VDI", 0x40, b"\x7f\x10\xda\xbe", Kind::Disk),
    format("QED", 0, b"QED\0", Kind::Disk),
    format("Parallels", 0, b"WithoutFreeSpace", Kind::Disk),
    format("Parallels", 0, b"WithouFreSpacExt", Kind::Disk),
    format("AFF", 0, b"AFF10\r\n", Kind::Disk),
    format("Android sparse", 0, b"\x3a\xff\x26\xed", Kind::Disk),
    format("gzip", 0, b"\x1f\x8b", Kind::Packed),
    format("xz", 0, b"\xfd7zXZ\x00", Kind::Packed),
    format("zip", 0, b"PK\x03\x04", Kind::Packed),
    format("zip", 0, b"PK\x05\x06", Kind::Packed),
    format("bzip2", 0, b"BZh", Kind::Packed),
    format("zstd", 0, b"\x28\xb5\x2f\xfd", Kind::Packed),
    format("LZ4", 0, b"\x04\x22\x4d\x18", Kind::Packed),
    format("LZ4", 0, b"\x02\x21\x4c\x18", Kind::Packed),
    format("lzip", 0, b"LZIP", Kind::Packed),
    format("7z", 0, b"7z\xbc\xaf\x27\x1c", Kind::Packed),
    format("RAR", 0, b"Rar!\x1a\x07", Kind::Packed),
    format("tar (OVA)", 257, b"ustar", Kind::Packed),
    format("ELF", 0, b"\x7fELF", Kind::Program),
];

impl Format {
    fn of(head: &[u8]) -> Option<Format> {
        let mut formats = FORMATS.into_iter();
        formats.find(|format| {
            let (at, magic) = format.magic;
            head.get(at..).is_some_and(|rest| rest.starts_with(magic))
        })
    }
}

/// A kernel for the guest.
pub(super) fn kernel(entry: &Entry<'_, String>) -> Result<PathBuf, Wrong> {
    let (path, head, _) = look(entry)?;
    refuse_kernel(&head)?;
    Ok(path)
}

fn refuse_kernel(head: &[u8]) -> Result<(), Wrong> {
    let name = match Format::of(head) {
        Some(format) if format.kind != Kind::Program => format.name,
        _ if head.starts_with(b"QFI\xfb") => "qcow2",
        _ => return Ok(()),
    };
    Err(Wrong::new(
        format!("is no kernel that boots: {name}"),
        "give a bzImage, or an ELF file with a multiboot or PVH header, unpacked; a disk goes to \
         guest.disk",
    ))
}

/// An initramfs for the guest. Linux unpacks it in most forms.
pub(super) fn initrd(entry: &Entry<'_, String>) -> Result<PathBuf, Wrong> {
    let (path, head, _) = look(entry)?;
    refuse_initrd(&head)?;
    Ok(path)
}

fn refuse_initrd(head: &[u8]) -> Result<(), Wrong> {
    let name = match Format::of(head) {
        Some(format) if format.kind != Kind::Packed => format.name,
        Some(Format { name, .. }) if ["zip", "7z", "RAR", "tar (OVA)"].contains(&name) => name,
        _ if head.starts_with(b"QFI\xfb") => "qcow2",
        _ => return Ok(()),
    };
    Err(Wrong::new(
        format!("is no initramfs: {name}"),
        "give a cpio archive (newc), packed or not",
    ))
}

/// A disk image that needs no other file.
pub(super) fn disk(entry: &Entry<'_, String>) -> Result<DiskPlan, Wrong> {
    let (path, head, size) = look(entry)?;
    let format = disk_format(&head, size)?;
    if format == DiskFormat::Raw && tail(&path, size).map_err(unreadable(&path))? == b"conectix" {
        return Err(to_convert("VHD"));
    }
    Ok(DiskPlan { path, format })
}

/// Whether it is a raw disk without what BIOS looks for (the signature of a boot sector).
pub(super) fn lacks_boot_sector(disk: &DiskPlan) -> bool {
    let head = head(&disk.path).unwrap_or_default();
    disk.format == DiskFormat::Raw && head.get(510..512) != Some(&[0x55, 0xaa])
}

/// The path of a file with something in it, its first bytes, and its size.
fn look(entry: &Entry<'_, String>) -> Result<(PathBuf, Vec<u8>, u64), Wrong> {
    let path = existing_file(entry)?;
    let head = head(&path).map_err(unreadable(&path))?;
    let size = std::fs::metadata(&path).map_err(unreadable(&path))?.len();
    if size == 0 {
        return Err(Wrong::new(
            format!("is empty: {}", path.display()),
            "copy or build that file again",
        ));
    }
    Ok((path, head, size))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Wrong {
    move |error| {
        let what = format!("cannot be read: {}: {error}", path.display());
        Wrong::new(what, "check the rights of that file")
    }
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// The beginning of the last sector, where a VHD of fixed size has its signature.
fn tail(path: &Path, size: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(size.saturating_sub(SECTOR)))?;
    let mut tail = Vec::new();
    file.take(8).read_to_end(&mut tail)?;
    Ok(tail)
}

fn to_convert(name: &str) -> Wrong {
    Wrong::new(
        format!("is a disk image in a format that guests here do not get: {name}"),
        "convert it: qemu-img convert -O qcow2 IMAGE NEW-IMAGE",
    )
}

/// The format of an image of `size` bytes that begins with `head`.
fn disk_format(head: &[u8], size: u64) -> Result<DiskFormat, Wrong> {
    if head.starts_with(b"QFI\xfb") {
        return qcow2(head, size);
    }
    match Format::of(head) {
        Some(Format { name, kind, .. }) => Err(match kind {
            Kind::Disk => to_convert(name),
            Kind::Packed => Wrong::new(
                format!("is no disk image but an archive: {name}"),
                "unpack it first, and give what is in it",
            ),
            Kind::Program => Wrong::new(
                format!("is no disk image but a program or kernel: {name}"),
                "give a kernel as guest.kernel",
            ),
        }),
        None if size < SECTOR => Err(Wrong::new(
            format!("is too short for a disk: {size} bytes"),
            "copy or build that file again",
        )),
        None => Ok(DiskFormat::Raw),
    }
}

/// A qcow2 image that is whole, and needs no other file and no key (QEMU's
/// `docs/interop/qcow2.txt`).
fn qcow2(head: &[u8], size: u64) -> Result<DiskFormat, Wrong> {
    let number = |at: usize, length: usize| {
        let bytes = head.get(at..at + length).unwrap_or_default();
        bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    };
    let version = number(4, 4);
    let (backing_file, crypt) = (number(8, 8), number(32, 4));
    let (table_length, table) = (number(36, 4), number(40, 8));
    let incompatible = if version >= 3 { number(72, 8) } else { 0 };
    if !(2..=3).contains(&version) {
        return Err(to_convert(&format!("qcow of version {version}")));
    }
    if backing_file != 0 || incompatible & 4 != 0 {
        return Err(Wrong::new(
            "needs another image beside it, which would not come along",
            "make it one file: qemu-img convert -O qcow2 IMAGE NEW-IMAGE",
        ));
    }
    if crypt != 0 {
        return Err(Wrong::new(
            "is encrypted, and nobody would give QEMU its key",
            "make one that is not: qemu-img convert",
        ));
    }
    if incompatible & 2 != 0 {
        return Err(Wrong::new(
            "is marked as corrupt",
            "repair a copy of it: qemu-img check -r all IMAGE",
        ));
    }
    if size < QCOW2_HEADER || table.saturating_add(8 * table_length) > size {
        return Err(Wrong::new(
            format!("is cut off: a qcow2 image of {size} bytes whose tables lie after its end"),
            "copy or build that file again",
        ));
    }
    Ok(DiskFormat::Qcow2)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A header of QEMU's qcow2, with a table that ends at 0x30010.
    fn header(version: u8, change: &[(usize, u8)]) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..4].copy_from_slice(b"QFI\xfb");
        header[7] = version;
        (header[39], header[45]) = (2, 3);
        for (at, byte) in change {
            header[*at] = *byte;
        }
        header
    }

    #[test]
    fn a_qcow2_image_says_what_it_needs() {
        const SIZE: u64 = 0x40000;
        let of =
            |version, change: &[(usize, u8)], size| disk_format(&header(version, change), size);
        assert_eq!(of(3, &[], SIZE).ok(), Some(DiskFormat::Qcow2));
        assert_eq!(of(2, &[(79, 4)], SIZE).ok(), Some(DiskFormat::Qcow2));
        for (version, change) in [(3, (15, 112)), (3, (79, 4)), (3, (79, 2)), (2, (35, 1))] {
            assert!(
                of(version, &[change], SIZE).is_err(),
                "{version} {change:?}"
            );
        }
        assert!(of(1, &[], SIZE).is_err());
        assert!(of(3, &[], 0x30000).is_err(), "cut off");
        assert!(disk_format(b"QFI\xfb\0\0\0\x03", 8).is_err());
    }

    #[test]
    fn what_is_no_disk_is_named() {
        assert_eq!(disk_format(&[0; 512], 512).ok(), Some(DiskFormat::Raw));
        assert!(disk_format(&[0; 511], 511).is_err());
        for format in FORMATS {
            let (at, magic) = format.magic;
            let mut head = vec![0; 512];
            head[at..at + magic.len()].copy_from_slice(magic);
            let wrong = disk_format(&head, 1 << 30).unwrap_err();
            assert!(format!("{wrong:?}").contains(format.name), "{wrong:?}");
            let disk_or_archive = format.kind != Kind::Program;
            assert_eq!(
                refuse_kernel(&head).is_err(),
                disk_or_archive,
                "{}",
                format.name
            );
        }
    }

    #[test]
    fn an_initramfs_may_be_packed_in_any_way_that_linux_unpacks() {
        for good in [
            &b"070701"[..],
            b"\x1f\x8b\x08",
            b"\x28\xb5\x2f\xfd",
            b"\x02\x21\x4c\x18",
        ] {
            assert!(refuse_initrd(good).is_ok());
        }
        for bad in [&b"PK\x03\x04"[..], b"\x7fELF", b"QFI\xfb", b"KDMV"] {
            assert!(refuse_initrd(bad).is_err());
        }
    }

    #[test]
    fn a_vhd_of_fixed_size_is_known_by_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        let mut disk = vec![0; 2048];
        disk[1536..1544].copy_from_slice(b"conectix");
        std::fs::write(&path, &disk).unwrap();
        assert_eq!(tail(&path, 2048).unwrap(), b"conectix");
    }

    #[test]
    fn only_a_raw_disk_without_the_signature_cannot_be_booted() {
        let dir = tempfile::tempdir().unwrap();
        let plan = |format| DiskPlan {
            path: dir.path().join("disk"),
            format,
        };
        let mut sector = vec![0; 512];
        std::fs::write(dir.path().join("disk"), &sector).unwrap();
        assert!(lacks_boot_sector(&plan(DiskFormat::Raw)));
        assert!(!lacks_boot_sector(&plan(DiskFormat::Qcow2)));
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(dir.path().join("disk"), &sector).unwrap();
        assert!(!lacks_boot_sector(&plan(DiskFormat::Raw)));
    }
}
