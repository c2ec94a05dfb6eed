//! Addresses of a guest's code by name: the symbols of a kernel, as `/proc/kallsyms`,
//! `System.map` and nm(1) write them, and what an address without one can be.

mod mapping;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use mapping::{Mapping, Mappings};

/// Most symbols that are kept: a distribution's kernel with its modules has 200,000.
const MOST: usize = 1 << 20;

/// Farthest that code reaches from its symbol, bytes: behind the last symbol of a module, and
/// of the kernel, other things begin.
const LONGEST: u64 = 1 << 16;

/// Longest name, bytes (`KSYM_NAME_LEN`).
const LONGEST_NAME: usize = 512;

/// Where the upper half of the address space begins, which x86's kernels have to themselves.
const KERNEL: u64 = 0xffff_8000_0000_0000;

/// Where real mode ends, but for 64 KiB less 16 bytes.
const REAL_MODE: u64 = 1 << 20;

/// A symbol of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Symbol {
    /// Its address.
    pub start: u64,
    /// Its name.
    pub name: String,
    /// The module that it belongs to; none in the kernel itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// What a guest tells of its code: as much as names the addresses that were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Symbols of its kernel, by address.
    pub symbols: Vec<Symbol>,
    /// What its programs execute, of those that ran when it was asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mappings: Vec<Mapping>,
    /// Why there are no symbols.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacks: Option<String>,
}

/// The symbols of one kernel, and what programs execute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    /// By address, one for each.
    symbols: Vec<Symbol>,
    /// Where something begins that is no code, by address.
    others: Vec<u64>,
    mappings: Mappings,
}

/// Why a text is no table of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSymbols {
    /// No line has the form "address type name".
    NoTable,
    /// Every address is zero: the kernel hides them.
    Hidden,
    /// More lines than any kernel has.
    TooMany,
}

impl fmt::Display for NoSymbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoSymbols::NoTable => {
                "it has no symbols of code (lines 'address type name', as in System.map)"
            }
            NoSymbols::Hidden => {
                "all its addresses are zero: the kernel hides them (kernel.kptr_restrict)"
            }
            NoSymbols::TooMany => "it has more than a million symbols",
        })
    }
}

impl Symbols {
    /// Of these symbols of code.
    pub fn new(mut symbols: Vec<Symbol>) -> Symbols {
        symbols.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
        symbols.dedup_by_key(|symbol| symbol.start);
        Symbols {
            symbols,
            ..Symbols::default()
        }
    }

    /// Reads lines "address type name", with `[module]` where it is one's. Lines of other forms
    /// are passed over, undefined and absolute symbols have no place in memory.
    ///
    /// # Errors
    /// If there is no symbol of code in it.
    pub fn parse(text: &str) -> Result<Symbols, NoSymbols> {
        let (mut symbols, mut others) = (Vec::new(), Vec::new());
        let mut hidden = false;
        for (address, kind, symbol) in text.lines().filter_map(line) {
            if symbols.len() + others.len() >= MOST {
                return Err(NoSymbols::TooMany);
            }
            match kind {
                'a' | 'A' | 'u' | 'U' => {}
                't' | 'T' | 'w' | 'W' if address == 0 => hidden = true,
                't' | 'T' | 'w' | 'W' => symbols.push(symbol),
                _ => others.push(address),
            }
        }
        match (symbols.is_empty(), hidden) {
            (true, true) => return Err(NoSymbols::Hidden),
            (true, false) => return Err(NoSymbols::NoTable),
            (false, _) => {}
        }
        others.sort_unstable();
        Ok(Symbols {
            others,
            ..Symbols::new(symbols)
        })
    }

