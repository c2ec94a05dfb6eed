//! What building a kernel for a machine needs that exitlab does not boot.

use super::need::{self, Need, file, program};
use super::system::System;
use super::{Report, platforms};
use crate::config::plan::KernelSource;

/// What is to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelBuild {
    /// A whole kernel.
    Whole {
        /// As packages for dpkg.
        packages: bool,
        /// With loadable modules.
        modules: bool,
    },
    /// KVM's modules for an installed kernel.
    Modules {
        /// Whether that kernel's modules may be signed.
        signed: bool,
        /// Whether that kernel has its types as BTF.
        typed: bool,
    },
}

/// What `build` of `source` needs on `system`.
pub(super) fn report(system: &System, source: &KernelSource, build: KernelBuild) -> Report {
    let needs = needs(source, build);
    let found = needs.iter().map(|need| need.look_up(system)).collect();
    platforms::of_this(system, found)
}

fn needs(source: &KernelSource, build: KernelBuild) -> Vec<Need> {
    let mut needs = need::kernel(source);
    let (signed, modules) = match build {
        KernelBuild::Whole { packages, modules } => {
            if packages {
                needs.extend(packaging());
            }
            (modules, modules)
        }
        KernelBuild::Modules { signed, typed } => {
            if typed {
                needs.push(program("pahole", "tells the kernel's types", "dwarves"));
            }
            (signed, false)
        }
    };
    if modules {
        needs.push(program("depmod", "indexes modules", "kmod"));
        needs.push(program("openssl", "makes the key of modules", "openssl"));
    }
    if signed {
        let header = "/usr/include/openssl/opensslv.h";
        needs.push(file("opensslv.h", &[header], "signs modules", "libssl-dev"));
    }
    needs.extend(need::room());
    needs
}

fn packaging() -> [Need; 5] {
    [
        program("dpkg-buildpackage", "makes the packages", "dpkg-dev"),
        program("dh", "makes the packages", "debhelper"),
        program("fakeroot", "makes the packages", "fakeroot"),
        program("rsync", "makes the packages", "rsync"),
        program("cpio", "makes the packages", "cpio"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::Cure;
    use super::*;

    fn packages(build: KernelBuild) -> String {
        let source = KernelSource::Tree("/src".into());
        let cures = needs(&source, build)
            .into_iter()
            .filter_map(|need| match need.cure() {
                Cure::Package(package) => Some(package.clone()),
                Cure::Action(_) => None,
            });
        cures
            .skip_while(|package| package != "lz4")
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn each_build_needs_its_own() {
        let whole = |packages, modules| KernelBuild::Whole { packages, modules };
        assert_eq!(packages(whole(false, false)), "lz4");
        assert_eq!(
            packages(whole(true, true)),
            "lz4 dpkg-dev debhelper fakeroot rsync cpio kmod openssl libssl-dev"
        );
        let modules = |signed, typed| KernelBuild::Modules { signed, typed };
        assert_eq!(packages(modules(true, true)), "lz4 dwarves libssl-dev");
        assert_eq!(packages(modules(false, false)), "lz4");
    }
}
