//! Files that programs of a guest execute, and where they are in their address spaces: the
//! lines of `/proc/PID/maps` (proc_pid_maps(5)).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Begins a line that says whose mappings follow.
const PROGRAM: &str = "@ ";

/// Most mappings that are read: a desktop with its hundreds of programs has so many.
const MOST: usize = 1 << 17;

/// Longest name of a file, bytes (`PATH_MAX`).
const LONGEST: usize = 4096;

/// Programs that are named; of more, their number.
const SHOWN: usize = 3;

/// A part of a file that can be executed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// Where it begins in the file, bytes.
    pub offset: u64,
    /// The file, or what the kernel calls what is none: `[vdso]`; empty for memory alone.
    pub file: String,
    /// The programs that have it there (`/proc/PID/comm`), each once.
    pub programs: Vec<String>,
}

/// All that a guest's programs execute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings(Vec<Mapping>);

impl Mappings {
    /// Of these.
    pub fn new(mut mappings: Vec<Mapping>) -> Mappings {
        mappings.sort();
        Mappings(mappings)
    }

    /// Reads for each process a line `@ NAME`, and its `/proc/PID/maps`. Lines of other forms
    /// are passed over.
    pub fn parse(text: &str) -> Mappings {
        let mut found: Vec<Mapping> = Vec::new();
        let mut program = "";
        for line in text.lines() {
            match line.strip_prefix(PROGRAM) {
                Some(name) => program = name,
                None => found.extend(mapping(line, program)),
            }
            if found.len() >= MOST {
                break;
            }
        }
        found.sort();
        found.dedup_by(|next, first| {
            let bounds = |m: &Mapping| (m.start, m.end, m.offset);
            let same = bounds(next) == bounds(first) && next.file == first.file;
            if same && !first.programs.contains(&next.programs[0]) {
                first.programs.append(&mut next.programs);
            }
            same
        });
        Mappings(found)
    }

    /// Those that have one of these addresses.
    pub fn of(&self, addresses: impl IntoIterator<Item = u64>) -> Vec<Mapping> {
        let found = addresses.into_iter().flat_map(|address| self.at(address));
        let mut found: Vec<Mapping> = found.cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    /// Those that have this address: several, where it is another's in another program.
    fn at(&self, address: u64) -> impl Iterator<Item = &Mapping> {
        let all = self.0.iter();
        all.filter(move |mapping| (mapping.start..mapping.end).contains(&address))
    }

    /// Where in which file, and of which programs: `busybox+0x1037f (init, sh)`; with ` or `
    /// between the files that it can be.
    pub fn told(&self, address: u64) -> Option<String> {
        let told: Vec<String> = self
            .at(address)
            .map(|mapping| format!("{}+{:#x}{mapping}", mapping.name(), mapping.place(address)))
            .collect();
        (!told.is_empty()).then(|| told.join(" or "))
    }
}

impl Mapping {
    fn name(&self) -> &str {
        match self.file.rsplit('/').next() {
            Some(name) if !name.is_empty() => name,
            _ => "memory",
        }
    }

    /// In the file; of memory alone, in the mapping.
    fn place(&self, address: u64) -> u64 {
        (address - self.start).wrapping_add(self.offset)
    }
}

impl fmt::Display for Mapping {
    /// ` (init, sh)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.programs.iter().take(SHOWN);
        let shown: Vec<&str> = shown.map(String::as_str).collect();
        let others = self.programs.len().saturating_sub(SHOWN);
        match others {
            0 => write!(f, " ({})", shown.join(", ")),
            _ => write!(f, " ({}, {others} more)", shown.join(", ")),
        }
    }
}

/// `START-END PERMISSIONS OFFSET DEVICE INODE   FILE`
fn mapping(line: &str, program: &str) -> Option<Mapping> {
    let (fields, file) = match line.find(['/', '[']) {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    let mut fields = fields.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let hexadecimal = |digits| u64::from_str_radix(digits, 16).ok();
    let executed = fields.next()?.as_bytes().get(2) == Some(&b'x');
    let mapping = Mapping {
        start: hexadecimal(start)?,
        end: hexadecimal(end)?,
        offset: hexadecimal(fields.next()?)?,
        file: file.trim_end_matches(" (deleted)").to_owned(),
        programs: vec![program.to_owned()],
    };
    let whole = mapping.start < mapping.end && file.len() <= LONGEST && !program.is_empty();
    (executed && whole).then_some(mapping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAPS: &str = "\
@ init
00400000-00401000 r--p 00000000 00:02 20                                 /bin/busybox
00401000-005e4000 r-xp 00001000 00:02 20                                 /bin/busybox
7ffe0000b000-7ffe0000d000 r-xp 00000000 00:00 0                          [vdso]
@ sh
00401000-005e4000 r-xp 00001000 00:02 20                                 /bin/busybox
@ a program
00401000-00402000 r-xp 00000000 00:02 21                                 /opt/with space (deleted)
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
no line of it
";

    #[test]
    fn an_address_is_told_by_file_and_programs() {
        let all = Mappings::parse(MAPS);
        let told = |address| all.told(address);
        let busybox = "busybox+0x10380 (init, sh)";
        assert_eq!(told(0x41_0380).as_deref(), Some(busybox));
        assert_eq!(
            told(0x40_1004).as_deref(),
            Some("with space+0x4 (a program) or busybox+0x1004 (init, sh)")
        );
        assert_eq!(
            told(0x7ffe_0000_b010).as_deref(),
            Some("[vdso]+0x10 (init)")
        );
        assert_eq!(
            told(0x7f00_0000_0010).as_deref(),
            Some("memory+0x10 (a program)")
        );
        // Not executed, and nobody's.
        assert_eq!([told(0x40_0000), told(0x5e_4000)], [None, None]);
    }

    #[test]
    fn those_that_are_needed_tell_the_same() {
        let all = Mappings::parse(MAPS);
        let few = all.of([0x41_0380, 0x41_0390, 7]);
        assert_eq!(few.len(), 1);
        assert_eq!(Mappings::new(few).told(0x41_0380), all.told(0x41_0380));
    }

    #[test]
    fn of_many_programs_some_are_named() {
        let line = "00401000-005e4000 r-xp 00001000 00:02 20 /bin/busybox\n";
        let text: String = (0..5).map(|n| format!("@ p{n}\n{line}")).collect();
        let told = Mappings::parse(&text).told(0x40_1000);
        assert_eq!(told.as_deref(), Some("busybox+0x1000 (p0, p1, p2, 2 more)"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(@ [a-z]\\n|[0-9a-f]{1,17}-[0-9a-f]{1,17} [rwx-]{1,4} [0-9a-f]{1,17} \\PC*\\n|\\PC*\\n)*", address: u64) {
            let all = Mappings::parse(&text);
            prop_assert_eq!(Mappings::new(all.of([address])).told(address), all.told(address));
        }
    }
}
