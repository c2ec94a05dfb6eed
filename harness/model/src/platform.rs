//! Where a host comes from: the one table of platforms.

use serde::{Deserialize, Serialize};

use crate::reasons::Isa;

/// Where the host comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// Intel with VMX, emulated by Bochs; counts repeat bit for bit.
    BochsVmx,
    /// AMD with SVM, emulated by QEMU; counts repeat bit for bit.
    TcgSvm,
    /// This machine's processor through QEMU/KVM, on the real clock; nothing repeats.
    Nested,
    /// This machine as it is: its kernel carries the census already.
    Local,
    /// Another machine as it is, reached by SSH.
    Ssh,
}

/// What is known of a platform wherever it is asked.
struct Facts {
    platform: PlatformKind,
    /// What users, files and results call it.
    name: &'static str,
    /// Whether exitlab boots the host.
    boots: bool,
    /// Whether counts repeat bit for bit.
    repeats: bool,
    /// Whose exit reasons are counted, where the platform alone says it.
    isa: Option<Isa>,
}

/// The table. In the order of [`PlatformKind`].
const TABLE: [Facts; 5] = [
    facts(
        PlatformKind::BochsVmx,
        "bochs-vmx",
        true,
        true,
        Some(Isa::Vmx),
    ),
    facts(PlatformKind::TcgSvm, "tcg-svm", true, true, Some(Isa::Svm)),
    facts(PlatformKind::Nested, "nested", true, false, None),
    facts(PlatformKind::Local, "local", false, false, None),
    facts(PlatformKind::Ssh, "ssh", false, false, None),
];

const fn facts(
    platform: PlatformKind,
    name: &'static str,
    boots: bool,
    repeats: bool,
    isa: Option<Isa>,
) -> Facts {
    Facts {
        platform,
        name,
        boots,
        repeats,
        isa,
    }
}

impl PlatformKind {
    /// Every platform.
    pub const ALL: [PlatformKind; 5] = [
        PlatformKind::BochsVmx,
        PlatformKind::TcgSvm,
        PlatformKind::Nested,
        PlatformKind::Local,
        PlatformKind::Ssh,
    ];

    fn facts(self) -> &'static Facts {
        &TABLE[self as usize]
    }

    /// What users, files and results call it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The platform of that name.
    pub fn named(name: &str) -> Option<PlatformKind> {
        let row = TABLE.iter().find(|row| row.name == name)?;
        Some(row.platform)
    }

    /// The platform of a run, from what its record calls it: the name, and after a comma
    /// which of several ([`place`](Self::place)).
    pub fn of_place(place: &str) -> Option<PlatformKind> {
        PlatformKind::named(place.split(',').next().unwrap_or_default())
    }

    /// What a record calls the platform; `which` tells places apart that must not look alike.
    pub fn place(self, which: Option<&str>) -> String {
        match which {
            Some(which) => format!("{self}, {which}"),
            None => self.to_string(),
        }
    }

    /// Whether exitlab boots the host; else it is a machine that is used as it is, and
    /// nothing on it is changed.
    pub fn boots(self) -> bool {
        self.facts().boots
    }

    /// Whether counts on the platform repeat bit for bit.
    pub fn repeats(self) -> bool {
        self.facts().repeats
    }

    /// Whose exit reasons are counted there, if the platform alone says it.
    pub fn isa(self) -> Option<Isa> {
        self.facts().isa
    }
}

impl std::fmt::Display for PlatformKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// QEMU's accelerator for a host on [`PlatformKind::Nested`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// This machine's processor.
    Kvm,
    /// An emulated AMD processor on the real clock: the way of `nested` without what it
    /// needs, so that it is tried where no nested KVM is.
    Tcg,
}

/// QEMU counts in whole nanoseconds: `-icount shift=N` gives each instruction 2^N of
/// them. Beyond this shift the instructions of a second are no whole number.
pub const LARGEST_SHIFT: u32 = 9;

/// Nanoseconds of a second.
pub const NANOSECONDS: u64 = 1_000_000_000;

/// QEMU's `-icount shift` for that many instructions per second, if there is one.
pub fn icount_shift(instructions_per_second: u64) -> Option<u32> {
    (0..=LARGEST_SHIFT)
        .find(|shift| instructions_per_second.checked_mul(1 << shift) == Some(NANOSECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_row_and_its_name_everywhere() {
        for (row, platform) in TABLE.iter().zip(PlatformKind::ALL) {
            assert_eq!(row.platform, platform);
            assert_eq!(platform.facts().platform, platform);
            let json = serde_json::to_string(&platform).ok();
            assert_eq!(json, Some(format!("\"{}\"", platform.name())));
            assert_eq!(
                PlatformKind::of_place(&platform.place(Some("x"))),
                Some(platform)
            );
            assert_eq!(
                PlatformKind::of_place(&platform.place(None)),
                Some(platform)
            );
        }
        assert_eq!(PlatformKind::of_place("nested-ish"), None);
    }
}
