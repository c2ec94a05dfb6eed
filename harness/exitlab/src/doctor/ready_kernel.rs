//! Whether a kernel of the user's own can be a host: whole, and with KVM for the host's processor
//! built in, because an image brings no modules; and whether a guest's kernel has the drivers
//! that the guest needs.

use std::path::Path;

use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_kernel::look;
use exitlab_model::hardware;
use exitlab_model::hindrance::Hindrance;
use exitlab_model::plan::{GuestRecipe, KernelSource, Plan};
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

/// The row for a guest's kernel that boots into exitlab's initramfs, which holds no drivers of
/// a kernel that is not its package's; none if it has what is needed, or does not tell.
pub(super) fn drivers(plan: &Plan) -> Option<Prerequisite> {
    let hosts = match &plan.kernel.source {
        KernelSource::Image(path) => Some(path),
        _ => None,
    };
    let guest = &plan.guest;
    let is_ours = guest.uses_recipe() && guest.image == GuestRecipe::Tiny && guest.ssh;
    let path = guest.kernel.as_ref().or(hosts).filter(|_| is_ours)?;
    let network = look::look(path).ok()?.network?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    (!network).then(|| Prerequisite {
        what: format!(
            "kernel {name} with virtio_net built in (it has it as a module, or not at all)"
        ),
        why: "the guest's network",
        cure: Cure::Action(
            "guest's kernel: build it with CONFIG_VIRTIO_NET=y, CONFIG_VIRTIO_PCI=y and \
             CONFIG_VIRTIO_MMIO=y; or name its initramfs, too (guest.initrd); or take the \
             package, whose modules are used: kernel.source=package:linux-image-cloud-amd64"
                .to_owned(),
        ),
        found: None,
    })
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
            "kernel: build it with CONFIG_KVM=y and CONFIG_{}=y; of a distribution's kernel name \
             the package, which has the modules: kernel.source=package:linux-image-cloud-amd64",
            hardware::module(isa).to_uppercase()
        ),
        (hindrance, _) => format!("kernel: {}", hindrance.cure()),
    }
}
