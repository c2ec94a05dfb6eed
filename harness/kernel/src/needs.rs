//! What building a kernel needs of this machine.

use std::path::Path;

use exitlab_base::need::{Find, Need};
use exitlab_model::plan::{KernelPackage, KernelSource};

/// Room in the cache, MiB: what a first build and its artifacts take, and a later one.
pub const FIRST_BUILD: Find = Find::Disk(6 * 1024, 1024);

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

/// What a kernel is built with.
pub fn source_needs(source: &KernelSource) -> Vec<Need> {
    let mut needs = kernel_build();
    needs.push(Need::plain_cache());
    let unpack = [
        Need::program("tar", "unpacks the kernel source", "tar"),
        Need::program("xz", "unpacks the kernel source", "xz-utils"),
    ];
    match source {
        KernelSource::Image(_) => needs.clear(),
        KernelSource::Package(package) => needs = package_needs(package),
        KernelSource::Tree(_) => {}
        KernelSource::Revision { .. } => {
            needs.push(Need::program(
                "git",
                "takes the revision out of its repository",
                "git",
            ));
        }
        KernelSource::Tarball(_) => needs.extend(unpack),
        KernelSource::Debian(package) => {
            let name = format!("{package}.tar.xz");
            let place = format!("/usr/src/{name}");
            needs.push(Need::file(&name, &[place], "kernel source", package));
            needs.extend(unpack);
        }
    }
    needs
}

/// What a distribution's kernel is taken out of its package with.
fn package_needs(package: &KernelPackage) -> Vec<Need> {
    let mut needs = vec![
        Need::program("dpkg-deb", "unpacks the kernel's package", "dpkg"),
        Need::program("xz", "unpacks the kernel's modules", "xz-utils"),
        Need::program("lz4", "unpacks the kernel", "lz4"),
    ];
    if let KernelPackage::Named(_) = package {
        needs.push(Need::program(
            "apt-get",
            "fetches the kernel's package",
            "apt",
        ));
    }
    needs
}

/// The first character of a directory's path in which no kernel can be built: `make` and Kbuild
/// split at spaces and colons (the top Makefile refuses them), and hand paths to shells.
pub fn odd_character(path: &Path) -> Option<char> {
    let odd =
        |c: &char| c.is_whitespace() || c.is_control() || ":#$%&'\"()*;<>?[\\]^`{|}!".contains(*c);
    match path.to_str() {
        Some(text) => text.chars().find(odd),
        None => Some(char::REPLACEMENT_CHARACTER),
    }
}

fn kernel_build() -> Vec<Need> {
    vec![
        Need::program("gcc", "compiles the kernel", "gcc"),
        // Only recommended by gcc, so not installed with it.
        Need::file(
            "stdio.h",
            &["/usr/include/stdio.h"],
            "compiles the kernel's own tools",
            "libc6-dev",
        ),
        Need::file(
            "libelf.h",
            &["/usr/include/libelf.h"],
            "objtool of the kernel build",
            "libelf-dev",
        ),
        Need::program("ld", "links the kernel", "binutils"),
        Need::program("make", "builds the kernel", "make"),
        Need::program("flex", "builds the kernel's configurator", "flex"),
        Need::program("bison", "builds the kernel's configurator", "bison"),
        Need::program("bc", "kernel build", "bc"),
        Need::program("perl", "kernel build", "perl"),
        Need::program("patch", "applies kernel.patches", "patch"),
        Need::program("lz4", "compresses the kernel", "lz4"),
    ]
}

/// What building `build` of `source` needs.
pub fn needs(source: &KernelSource, build: KernelBuild) -> Vec<Need> {
    let mut needs = source_needs(source);
    let (signed, modules) = match build {
        KernelBuild::Whole { packages, modules } => {
            if packages {
                needs.extend(packaging());
            }
            (modules, modules)
        }
        KernelBuild::Modules { signed, typed } => {
            if typed {
                needs.push(Need::program(
                    "pahole",
                    "tells the kernel's types",
                    "dwarves",
                ));
            }
            (signed, false)
        }
    };
    if modules {
        needs.push(Need::program("depmod", "indexes modules", "kmod"));
        needs.push(Need::program(
            "openssl",
            "makes the key of modules",
            "openssl",
        ));
    }
    if signed {
        let header = "/usr/include/openssl/opensslv.h";
        needs.push(Need::file(
            "opensslv.h",
            &[header],
            "signs modules",
            "libssl-dev",
        ));
    }
    needs.extend(Need::room(FIRST_BUILD));
    needs
}

fn packaging() -> [Need; 5] {
    [
        Need::program("dpkg-buildpackage", "makes the packages", "dpkg-dev"),
        Need::program("dh", "makes the packages", "debhelper"),
        Need::program("fakeroot", "makes the packages", "fakeroot"),
        Need::program("rsync", "makes the packages", "rsync"),
        Need::program("cpio", "makes the packages", "cpio"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use exitlab_base::need::Cure;

    fn packages(build: KernelBuild) -> String {
        let source = KernelSource::Tree("/src".into());
        let cures = needs(&source, build)
            .into_iter()
            .filter_map(|need| match need.cure {
                Cure::Package(package) => Some(package),
                Cure::Action(_) => None,
            });
        cures
            .skip_while(|package| package != "lz4")
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn paths_that_make_takes_for_something_else_are_seen() {
        for good in ["/home/me/.cache/exitlab", "/a-b_c+d,e=f@g~/h.1", "/köln"] {
            assert_eq!(odd_character(Path::new(good)), None, "{good}");
        }
        for odd in [
            ' ', ':', '\t', '\n', '$', '#', '\'', '"', ';', '&', '(', '*', '?', '[', '%', '\\',
            '`', '|', '<',
        ] {
            let path = format!("/a{odd}b");
            assert_eq!(odd_character(Path::new(&path)), Some(odd));
        }
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
