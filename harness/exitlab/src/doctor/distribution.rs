//! Distributions: what they call the packages that exitlab needs, and what installs them. The
//! names are in one table, which `scripts/install-prerequisites` reads, too.

use std::path::Path;

use exitlab_base::need::Search;

/// One line for each package: for what, its name on Debian, Ubuntu, Fedora, Arch and openSUSE
/// (`-` where there is none, or none that will do), and what else can be done.
const TABLE: &str = include_str!("../../../../scripts/packages.csv");
/// In place of a package that a distribution does not have.
const NONE: &str = "-";
/// The column of what else can be done, which may hold commas.
const OTHERWISE: usize = 6;

/// A distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distribution {
    /// And what is made of it, as far as it has its packages.
    Debian,
    Ubuntu,
    /// And what is made of it, or like it.
    Fedora,
    Arch,
    OpenSuse,
    /// None of these.
    Other,
}

/// What `ID` and `ID_LIKE` of `/etc/os-release` say (os-release(5)). Ubuntu's own say Debian,
/// too, so it comes first.
const IDS: [(&str, Distribution); 10] = [
    ("ubuntu", Distribution::Ubuntu),
    ("debian", Distribution::Debian),
    ("fedora", Distribution::Fedora),
    ("rhel", Distribution::Fedora),
    ("arch", Distribution::Arch),
    ("opensuse", Distribution::OpenSuse),
    ("opensuse-leap", Distribution::OpenSuse),
    ("opensuse-tumbleweed", Distribution::OpenSuse),
    ("suse", Distribution::OpenSuse),
    ("sles", Distribution::OpenSuse),
];

impl Distribution {
    /// That of the machine of `search`.
    pub(super) fn of(search: &Search) -> Distribution {
        let read = |path| std::fs::read_to_string(search.below_root(Path::new(path)));
        let release = read("/etc/os-release").or_else(|_| read("/usr/lib/os-release"));
        let has_apt = search.below_root(Path::new("/usr/bin/apt-get")).is_file();
        match named(&release.unwrap_or_default()) {
            Distribution::Other if has_apt => Distribution::Debian,
            named => named,
        }
    }

    fn column(self) -> Option<usize> {
        match self {
            Distribution::Debian => Some(1),
            Distribution::Ubuntu => Some(2),
            Distribution::Fedora => Some(3),
            Distribution::Arch => Some(4),
            Distribution::OpenSuse => Some(5),
            Distribution::Other => None,
        }
    }

    /// What installs packages, without a name of one.
    fn installs(self) -> Option<&'static str> {
        match self {
            Distribution::Debian | Distribution::Ubuntu => {
                Some("apt-get install --no-install-recommends")
            }
            Distribution::Fedora => Some("dnf install"),
            Distribution::Arch => Some("pacman -S --needed"),
            Distribution::OpenSuse => Some("zypper install"),
            Distribution::Other => None,
        }
    }

    /// What to do for packages that are missing, by Debian's names: one command for all that
    /// there are, then what else can be done for each that there is not.
    pub(super) fn cures(self, packages: &[&str], superuser: bool) -> Vec<String> {
        let (Some(column), Some(installs)) = (self.column(), self.installs()) else {
            let names = packages.join(" ");
            let cure = format!("install what is missing; Debian's packages for it are: {names}");
            return vec![cure];
        };
        let (mut names, mut others): (Vec<&str>, Vec<String>) = Default::default();
        for debian in packages {
            let row = row(debian);
            let name = row.as_ref().map_or(*debian, |row| row[column]);
            // Debian's table holds one version of several.
            let name = if column == 1 { *debian } else { name };
            let other = row.as_ref().map_or("", |row| row[OTHERWISE]);
            match name {
                NONE if other.is_empty() => {
                    others.push(format!("install {debian} from its source"))
                }
                NONE => others.push(format!("there is no package of {debian} here: {other}")),
                name if !names.contains(&name) => names.push(name),
                _ => {}
            }
            if column == 1 && debian.starts_with(SOURCE) {
                others.push(format!("if {debian} is not to be had, {other}"));
            }
        }
        let sudo = if superuser { "" } else { "sudo " };
        let command = format!("{sudo}{installs} {}", names.join(" "));
        let command = (!names.is_empty()).then_some(command);
        command.into_iter().chain(others).collect()
    }
}

/// Packages with a kernel's source, of any version.
const SOURCE: &str = "linux-source-";

