//! The files of a package, unpacked: which of them are the kernel, and which its modules.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::module;
use crate::look::{Failed, filtered};
use exitlab_base::error::{Error, Result};
use exitlab_model::name::PlainName;

/// No module is larger, bytes.
const LARGEST_MODULE: u64 = 256 << 20;
/// Directories are no deeper.
const DEEPEST: usize = 16;
/// How modules are packed, and what unpacks them.
const PACKINGS: [(&str, &[&str]); 4] = [
    ("ko", &[]),
    ("ko.xz", &["xz", "-dc"]),
    ("ko.zst", &["zstd", "-dc"]),
    ("ko.gz", &["gzip", "-dc"]),
];

/// The unpacked files of a kernel.
#[derive(Debug)]
pub struct Unpacked {
    /// `uname -r`
    pub release: PlainName,
    /// The bzImage.
    pub image: PathBuf,
    /// Its configuration, if it is there.
    pub config: Option<PathBuf>,
    /// Files of modules, by their names.
    modules: BTreeMap<String, PathBuf>,
}

impl Unpacked {
    /// Finds the kernel below `root`. Symbolic links are not followed: they are a package's
    /// words, and lead anywhere on this machine.
    pub fn find(root: &Path) -> Result<Unpacked> {
        let places = ["lib/modules", "usr/lib/modules"].map(|place| root.join(place));
        let releases = places.iter().filter(|place| !place.is_symlink());
        let mut releases = releases.flat_map(|place| {
            let entries = fs::read_dir(place).into_iter().flatten().flatten();
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        });
        let (Some(one), None) = (releases.next(), releases.next()) else {
            return Err(none("it holds modules of no kernel, or of several"));
        };
        let release = one.file_name().into_string().unwrap_or_default();
        let release = PlainName::new(release).map_err(|why| none(&why.to_string()))?;
        let dir = one.path();
        let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
        let image = [
            root.join(format!("boot/vmlinuz-{release}")),
            dir.join("vmlinuz"),
        ];
        let Some(image) = image.into_iter().find(is_file) else {
            return Err(none("it holds modules, and no boot/vmlinuz of theirs"));
        };
        let config = [
            root.join(format!("boot/config-{release}")),
            dir.join("config"),
        ];
        let mut modules = BTreeMap::new();
        index(&dir, DEEPEST, &mut modules);
        Ok(Unpacked {
            release,
            image,
            config: config.into_iter().find(is_file),
            modules,
        })
    }

    /// The module of that name, as the kernel loads it; none if it is no module.
    pub fn module(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.modules.get(name) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LARGEST_MODULE).read_to_end(&mut bytes))
            .map_err(Error::io("read", path))?;
        let program = packing(path).map_or(&[][..], |(_, program)| program);
        if program.is_empty() {
            return Ok(Some(bytes));
        }
        let unpacked = filtered(program, &bytes, LARGEST_MODULE);
        unpacked.map(Some).map_err(|why| match why {
            Failed::Absent => Error::Prerequisite {
                missing: vec![format!(
                    "program `{}`: unpacks the kernel's modules",
                    program[0]
                )],
                cure: format!("install {}", program[0]),
            },
            Failed::Said(why) => none(&format!("{} cannot be unpacked: {why}", path.display())),
        })
    }
}

/// The name and packing of a module's file.
fn packing(path: &Path) -> Option<(&str, &'static [&'static str])> {
    let (name, end) = path.file_name()?.to_str()?.split_once('.')?;
    let found = PACKINGS.iter().find(|(packing, _)| *packing == end);
    found.map(|(_, program)| (name, *program))
}

fn index(dir: &Path, deeper: usize, modules: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && deeper > 0 => index(&path, deeper - 1, modules),
            Ok(kind) if kind.is_file() => {
                let name = packing(&path).map(|(name, _)| module::name(name));
                modules.extend(name.map(|name| (name, path)));
            }
            _ => {}
        }
    }
}

/// The package is of no use as a kernel.
pub fn none(why: &str) -> Error {
    Error::Config {
        message: format!("kernel.source: the package is no kernel to boot: {why}"),
        cure: "name a package that holds a kernel and its modules: \
               \"package:linux-image-cloud-amd64\", or \"package:PATH.deb\""
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::module::tests::module;
    use super::*;

    fn package(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, module("depends=\0")).unwrap();
        }
        dir
    }

    #[test]
    fn kernel_and_modules_are_found_where_distributions_have_them() {
        for lib in ["lib", "usr/lib"] {
            let kvm = format!("{lib}/modules/6.1-x/kernel/arch/x86/kvm/kvm-amd.ko");
            let dir = package(&["boot/vmlinuz-6.1-x", "boot/config-6.1-x", &kvm]);
            let found = Unpacked::find(dir.path()).unwrap();
            assert_eq!(found.release, "6.1-x");
            assert!(found.image.ends_with("boot/vmlinuz-6.1-x"));
            assert!(found.config.is_some());
            assert!(found.module("kvm_amd").unwrap().is_some());
            assert_eq!(found.module("kvm").unwrap(), None);
        }
    }

    #[test]
    fn packed_modules_are_unpacked() {
        let kvm = "lib/modules/6.12-x/kernel/kvm.ko";
        let dir = package(&["lib/modules/6.12-x/vmlinuz", kvm]);
        let plain = fs::read(dir.path().join(kvm)).unwrap();
        let status = std::process::Command::new("xz")
            .arg(dir.path().join(kvm))
            .status();
        assert!(status.unwrap().success());
        let found = Unpacked::find(dir.path()).unwrap();
        assert_eq!(found.module("kvm").unwrap(), Some(plain));
    }

    #[test]
    fn what_is_no_kernel_is_refused_and_no_link_is_followed() {
        let refused = |dir: &tempfile::TempDir| Unpacked::find(dir.path()).unwrap_err();
        assert!(
            refused(&package(&["usr/share/doc/x"]))
                .to_string()
                .contains("no kernel")
        );
        let modules = package(&["lib/modules/6.1-x/kernel/kvm.ko"]);
        assert!(refused(&modules).to_string().contains("no boot/vmlinuz"));
        fs::create_dir(modules.path().join("boot")).unwrap();
        let link = modules.path().join("boot/vmlinuz-6.1-x");
        std::os::unix::fs::symlink("/etc/passwd", link).unwrap();
        assert!(refused(&modules).to_string().contains("no boot/vmlinuz"));
    }
}
