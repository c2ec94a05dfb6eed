//! What apt knows of packages with kernels.

use exitlab_base::error::{Error, Result};
use exitlab_base::not_started;

/// Kernels are in packages of these names: the second where a distribution has modules in a
/// package of their own (Ubuntu).
const KERNELS: [&str; 2] = ["linux-image-", "linux-modules-"];
/// A kernel is in no more packages.
const MOST: usize = 8;

/// A package, as apt describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `linux-image-6.1.0-56-cloud-amd64`
    pub name: String,
    /// `6.1.192-2`
    pub version: String,
    /// What apt holds the file against when it fetches it.
    pub sha256: String,
    /// Packages with a part of the kernel that it needs.
    needs: Vec<String>,
}

/// The packages that hold the kernel of the package `name`: itself, or those to which it leads.
pub fn holders(name: &str) -> Result<Vec<Package>> {
    follow(name, ask)
}

fn follow(
    name: &str,
    mut ask: impl FnMut(&str) -> Result<Option<Package>>,
) -> Result<Vec<Package>> {
    let mut holders: Vec<Package> = Vec::new();
    let mut next = vec![name.to_owned()];
    let mut seen = Vec::new();
    while let Some(name) = next.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name.clone());
        let package = match ask(&name)? {
            Some(package) if seen.len() <= MOST => package,
            _ => return Err(unknown(&name)),
        };
        next.extend(package.needs.iter().cloned());
        // What leads to an image holds none itself.
        if !package
            .needs
            .iter()
            .any(|need| need.starts_with(KERNELS[0]))
        {
            holders.push(package);
        }
    }
    holders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(holders)
}

fn unknown(name: &str) -> Error {
    Error::Prerequisite {
        missing: vec![format!(
            "package {name}, which apt does not know (kernel.source)"
        )],
        cure: "run apt-get update, look for the name with apt-cache search linux-image, or name \
               a file: kernel.source=package:PATH.deb"
            .to_owned(),
    }
}

fn ask(name: &str) -> Result<Option<Package>> {
    let mut command = std::process::Command::new("apt-cache");
    command.args(["show", "--no-all-versions", name]);
    let cure = "name a file: kernel.source=package:PATH.deb";
    let said = not_started::asked(command, "knows the packages of kernels", cure)?;
    Ok(package(&String::from_utf8_lossy(&said.stdout)))
}

/// The first package of a description (deb822: a field a line, its name before the colon).
fn package(text: &str) -> Option<Package> {
    let stanza = text.split("\n\n").next()?;
    let field = |name: &str| {
        let mut lines = stanza.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.trim()))
    };
    let plain = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.~:".contains(c);
        let is_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        (is_plain && text.chars().all(plain)).then(|| text.to_owned())
    };
    let needs = field("Depends").unwrap_or_default().split(',');
    // `a (= 1) | b`: the first is what is installed where nothing else is.
    let first = needs.filter_map(|need| need.split_whitespace().next());
    let first = first.filter(|name| KERNELS.iter().any(|begin| name.starts_with(begin)));
    Some(Package {
        name: plain(field("Package")?)?,
        version: plain(field("Version")?)?,
        sha256: plain(field("SHA256")?)?,
        needs: first.filter_map(plain).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// As Debian has it, and as Ubuntu.
    const KNOWN: &str = "\
Package: linux-image-cloud-amd64
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
SHA256: 00be

Package: linux-image-6.1.0-56-cloud-amd64
Version: 6.1.192-2
Depends: kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool
Description: Linux 6.1 for x86-64 cloud (signed)
 Package: linux-image-of-the-description
SHA256: e7d0

Package: linux-image-virtual
Version: 6.8.0.50.50
Depends: linux-image-6.8.0-50-generic, linux-firmware
SHA256: 11

Package: linux-image-6.8.0-50-generic
Version: 6.8.0-50.51
Depends: kmod, linux-modules-6.8.0-50-generic
SHA256: 22

Package: linux-modules-6.8.0-50-generic
Version: 6.8.0-50.51
Depends: wireless-regdb
SHA256: 33
";

    fn named(name: &str) -> Result<Option<Package>> {
        let all = KNOWN.split("\n\n").filter_map(package);
        Ok(all.into_iter().find(|package| package.name == name))
    }

    fn holders_of(name: &str) -> Vec<String> {
        let holders = follow(name, named).unwrap();
        let line = |p: &Package| format!("{} {} {}", p.name, p.version, p.sha256);
        holders.iter().map(line).collect()
    }

    #[test]
    fn a_name_leads_to_the_packages_that_hold_the_kernel() {
        let debians = ["linux-image-6.1.0-56-cloud-amd64 6.1.192-2 e7d0"];
        assert_eq!(holders_of("linux-image-cloud-amd64"), debians);
        assert_eq!(holders_of("linux-image-6.1.0-56-cloud-amd64"), debians);
        let ubuntus = [
            "linux-image-6.8.0-50-generic 6.8.0-50.51 22",
            "linux-modules-6.8.0-50-generic 6.8.0-50.51 33",
        ];
        assert_eq!(holders_of("linux-image-virtual"), ubuntus);
    }

    #[test]
    fn what_apt_does_not_know_is_named() {
        let error = follow("linux-image-none", named).unwrap_err();
        assert!(error.to_string().contains("linux-image-none"), "{error}");
        assert!(error.cure().contains("apt-get update"));
    }

    #[test]
    fn packages_that_lead_to_each_other_end() {
        let each = |name: &str| {
            let (name, other) = (name.to_owned(), format!("{name}x"));
            let needs = vec![other];
            let (version, sha256) = ("1".to_owned(), "1".to_owned());
            Ok(Some(Package {
                name,
                version,
                sha256,
                needs,
            }))
        };
        assert!(follow("linux-image-", each).is_err());
    }
}
