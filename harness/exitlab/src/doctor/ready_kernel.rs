//! Whether a kernel of the user's own can be a host: it must have KVM for the host's processor
//! built in, because hosts load no modules.

use std::path::Path;

use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_kernel::image;
use exitlab_model::hardware;
use exitlab_model::plan::{KernelSource, Plan};
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::reasons::Isa;

/// The row for the kernel of `plan`; none if it is built here, boots no host, or does not tell.
pub(super) fn prerequisite(plan: &Plan, system: &System) -> Option<Prerequisite> {
    let KernelSource::Image(path) = &plan.kernel.source else {
        return None;
    };
    let isa = match (plan.platform, plan.host.accelerator) {
        (PlatformKind::BochsVmx, _) => Isa::Vmx,
        (PlatformKind::TcgSvm, _) | (PlatformKind::Nested, Accelerator::Tcg) => Isa::Svm,
        (PlatformKind::Nested, Accelerator::Kvm) => hardware::isa(&system.search.root)?,
        (PlatformKind::Local | PlatformKind::Ssh, _) => return None,
    };
    row(path, isa)
}

fn row(path: &Path, isa: Isa) -> Option<Prerequisite> {
    // What is no kernel is refused with the plan; what cannot be unpacked says so itself.
    let header = image::look(path).ok()?;
    let built_in = image::built_in(path, &header).ok()??;
    let module = hardware::module(isa);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let has = match built_in.isas() {
        [] => "it has KVM as modules, or none".to_owned(),
        isas => {
            let modules: Vec<&str> = isas.iter().map(|isa| hardware::module(*isa)).collect();
            format!("it has {}", modules.join(" and "))
        }
    };
    let good = built_in.has(isa);
    Some(Prerequisite {
        what: match good {
            true => format!("{module} in {name}"),
            false => format!("{module} built into {name} ({has})"),
        },
        why: "the host's kernel",
        cure: Cure::Action(format!(
            "kernel: build it with CONFIG_KVM=y and CONFIG_{}=y: hosts load no modules",
            module.to_uppercase()
        )),
        found: good.then(|| "built in".to_owned()),
    })
}
