//! What a host on the real processor needs: each thing that can be missing is a row of
//! its own, with its own cure.

use std::io::ErrorKind;

use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_model::hardware::{self, DEVICE};
use exitlab_model::reasons::Isa;

const WHY: &str = "runs the host on this processor";

/// The processor, KVM's device, and KVM's permission for guests within guests. The last is
/// a module's parameter, and without the processor's flag there is no telling which one's.
pub(super) fn prerequisites(system: &System) -> Vec<Prerequisite> {
    let isa = hardware::isa(&system.search.root);
    let mut all = vec![processor(isa), device(system, isa, WHY)];
    all.extend(isa.map(|isa| nesting(system, isa)));
    all
}

fn processor(isa: Option<Isa>) -> Prerequisite {
    let cure = "vmx or svm: switch virtualization on in the firmware's setup; if this machine is \
                itself a VM, its host must hand on VMX or SVM (nested virtualization)";
    row(
        "vmx or svm in /proc/cpuinfo",
        cure.to_owned(),
        isa.map(|isa| hardware::flag(isa).to_owned()),
    )
}

pub(super) fn device(system: &System, isa: Option<Isa>, why: &'static str) -> Prerequisite {
    let modules = isa.map_or("kvm_intel or kvm_amd", hardware::module);
    let error = match &system.kvm {
        Ok(()) => return row_of(why, DEVICE, String::new(), Some("opens".to_owned())),
        Err(error) => error,
    };
    let (what, cure) = match error.kind() {
        ErrorKind::NotFound => (
            DEVICE.to_owned(),
            format!("{DEVICE}: load KVM with sudo modprobe {modules}; hand it to a container"),
        ),
        ErrorKind::PermissionDenied => (
            "permission for /dev/kvm".to_owned(),
            format!(
                "permission: join the group that {DEVICE} belongs to with sudo usermod -aG kvm \
                 \"$USER\", and log in again"
            ),
        ),
        // A node whose driver is not loaded is ENODEV or ENXIO, which have no kind.
        _ => (
            format!("{DEVICE} that opens ({error})"),
            format!(
                "{DEVICE} is there and does not open; if its driver is not loaded: sudo modprobe \
                 {modules}"
            ),
        ),
    };
    row_of(why, &what, cure, None)
}

fn nesting(system: &System, isa: Isa) -> Prerequisite {
    let module = hardware::module(isa);
    match hardware::nested_parameter(&system.search.root, isa) {
        Some(value) if hardware::allows_nesting(&value) => {
            row(&format!("{module} nested=1"), String::new(), Some(value))
        }
        Some(value) => row(
            &format!("{module} nested=1 (is {value})"),
            format!(
                "nested: with no VM running, sudo modprobe -r {module} && sudo modprobe {module} \
                 nested=1"
            ),
            None,
        ),
        None => row(
            &format!("module {module}"),
            format!("module: sudo modprobe {module} nested=1"),
            None,
        ),
    }
}

fn row(what: &str, cure: String, found: Option<String>) -> Prerequisite {
    row_of(WHY, what, cure, found)
}

fn row_of(why: &'static str, what: &str, cure: String, found: Option<String>) -> Prerequisite {
    Prerequisite {
        what: what.to_owned(),
        why,
        cure: Cure::Action(cure),
        found,
    }
}
