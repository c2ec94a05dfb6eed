//! The table of symbols of an ELF file (System V ABI, "Symbol Table"), of 32 or 64 bits, as lines
//! of nm(1). Only headers and tables are read: a kernel with what debuggers want to know has
//! hundreds of megabytes.

use std::fmt::Write;
use std::fs::File;
use std::io;

use object::read::ReadCache;
use object::{FileKind, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// Most bytes of a file, and so of its tables.
const MOST: u64 = 4 << 30;

/// What a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Lines "address type name": `T` for code, `D` for all else.
    Lines(String),
    /// It is an ELF file, and has none.
    NoTable,
    /// It is none.
    NoElf,
}

/// Reads a file's table.
pub(super) fn lines(file: &File) -> io::Result<Found> {
    if file.metadata()?.len() > MOST {
        return Err(io::Error::other("it has more than 4 GiB"));
    }
    let content = ReadCache::new(file);
    if !matches!(
        FileKind::parse(&content),
        Ok(FileKind::Elf32 | FileKind::Elf64)
    ) {
        return Ok(Found::NoElf);
    }
    let Ok(elf) = object::File::parse(&content) else {
        return Ok(Found::NoTable);
    };
    if elf.symbol_table().is_none() {
        return Ok(Found::NoTable);
    }
    let mut text = String::new();
    for symbol in elf.symbols() {
        // Of code and data that lie in a section; files and sections are symbols, too.
        let section = symbol.section_index();
        let section = section.and_then(|index| elf.section_by_index(index).ok());
        let (Some(section), Ok(name)) = (section, symbol.name()) else {
            continue;
        };
        let of_tools = matches!(symbol.kind(), SymbolKind::Section | SymbolKind::File);
        if of_tools || name.is_empty() || name.contains(char::is_whitespace) {
            continue;
        }
        let letter = match section.kind() {
            SectionKind::Text => 'T',
            _ => 'D',
        };
        let _ = writeln!(text, "{:x} {letter} {name}", symbol.address());
    }
    Ok(Found::Lines(text))
}

#[cfg(test)]
pub(super) mod tests {
    /// A file with these symbols, each in section 1, of code, or 2, of data.
    pub(in crate::own_symbols) fn file(bits: u32, symbols: &[(&str, u64, u16)]) -> Vec<u8> {
        let wide = bits == 64;
        let word = |number: u64| match wide {
            true => number.to_le_bytes().to_vec(),
            false => (number as u32).to_le_bytes().to_vec(),
        };
        let (mut names, mut table) = (vec![0], vec![0; if wide { 24 } else { 16 }]);
        for (name, address, section) in symbols {
            let (at, section) = ((names.len() as u32).to_le_bytes(), section.to_le_bytes());
            names.extend(name.as_bytes());
            names.push(0);
            table.extend(at);
            match wide {
                true => {
                    table.extend([2, 0]);
                    table.extend(section);
                    table.extend([word(*address), word(0)].concat());
                }
                false => {
                    table.extend([word(*address), word(0)].concat());
                    table.extend([2, 0]);
                    table.extend(section);
                }
            }
        }
        let head = if wide { 64 } else { 52 };
        let section = |kind: u32, flags: u64, offset: usize, size: usize, link: u32| {
            let mut header = [0_u32, kind].map(u32::to_le_bytes).concat();
            let (offset, size) = (word(offset as u64), word(size as u64));
            header.extend([word(flags), word(0), offset, size].concat());
            header.extend([link, 0].map(u32::to_le_bytes).concat());
            header.extend([word(0), word(0)].concat());
            header
        };
        let sections = [
            section(0, 0, 0, 0, 0),
            section(1, 6, 0, 0, 0),
            section(1, 3, 0, 0, 0),
            section(2, 0, head, table.len(), 4),
            section(3, 0, head + table.len(), names.len(), 0),
        ];
        let mut file = vec![0; head];
        file[..7].copy_from_slice(if wide {
            b"\x7fELF\x02\x01\x01"
        } else {
            b"\x7fELF\x01\x01\x01"
        });
        let at = word((head + table.len() + names.len()) as u64);
        let (offset, size) = if wide { (40, 58) } else { (32, 46) };
        file[offset..offset + at.len()].copy_from_slice(&at);
        file[size] = sections[0].len() as u8;
        file[size + 2] = sections.len() as u8;
        file[size + 4] = 4;
        file.extend(table);
        file.extend(names);
        file.extend(sections.concat());
        file
    }
}
