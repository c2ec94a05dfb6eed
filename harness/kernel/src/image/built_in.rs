//! What of KVM a ready kernel has built in. The hosts that exitlab boots load no modules.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};

use exitlab_base::error::{Error, Result};
use exitlab_model::reasons::Isa;

use super::Header;

/// How compressed kernels begin, and what unpacks each (scripts/extract-vmlinux of Linux).
const PACKERS: [(&[u8], &[&str]); 7] = [
    (b"\x1f\x8b\x08", &["gzip", "-dc"]),
    (b"\xfd7zXZ\x00", &["xz", "-dc"]),
    (b"BZh", &["bzip2", "-dc"]),
    (b"\x5d\x00\x00\x00", &["xz", "--format=lzma", "-dc"]),
    (b"\x89LZO", &["lzop", "-dc"]),
    (b"\x02\x21\x4c\x18", &["lz4", "-dc"]),
    (b"\x28\xb5\x2f\xfd", &["zstd", "-dc"]),
];

/// Parameters of KVM as a kernel names them that has it built in: a module's are not named with
/// the module. Each has been there as long as its module.
const MARKS: [(Isa, &[u8]); 2] = [(Isa::Vmx, b"kvm_intel.ept\0"), (Isa::Svm, b"kvm_amd.npt\0")];

/// The vendors for whose processors a kernel has KVM built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltIn(Vec<Isa>);

impl BuiltIn {
    /// Whether it has KVM for that virtualization.
    pub fn has(&self, isa: Isa) -> bool {
        self.0.contains(&isa)
    }

    /// For which virtualizations it has one.
    pub fn isas(&self) -> &[Isa] {
        &self.0
    }
}

/// What the kernel at `path` has built in; none where it cannot be unpacked here, for want of a
/// program or because it is packed in a way that is not known.
///
/// # Errors
///
/// If the file cannot be read.
pub fn built_in(path: &Path, header: &Header) -> Result<Option<BuiltIn>> {
    let Some(payload) = header.payload else {
        return Ok(None);
    };
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut start = [0; 6];
    let begin = |file: &mut File| file.seek(SeekFrom::Start(payload));
    begin(&mut file)
        .and_then(|_| file.read_exact(&mut start))
        .map_err(Error::io("read", path))?;
    let packer = PACKERS.iter().find(|(magic, _)| start.starts_with(magic));
    let Some((_, [program, arguments @ ..])) = packer else {
        return Ok(None);
    };
    begin(&mut file).map_err(Error::io("read", path))?;
    let mut unpack = Command::new(program);
    unpack
        .args(arguments)
        .stdin(Stdio::from(file))
        .stderr(Stdio::null());
    // What comes after the kernel in the file is no part of it: every program complains about
    // that, after it has unpacked what there is.
    let kernel = unpack.output().map(|output| output.stdout);
    Ok(kernel.ok().and_then(|kernel| marks(&kernel)))
}

/// None if it is no kernel.
fn marks(kernel: &[u8]) -> Option<BuiltIn> {
    if !kernel.starts_with(b"\x7fELF") {
        return None;
    }
    let has = |mark: &[u8]| kernel.windows(mark.len()).any(|window| window == mark);
    let found = MARKS.into_iter().filter(|(_, mark)| has(mark));
    Some(BuiltIn(found.map(|(isa, _)| isa).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_packed_kernel_tells_what_it_has_built_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bzImage");
        let vmlinux = dir.path().join("vmlinux");
        let header = Header {
            release: String::new(),
            size: 0,
            payload: Some(3),
        };
        let of = |content: &str, packer: &str| {
            std::fs::write(&vmlinux, content).unwrap();
            let script = format!(
                "cd {} && {{ printf xxx; {packer} vmlinux; printf rest; }} > bzImage",
                dir.path().display()
            );
            let status = Command::new("sh").args(["-c", &script]).status().unwrap();
            assert!(status.success());
            built_in(&path, &header).unwrap()
        };
        for packer in ["gzip -c", "xz -c", "lz4 -qlc"] {
            let amd = of("\x7fELF kvm_amd.npt\0 ept\0", packer).unwrap();
            assert_eq!(amd.isas(), [Isa::Svm], "{packer}");
            assert!(amd.has(Isa::Svm) && !amd.has(Isa::Vmx));
        }
        let none = of("\x7fELF ept\0npt\0", "gzip -c").unwrap();
        assert!(none.isas().is_empty());
        assert_eq!(of("no kernel", "gzip -c"), None);
        assert_eq!(of("\x7fELF kvm_amd.npt\0", "cat"), None, "not packed");
    }
}
