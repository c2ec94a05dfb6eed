//! Whether this host has a KVM that opens: asked before anything that speaks of KVM, which
//! would otherwise name what is missing only for want of it.

use std::io::ErrorKind;
use std::path::Path;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::hardware::{self, DEVICE};

use super::failure::Failure;

/// Fails if KVM's device does not open, with the reason as far as `/sys/module` tells it.
pub fn require() -> Result<(), Failure> {
    let root = Path::new("/");
    hardware::open_device(root).map_err(|error| {
        let kind = match error.kind() {
            ErrorKind::NotFound => FailureKind::NoKvm,
            _ => FailureKind::Host,
        };
        let why = why(root, error.kind());
        let message = format!("failed to open {DEVICE}: {error}{why}");
        Failure::new(Stage::Host, kind, message)
    })
}

/// What the host has of KVM in place of its device.
fn why(root: &Path, kind: ErrorKind) -> String {
    if kind != ErrorKind::NotFound {
        return String::new();
    }
    let has = |module: &str| root.join("sys/module").join(module).is_dir();
    let vendors = ["kvm_intel", "kvm_amd"];
    let there: Vec<&str> = vendors.into_iter().filter(|module| has(module)).collect();
    let needed = hardware::isa(root).map(hardware::module);
    match (has("kvm"), needed, there.as_slice()) {
        (false, ..) => "; this kernel has no KVM, or has it as a module that nobody loaded".into(),
        (true, Some(needed), there) if !there.contains(&needed) => {
            format!(
                "; this kernel has KVM, but {needed}, for this processor, is not in it or loaded"
            )
        }
        (true, None, _) => "; this processor has neither VMX nor SVM".into(),
        (true, Some(needed), _) => format!("; {needed} is there, and did not start: see its log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_kvm_from_being_there_is_told_from_the_modules() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("proc")).unwrap();
        std::fs::write(root.join("proc/cpuinfo"), "flags : fpu svm\n").unwrap();
        let now = || why(root, ErrorKind::NotFound);
        assert!(now().contains("as a module that nobody loaded"));
        let module = |name: &str| std::fs::create_dir_all(root.join("sys/module").join(name));
        module("kvm").unwrap();
        module("kvm_intel").unwrap();
        assert!(
            now().contains("but kvm_amd, for this processor"),
            "{}",
            now()
        );
        module("kvm_amd").unwrap();
        assert!(now().contains("did not start"), "{}", now());
        std::fs::write(root.join("proc/cpuinfo"), "flags : fpu\n").unwrap();
        assert!(now().contains("neither VMX nor SVM"), "{}", now());
        assert_eq!(why(root, ErrorKind::PermissionDenied), "");
    }
}
