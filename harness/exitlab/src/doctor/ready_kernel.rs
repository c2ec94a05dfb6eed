//! Whether a kernel of the user's own can be a host: whole, and with KVM for the host's processor
//! built in, because hosts load no modules.

use std::path::Path;

use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_kernel::look;
use exitlab_model::hardware;
use exitlab_model::hindrance::Hindrance;
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::reasons::Isa;

/// The row for the kernel of `plan`; none if it is built here, or is no kernel, which is told
/// where it is loaded.
pub(super) fn prerequisite(plan: &Plan, system: &System) -> Option<Prerequisite> {
    let KernelSource::Image(path) = &plan.kernel.source else {
        return None;
    };
    let isa = match (plan.platform, plan.host.accelerator) {
        (PlatformKind::BochsVmx, _) => Some(Isa::Vmx),
        (PlatformKind::TcgSvm, _) | (PlatformKind::Nested, Accelerator::Tcg) => Some(Isa::Svm),
        (PlatformKind::Nested, Accelerator::Kvm) => hardware::isa(&system.search.root),
        // Where it boots no host, its KVM is not needed.
        (PlatformKind::Local | PlatformKind::Ssh, _) => None,
    };
    row(path, isa)
}

fn row(path: &Path, isa: Option<Isa>) -> Option<Prerequisite> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let looked = look::look(path);
    let fits = |look: look::Look| {
        let fits = isa.map_or(Ok(()), |isa| look::fits(&look, isa));
        fits.map(|()| look.release)
    };
    let row = |what, cure, found| Prerequisite {
        what,
        why: "boots, ready as it is",
        cure: Cure::Action(cure),
        found,
    };
    match looked.and_then(fits) {
        Ok(release) => Some(row(format!("kernel {name}"), String::new(), Some(release))),
        Err(unfit) if matches!(unfit.hindrance, Hindrance::NoFile | Hindrance::NoKernel) => None,
        Err(unfit) => Some(row(
            format!("kernel {name} that can be used ({})", unfit.seen),
            cure(unfit.hindrance, isa),
            None,
        )),
    }
}

fn cure(hindrance: Hindrance, isa: Option<Isa>) -> String {
    match (hindrance, isa) {
        (Hindrance::NoKvm | Hindrance::KvmModules | Hindrance::OtherVendor, Some(isa)) => format!(
            "kernel: build it with CONFIG_KVM=y and CONFIG_{}=y: hosts load no modules",
            hardware::module(isa).to_uppercase()
        ),
        (hindrance, _) => format!("kernel: {}", hindrance.cure()),
    }
}
