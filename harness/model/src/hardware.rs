//! What this machine has of what a host on its real processor needs: pure functions of a
//! root directory, so that tests bring their own `/proc` and `/sys`.

use std::path::Path;

use crate::reasons::Isa;

/// KVM's device.
pub const DEVICE: &str = "/dev/kvm";

/// The virtualization that the processor has, by its flag in `/proc/cpuinfo` (Intel's
/// CPUID.1:ECX.VMX, AMD's CPUID.80000001h:ECX.SVM).
pub fn isa(root: &Path) -> Option<Isa> {
    let cpuinfo = std::fs::read_to_string(root.join("proc/cpuinfo")).ok()?;
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    let has = |flag| flags.split_whitespace().any(|word| word == flag);
    match () {
        () if has("vmx") => Some(Isa::Vmx),
        () if has("svm") => Some(Isa::Svm),
        () => None,
    }
}

/// The processor's flag, which is also the feature of QEMU's `-cpu`.
pub fn flag(isa: Isa) -> &'static str {
    match isa {
        Isa::Vmx => "vmx",
        Isa::Svm => "svm",
    }
}

/// KVM's module for that virtualization.
pub fn module(isa: Isa) -> &'static str {
    match isa {
        Isa::Vmx => "kvm_intel",
        Isa::Svm => "kvm_amd",
    }
}

/// The module's parameter `nested`, as it is written: `Y` and `1`, or `N` and `0`. None if
/// the module is not loaded.
pub fn nested_parameter(root: &Path, isa: Isa) -> Option<String> {
    let path = format!("sys/module/{}/parameters/nested", module(isa));
    let value = std::fs::read_to_string(root.join(path)).ok()?;
    Some(value.trim().to_owned())
}

/// Whether a value of the parameter means that guests may have guests.
pub fn allows_nesting(value: &str) -> bool {
    matches!(value, "Y" | "1")
}

/// Opens KVM's device as QEMU does.
pub fn open_device(root: &Path) -> std::io::Result<()> {
    let path = root.join(DEVICE.trim_start_matches('/'));
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path);
    opened.map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn flags_name_the_extension() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let of = |cpuinfo: &str| {
            std::fs::write(root.path().join("proc/cpuinfo"), cpuinfo).unwrap();
            isa(root.path())
        };
        let flags = |flags: &str| format!("processor\t: 0\nflags\t\t: fpu {flags} sse\n");
        assert_eq!(of(&flags("vmx")), Some(Isa::Vmx));
        assert_eq!(of(&flags("svm")), Some(Isa::Svm));
        assert_eq!(of(&flags("svm_lock vmxon")), None, "only whole words count");
        assert_eq!(of("vmx flags\t: vmx"), None);
    }
}
