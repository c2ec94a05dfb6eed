//! What this machine needs to be the host itself.

use super::nested::device;
use super::report::Prerequisite;
use super::system::System;
use exitlab_base::need::Cure;
use exitlab_model::hardware;

/// A parameter that KVM has if it has the exit census.
const CENSUS: &str = "sys/module/kvm/parameters/exit_census_cycles";

/// KVM's device, and a KVM that counts.
pub(super) fn prerequisites(system: &System) -> Vec<Prerequisite> {
    let why = "this machine is the host";
    let isa = hardware::isa(&system.search.root);
    let census = system.search.root.join(CENSUS).exists();
    vec![
        device(system, isa, why),
        Prerequisite {
            what: "exit census in this kernel's KVM".to_owned(),
            why,
            cure: Cure::Action(
                "census: install and boot a kernel that has it: exitlab kernel install \
                 (docs/kernel-build.md)"
                    .to_owned(),
            ),
            found: census.then(|| "counts".to_owned()),
        },
    ]
}
