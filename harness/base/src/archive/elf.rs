//! What the headers of an ELF file say.

/// Whether a 64-bit ELF file names a dynamic linker (`PT_INTERP`); none if it is no
/// such file.
pub fn has_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: [u8; 4] = 3u32.to_le_bytes();
    let word = |offset: usize| {
        Some(u16::from_le_bytes(
            elf.get(offset..)?.first_chunk().copied()?,
        ))
    };
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = u64::from_le_bytes(elf.get(32..40)?.try_into().ok()?);
    let (size, count) = (usize::from(word(54)?), usize::from(word(56)?));
    let table = elf.get(usize::try_from(table).ok()?..)?;
    let headers = table
        .get(..size.checked_mul(count)?)?
        .chunks_exact(size.max(1));
    Some(
        headers
            .into_iter()
            .any(|header| header.starts_with(&PT_INTERP)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_static_from_dynamic() {
        let this = std::env::current_exe()
            .and_then(std::fs::read)
            .expect("this program");
        assert_eq!(
            has_interpreter(&this),
            Some(!cfg!(target_feature = "crt-static"))
        );
        assert_eq!(has_interpreter(b"#!/bin/sh"), None);
        assert_eq!(has_interpreter(&this[..60]), None);
        assert_eq!(has_interpreter(&elf_with_segment(3)), Some(true));
        assert_eq!(has_interpreter(&elf_with_segment(1)), Some(false));
    }

    /// The least that counts as an ELF program with one segment of that type.
    fn elf_with_segment(kind: u8) -> Vec<u8> {
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 1);
        elf.push(kind);
        elf.resize(64 + 56, 0);
        elf
    }
}