    /// The symbol whose code has this address, with how far into it that is, bytes.
    pub fn at(&self, address: u64) -> Option<(&Symbol, u64)> {
        let after = self
            .symbols
            .partition_point(|symbol| symbol.start <= address);
        let symbol = self.symbols.get(after.checked_sub(1)?)?;
        let offset = address - symbol.start;
        // Data between the two: the code ended before.
        let after = self.others.partition_point(|other| *other <= address);
        let other = after.checked_sub(1).and_then(|at| self.others.get(at));
        let ended = offset >= LONGEST || other.is_some_and(|other| *other > symbol.start);
        (!ended).then_some((symbol, offset))
    }

    /// Those that have one of these addresses: what is left is enough to name them.
    pub fn of(&self, addresses: impl IntoIterator<Item = u64>) -> Symbols {
        let found = addresses.into_iter().filter_map(|address| self.at(address));
        Symbols::new(found.map(|(symbol, _)| symbol.clone()).collect())
    }

    /// All of them, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter()
    }

    /// What is called so at this address: `name+0x1f`, with `[module]` where it is one's; of a
    /// program its file, `busybox+0x1f (init)`. Below 4 GiB that is not certain, and the name says
    /// so: firmware, or a kernel that unpacked itself, may have been there before.
    ///
    /// The tracepoint gives `RIP`, which in real mode is an offset within the code segment.
    pub fn name(&self, address: u64) -> Option<String> {
        if let Some((symbol, offset)) = self.at(address) {
            let module = symbol.module.as_ref();
            let module = module.map(|name| format!(" [{name}]")).unwrap_or_default();
            return Some(format!("{}+{offset:#x}{module}", symbol.name));
        }
        let told = self.mappings.told(address)?;
        Some(match Region::of(address) {
            region @ (Region::Early | Region::Low) => format!("{told} or {region}"),
            Region::User | Region::Kernel => told,
        })
    }

    /// What is at this address: its name, or what kind of place it is.
    pub fn told(&self, address: u64) -> String {
        let name = self.name(address);
        name.unwrap_or_else(|| Region::of(address).to_string())
    }
}

impl From<Told> for Symbols {
    fn from(told: Told) -> Symbols {
        Symbols {
            mappings: Mappings::new(told.mappings),
            ..Symbols::new(told.symbols)
        }
    }
}

/// What an address without a symbol can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Below 1 MiB: firmware, a boot loader, or the kernel's first code.
    Early,
    /// From 1 MiB to 4 GiB: a kernel that unpacks itself, firmware that moved itself, a program.
    Low,
    /// From 4 GiB up in the lower half: a program.
    User,
    /// In the upper half: a kernel, whose symbols do not have it.
    Kernel,
}

impl Region {
    /// Of this address.
    pub fn of(address: u64) -> Region {
        match address {
            ..REAL_MODE => Region::Early,
            REAL_MODE..0x1_0000_0000 => Region::Low,
            0x1_0000_0000..KERNEL => Region::User,
            KERNEL.. => Region::Kernel,
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Region::Early => "firmware or real mode",
            Region::Low => "low memory",
            Region::User => "user space",
            Region::Kernel => "kernel",
        })
    }
}

