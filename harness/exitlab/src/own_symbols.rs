//! Symbols of the user's own (`guest.symbols`): they name code of the guest that the guest does
//! not name itself, because nobody can log in, it hides its table, or it is no Linux.

mod elf;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use exitlab_analysis::log::Log;
use exitlab_base::error::{Error, Result};
use exitlab_model::record::{RunRecord, Source};
use exitlab_model::symbols::{Region, Symbols, Told};

/// Most bytes of a text that are read: a distribution's System.map has 6 million.
const MOST_TEXT: u64 = 64 << 20;

/// A file of symbols.
#[derive(Debug)]
pub struct OwnSymbols {
    path: PathBuf,
    symbols: Symbols,
}

impl OwnSymbols {
    /// Reads an ELF file with a table of symbols, or a text as `System.map` and nm(1) have it.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if it is neither, [`Error::Io`] if it cannot be read.
    pub fn read(path: &Path) -> Result<OwnSymbols> {
        let io = || Error::io("read", path);
        let mut file = File::open(path).map_err(io())?;
        let text = match elf::lines(&file).map_err(io())? {
            elf::Found::Lines(text) => text,
            elf::Found::NoTable => return Err(refused(path, "an ELF file without symbols")),
            elf::Found::NoElf => {
                let mut text = Vec::new();
                let read = file.by_ref().take(MOST_TEXT + 1).read_to_end(&mut text);
                if read.map_err(io())? as u64 > MOST_TEXT {
                    return Err(refused(path, "it is larger than 64 MiB, and no ELF file"));
                }
                String::from_utf8_lossy(&text).into_owned()
            }
        };
        let symbols = Symbols::parse(&text).map_err(|why| refused(path, &why.to_string()))?;
        Ok(OwnSymbols {
            path: path.to_owned(),
            symbols,
        })
    }

    /// Names the places of a run that have no names yet; those in its log, too, if there is one
    /// in `dir`. Only what names one of them is kept.
    pub fn name(&self, record: &mut RunRecord, dir: &Path) -> Result<()> {
        let mut seen = counted(record);
        if record.log.is_some() {
            for row in Log::open(dir)? {
                seen.insert(row?.exit.cause.rip);
            }
        }
        record.symbols = Some(self.told(record.symbols.take().unwrap_or_default(), &seen));
        Ok(())
    }

    fn told(&self, told: Told, seen: &BTreeSet<u64>) -> Told {
        let guests = Symbols::new(told.symbols.clone());
        let unnamed = seen.iter().filter(|at| guests.at(**at).is_none());
        let unnamed: Vec<u64> = unnamed.copied().collect();
        let more: Vec<_> = self
            .symbols
            .of(unnamed.iter().copied())
            .iter()
            .cloned()
            .collect();
        let kernel = |at: &u64| Region::of(*at) == Region::Kernel;
        let of_kernel = unnamed.iter().filter(|at| kernel(at)).count();
        let misses = of_kernel > 0 && !unnamed.iter().any(|at| kernel(at) && self.has(*at));
        let ours = self.symbols.iter().any(|symbol| kernel(&symbol.start));
        let lacks = match (told.symbols.is_empty(), misses && ours) {
            (true, true) => Some(format!(
                "none of the {of_kernel} addresses in the guest's kernel is in {}: it is another \
                 kernel's, or the guest was put elsewhere (KASLR; `nokaslr` on guest.cmdline \
                 keeps it where it was linked)",
                self.path.display()
            )),
            (true, false) if more.is_empty() => told.lacks.clone(),
            _ => None,
        };
        let mut symbols = told.symbols;
        symbols.extend(more);
        symbols.sort_by_key(|symbol| symbol.start);
        Told {
            symbols,
            mappings: told.mappings,
            lacks,
        }
    }

    fn has(&self, address: u64) -> bool {
        self.symbols.at(address).is_some()
    }
}

/// The addresses that were counted.
fn counted(record: &RunRecord) -> BTreeSet<u64> {
    let readings = record.samples.iter().filter_map(|s| s.trace.as_ref());
    let histograms = readings.flat_map(|reading| &reading.details);
    let places = histograms.filter(|histogram| histogram.source == Source::Place);
    places
        .flat_map(|places| places.entries.iter().map(|[_, address, _]| *address))
        .collect()
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Config {
        message: format!("guest.symbols names nothing: {}: {why}", path.display()),
        cure: "give the vmlinux or the System.map of the kernel that the guest boots, a program \
               with its symbols, or what nm(1) prints of it"
            .to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use exitlab_model::symbols::Symbol;

    const MAP: &str = "\
ffffffff81000000 T startup_64
ffffffff81000100 t io_serial_out
ffffffff81000200 D data
0000000000100000 T _start
";

    fn own() -> OwnSymbols {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("System.map");
        std::fs::write(&path, MAP).unwrap();
        OwnSymbols::read(&path).unwrap()
    }

    fn names(told: &Told) -> Vec<&str> {
        told.symbols.iter().map(|symbol| &*symbol.name).collect()
    }

    #[test]
    fn what_the_guest_does_not_name_is_named_and_nothing_else() {
        let guests = Told {
            symbols: vec![Symbol {
                start: 0xffff_ffff_8100_0100,
                name: "as_the_guest_says".to_owned(),
                module: None,
            }],
            ..Told::default()
        };
        let seen = [0xffff_ffff_8100_0110, 0x10_0004, 0xffff_ffff_8100_0204].into();
        let told = own().told(guests, &seen);
        assert_eq!(names(&told), ["_start", "as_the_guest_says"]);
        assert_eq!(told.lacks, None);
        let nobody = Told {
            symbols: Vec::new(),
            lacks: Some("nobody can log in".to_owned()),
            ..Told::default()
        };
        let told = own().told(nobody.clone(), &seen);
        assert_eq!(
            (names(&told), told.lacks.as_deref()),
            (vec!["_start", "io_serial_out"], None)
        );
        let told = own().told(nobody, &[5].into());
        assert_eq!(told.lacks.as_deref(), Some("nobody can log in"));
    }

    #[test]
    fn a_kernel_that_lies_elsewhere_is_told() {
        let told = own().told(Told::default(), &[0xffff_ffff_a100_0110].into());
        assert!(told.symbols.is_empty());
        let lacks = told.lacks.unwrap();
        assert!(lacks.starts_with("none of the 1 addresses"), "{lacks}");
        assert!(lacks.contains("nokaslr"), "{lacks}");
    }

    #[test]
    fn an_elf_file_says_the_same_as_its_text() {
        let dir = tempfile::tempdir().unwrap();
        for bits in [32, 64] {
            let path = dir.path().join(bits.to_string());
            let file = elf::tests::file(bits, &[("_start", 0x10_0000, 1), ("data", 0x10_0100, 2)]);
            std::fs::write(&path, file).unwrap();
            let own = OwnSymbols::read(&path).unwrap();
            let told = |at| own.symbols.told(at);
            assert_eq!(told(0x10_0007), "_start+0x7", "{bits}");
            assert_eq!(told(0x10_0104), "low memory", "{bits}");
        }
    }

    #[test]
    fn what_has_no_symbols_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let told = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            OwnSymbols::read(&path).unwrap_err().to_string()
        };
        let stripped = elf::tests::file(64, &[]);
        assert!(told(&stripped).contains("has no symbols of code"));
        assert!(told(&stripped[..70]).contains("an ELF file without symbols"));
        assert!(told(b"MZ").contains("lines 'address type name'"));
        assert!(OwnSymbols::read(&dir.path().join("none")).is_err());
    }
}