/// The line of the table for one of Debian's packages.
fn row(debian: &str) -> Option<Vec<&'static str>> {
    let is_it = |row: &Vec<&str>| {
        row.len() == OTHERWISE + 1
            && (row[1] == debian || row[1].starts_with(SOURCE) && debian.starts_with(SOURCE))
    };
    let rows = TABLE.lines().skip(1);
    rows.map(|line| line.splitn(OTHERWISE + 1, ',').collect())
        .find(is_it)
}

fn named(release: &str) -> Distribution {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    let names = [value("ID="), value("ID_LIKE=")].map(Option::unwrap_or_default);
    let words: Vec<&str> = names
        .iter()
        .flat_map(|name| name.split_whitespace())
        .collect();
    let found = IDS.iter().find(|(id, _)| words.contains(id));
    found.map_or(Distribution::Other, |(_, distribution)| *distribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGED: [Distribution; 5] = [
        Distribution::Debian,
        Distribution::Ubuntu,
        Distribution::Fedora,
        Distribution::Arch,
        Distribution::OpenSuse,
    ];

    #[test]
    fn a_machine_says_what_it_is() {
        for (release, distribution) in [
            ("PRETTY_NAME=\"Debian\"\nID=debian\n", Distribution::Debian),
            ("ID=ubuntu\nID_LIKE=debian\n", Distribution::Ubuntu),
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                Distribution::Ubuntu,
            ),
            ("ID=fedora\n", Distribution::Fedora),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Distribution::Fedora,
            ),
            ("ID=manjaro\nID_LIKE=arch\n", Distribution::Arch),
            (
                "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n",
                Distribution::OpenSuse,
            ),
            ("ID=nixos\n", Distribution::Other),
            ("", Distribution::Other),
        ] {
            assert_eq!(named(release), distribution, "{release}");
        }
    }

    #[test]
    fn the_table_is_whole() {
        for line in TABLE.lines() {
            let row: Vec<&str> = line.splitn(OTHERWISE + 1, ',').collect();
            assert_eq!(row.len(), OTHERWISE + 1, "{line}");
            assert!(["for", "run", "need", "tests"].contains(&row[0]), "{line}");
            let plain = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
            let names = &row[1..OTHERWISE];
            assert!(
                names
                    .iter()
                    .all(|name| !name.is_empty() && name.chars().all(plain)),
                "{line}"
            );
            // Where a run lacks a package, something else will do.
            assert!(
                row[0] != "run" || !names.contains(&NONE) || !row[OTHERWISE].is_empty(),
                "{line}"
            );
        }
    }

    #[test]
    fn each_distribution_has_its_names_and_its_command() {
        let missing = [
            "xorriso",
            "libelf-dev",
            "bochs",
            "linux-source-6.1",
            "qemu-system-data",
        ];
        let cures = PACKAGED.map(|distribution| distribution.cures(&missing, false).join("\n  "));
        insta::assert_snapshot!(cures.join("\n"), @"
        sudo apt-get install --no-install-recommends xorriso libelf-dev bochs linux-source-6.1 qemu-system-data
          if linux-source-6.1 is not to be had, set kernel.source to a kernel tree or tarball, or git:REPOSITORY#REVISION, or package:PATH.deb
        sudo apt-get install --no-install-recommends xorriso libelf-dev bochs qemu-system-data
          there is no package of linux-source-6.1 here: set kernel.source to a kernel tree or tarball, or git:REPOSITORY#REVISION, or package:PATH.deb
        sudo dnf install xorriso elfutils-libelf-devel qemu-system-x86-core
          there is no package of bochs here: use --platform tcg-svm or nested
          there is no package of linux-source-6.1 here: set kernel.source to a kernel tree or tarball, or git:REPOSITORY#REVISION, or package:PATH.deb
        sudo pacman -S --needed libisoburn libelf qemu-system-x86-firmware
          there is no package of bochs here: use --platform tcg-svm or nested
          there is no package of linux-source-6.1 here: set kernel.source to a kernel tree or tarball, or git:REPOSITORY#REVISION, or package:PATH.deb
        sudo zypper install xorriso libelf-devel qemu-x86
          there is no package of bochs here: use --platform tcg-svm or nested
          there is no package of linux-source-6.1 here: set kernel.source to a kernel tree or tarball, or git:REPOSITORY#REVISION, or package:PATH.deb
        ");
    }
}
