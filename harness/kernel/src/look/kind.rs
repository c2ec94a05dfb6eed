//! What a file is that is no bzImage, by its beginning: what people hand in by mistake.

/// Beginnings, and what begins so.
const BEGINNINGS: [(&[u8], &str); 20] = [
    (b"\x7fELF", "an ELF file (vmlinux, a module or a program)"),
    (b"\x1f\x8b", "a file compressed with gzip"),
    (b"BZh", "a file compressed with bzip2"),
    (b"\xfd7zXZ\0", "a file compressed with xz"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd"),
    (b"\x04\x22\x4d\x18", "a file compressed with lz4"),
    (b"\x02\x21\x4c\x18", "a file compressed with lz4"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"!<arch>", "a Debian package or a static library"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"070701", "a cpio archive, as an initramfs is"),
    (b"hsqs", "a SquashFS image"),
    (b"QFI\xfb", "a disk image of QEMU's (qcow2)"),
    (b"KDMV", "a disk image of VMware's (vmdk)"),
    (b"vhdxfile", "a disk image of Hyper-V's (vhdx)"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, and not the file that it stands for",
    ),
];

/// Where the magic number of the boot protocol is (Documentation/arch/x86/boot.rst).
const MAGIC: std::ops::Range<usize> = 0x202..0x206;

/// What the file is, if it is no kernel of the x86 boot protocol; none if it may be one.
pub fn other_than_kernel(image: &[u8]) -> Option<String> {
    if image.is_empty() {
        return Some("it is empty".to_owned());
    }
    if image.get(MAGIC) == Some(b"HdrS") {
        return None;
    }
    let named = BEGINNINGS
        .iter()
        .find(|(beginning, _)| image.starts_with(beginning));
    let kind = match named {
        Some((_, kind)) => *kind,
        None if image.get(257..262) == Some(b"ustar") => "a tar archive",
        None if image.get(0x38..0x3c) == Some(b"ARMd") => "a kernel for 64-bit ARM",
        None if image.iter().all(|byte| *byte == 0) => "nothing but zeros",
        None if is_text(image) => "a text",
        None if image.starts_with(b"MZ") => "a program for EFI or Windows",
        None if image.get(510..512) == Some(&[0x55, 0xaa]) => {
            "a boot sector or a disk image, without the header of a Linux kernel"
        }
        None => "no bzImage: the mark HdrS at byte 514 is missing",
    };
    Some(format!("it is {kind}"))
}

/// By its first 4 KiB.
fn is_text(image: &[u8]) -> bool {
    let start = &image[..image.len().min(4096)];
    // A character may be cut at the end.
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&start[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    !text.is_empty() && text.chars().all(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_it_is() {
        let mut tar = vec![b'a'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        tar[300] = 0;
        let mut sector = vec![0xeb; 512];
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        let files: [(&[u8], &str); 9] = [
            (b"", "it is empty"),
            (b"\x7fELF\x02", "vmlinux"),
            (b"Dear teacher,\n\xc3\xa4", "a text"),
            (b"#!/bin/sh\n", "a text"),
            (&[0; 5000], "nothing but zeros"),
            (&tar, "a tar archive"),
            (&sector, "a boot sector"),
            (b"PK\x03\x04\0\0", "a zip archive"),
            (b"\x90\x91\x00", "HdrS"),
        ];
        for (bytes, kind) in files {
            let told = other_than_kernel(bytes);
            assert!(
                told.as_deref().is_some_and(|told| told.contains(kind)),
                "{told:?}"
            );
        }
    }
}
