//! What a module says of itself (`include/linux/module.h`, `MODULE_INFO`): texts `name=value`
//! in the section `.modinfo` of an ELF file, each ended by a zero.

/// Other modules that a module needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Those whose symbols it uses: without them it does not load.
    pub hard: Vec<String>,
    /// Those that it asks for at work, and loads without.
    pub soft: Vec<String>,
}

/// A module's name as the kernel has it: files write some with dashes.
pub fn name(file: &str) -> String {
    file.replace('-', "_")
}

/// What the module `elf` needs; none if it is no 64-bit ELF file with a `.modinfo`.
pub fn needs(elf: &[u8]) -> Option<Needs> {
    let info = section(elf, b".modinfo")?;
    let mut needs = Needs::default();
    for text in info.split(|byte| *byte == 0) {
        let Ok(text) = std::str::from_utf8(text) else {
            continue;
        };
        match text.split_once('=') {
            Some(("depends", list)) => {
                let names = list.split(',').filter(|name| !name.is_empty());
                needs.hard.extend(names.map(name));
            }
            // `pre: a b post: c`
            Some(("softdep", list)) => {
                let words = list.split_whitespace();
                let before = words.skip_while(|word| *word != "pre:").skip(1);
                needs
                    .soft
                    .extend(before.take_while(|word| !word.ends_with(':')).map(name));
            }
            _ => {}
        }
    }
    Some(needs)
}

/// The contents of a section (ELF-64, section header table).
fn section<'a>(elf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size) = (number::<8>(elf, 40)?, number::<2>(elf, 58)?);
    let count = number::<2>(elf, 60)?;
    let header = |i: usize| table.checked_add(i.checked_mul(size)?);
    let content = |header: usize| {
        let from = number::<8>(elf, header.checked_add(24)?)?;
        elf.get(from..from.checked_add(number::<8>(elf, header.checked_add(32)?)?)?)
    };
    let names = content(header(number::<2>(elf, 62)?)?)?;
    (0..count).find_map(|i| {
        let header = header(i)?;
        let own = names.get(number::<4>(elf, header)?..)?;
        let is_it = own.starts_with(name) && own.get(name.len()) == Some(&0);
        is_it.then(|| content(header)).flatten()
    })
}

/// A little-endian number of `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let mut value = [0; 8];
    value[..N].copy_from_slice(bytes.get(at..at.checked_add(N)?)?);
    usize::try_from(u64::from_le_bytes(value)).ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The least that is a module with these texts.
    pub fn module(texts: &str) -> Vec<u8> {
        let names = b"\0.modinfo\0.names\0";
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let info_at = elf.len();
        elf.extend_from_slice(texts.as_bytes());
        let names_at = elf.len();
        elf.extend_from_slice(names);
        let table = elf.len();
        elf[40..48].copy_from_slice(&(table as u64).to_le_bytes());
        (elf[58], elf[60], elf[62]) = (64, 3, 2);
        elf.resize(table + 3 * 64, 0);
        let sections = [(1, info_at, texts.len()), (10, names_at, names.len())];
        for (i, (name, at, length)) in sections.into_iter().enumerate() {
            let header = table + 64 * (i + 1);
            elf[header] = name;
            elf[header + 24..][..8].copy_from_slice(&(at as u64).to_le_bytes());
            elf[header + 32..][..8].copy_from_slice(&(length as u64).to_le_bytes());
        }
        elf
    }

    #[test]
    fn needs_are_read_from_the_module() {
        let elf = module("license=GPL\0depends=kvm,crypto-ccp\0softdep=pre: crc32c a-b post: x\0");
        let needs = needs(&elf).unwrap();
        assert_eq!(needs.hard, ["kvm", "crypto_ccp"]);
        assert_eq!(needs.soft, ["crc32c", "a_b"]);
        assert_eq!(super::needs(&module("depends=\0")), Some(Needs::default()));
    }

    #[test]
    fn what_is_no_module_tells_nothing() {
        let whole = module("depends=kvm\0");
        for length in 0..whole.len() {
            // No byte less may be read beyond the end.
            let _ = needs(&whole[..length]);
        }
        for file in [&b""[..], b"\x7fELF\x02\x01", b"#!/bin/sh", &[0xff; 200]] {
            assert_eq!(needs(file), None);
        }
        let mut far = whole;
        far[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(needs(&far), None);
    }
}