fn line(line: &str) -> Option<(u64, char, Symbol)> {
    let mut words = line.split_ascii_whitespace();
    let start = u64::from_str_radix(words.next()?, 16).ok()?;
    let mut kind = words.next()?.chars();
    let (Some(letter), None) = (kind.next(), kind.next()) else {
        return None;
    };
    let name = words.next().filter(|name| name.len() <= LONGEST_NAME)?;
    let name = name.to_owned();
    let module = words.next().and_then(|word| {
        let name = word.strip_prefix('[')?.strip_suffix(']')?;
        (name.len() <= LONGEST_NAME).then(|| name.to_owned())
    });
    let symbol = Symbol {
        start,
        name,
        module,
    };
    Some((start, letter, symbol))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KALLSYMS: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000040 t later
ffffffff81000100 D some_data
ffffffff81000200 W maybe
ffffffffc0000000 t probe\t[virtio_net]
not a line
";

    fn table() -> Symbols {
        Symbols::parse(KALLSYMS).unwrap()
    }

    #[test]
    fn an_address_is_named_by_the_symbol_before_it() {
        let told = |address| table().told(address);
        assert_eq!(told(0xffff_ffff_8100_0004), "_text+0x4");
        assert_eq!(told(0xffff_ffff_8100_0040), "later+0x0");
        assert_eq!(told(0xffff_ffff_8100_00ff), "later+0xbf");
        assert_eq!(told(0xffff_ffff_8100_0201), "maybe+0x1");
        assert_eq!(told(0xffff_ffff_c000_0010), "probe+0x10 [virtio_net]");
    }

    #[test]
    fn what_has_no_symbol_is_told_by_where_it_is() {
        let told = |address| table().told(address);
        // Data, code that is too far behind the last symbol, and before the first.
        assert_eq!(told(0xffff_ffff_8100_0100), "kernel");
        assert_eq!(told(0xffff_ffff_c002_0000), "kernel");
        assert_eq!(told(0xffff_ffff_80ff_ffff), "kernel");
        assert_eq!(told(0xfff0), "firmware or real mode");
        assert_eq!(told(0x40_1000), "low memory");
        assert_eq!(told(0x7fff_0000_1000), "user space");
    }

    #[test]
    fn a_program_is_named_where_the_kernel_has_no_symbol() {
        let mapping = |start: u64| Mapping {
            start,
            end: start + 0x1000,
            offset: 0x2000,
            file: "/bin/busybox".to_owned(),
            programs: vec!["init".to_owned()],
        };
        let symbols = Symbols::from(Told {
            symbols: table().iter().cloned().collect(),
            mappings: [0x40_1000, 0x7fff_0000_1000].map(mapping).to_vec(),
            lacks: None,
        });
        let told = |address| symbols.told(address);
        assert_eq!(told(0x7fff_0000_1010), "busybox+0x2010 (init)");
        assert_eq!(told(0x7fff_0000_2000), "user space");
        // A kernel may have unpacked itself there.
        assert_eq!(told(0x40_1010), "busybox+0x2010 (init) or low memory");
        assert_eq!(told(0xffff_ffff_8100_0041), "later+0x1");
        assert_eq!(symbols.name(0x50_0000), None);
    }

    #[test]
    fn those_that_are_needed_name_the_same() {
        let few = table().of([0xffff_ffff_8100_0044, 0xffff_ffff_c000_0000, 7]);
        let names: Vec<_> = few.iter().map(|symbol| symbol.name.as_str()).collect();
        assert_eq!(names, ["later", "probe"]);
        assert_eq!(few.told(0xffff_ffff_8100_0044), "later+0x4");
    }

    #[test]
    fn a_text_without_symbols_is_refused_with_the_reason() {
        let hidden = "0000000000000000 T _text\n0000000000000000 t later\n";
        assert_eq!(Symbols::parse(hidden), Err(NoSymbols::Hidden));
        for text in [
            "",
            "MZ\0",
            "ffffffff81000000 D data",
            "ffffffff81000000 TT two",
        ] {
            assert_eq!(Symbols::parse(text), Err(NoSymbols::NoTable), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", address: u64) {
            if let Ok(symbols) = Symbols::parse(&text) {
                let _ = symbols.told(address);
            }
        }

        #[test]
        fn the_nearest_symbol_below_is_found(mut starts in prop::collection::vec(0..1u64 << 20, 1..50), address in 0..1u64 << 20) {
            let text: String = starts.iter().map(|at| format!("{at:x} t s{at}\n")).collect();
            starts.retain(|at| *at != 0 && *at <= address);
            let expected = starts.iter().max().filter(|at| address - **at < LONGEST);
            let symbols = Symbols::parse(&text);
            let found = symbols.as_ref().ok().and_then(|symbols| symbols.at(address));
            prop_assert_eq!(found.map(|(symbol, _)| symbol.start), expected.copied());
        }
    }
}
