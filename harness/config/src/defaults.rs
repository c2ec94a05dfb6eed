//! Every default value of the format, and no default anywhere else.

use super::speed;
use exitlab_model::plan::{
    Deadlines, GuestPlan, GuestRecipe, HostPlan, KernelPlan, KernelSource, Machine, Moment, Plan,
    SamplingPlan,
};
use exitlab_model::platform::{Accelerator, PlatformKind};
use exitlab_model::record::Channel;

/// Where the host comes from until `auto` has chosen.
const PLATFORM: PlatformKind = PlatformKind::BochsVmx;

/// The plan of a configuration that gives nothing but a name, which is still empty here.
pub(super) fn plan() -> Plan {
    Plan {
        name: String::new(),
        platform: PLATFORM,
        platform_choice: None,
        kernel: KernelPlan {
            source: KernelSource::Debian("linux-source-6.12".to_owned()),
            census: true,
            patches: Vec::new(),
            fragments: Vec::new(),
            tracing: false,
        },
        host: HostPlan {
            memory_mib: 1024,
            cpus: 1,
            cmdline: String::new(),
            instructions_per_second: speed::of(PLATFORM),
            accelerator: Accelerator::Kvm,
            address: String::new(),
            ssh_config: None,
        },
        guest: GuestPlan {
            image: GuestRecipe::Tiny,
            kernel: None,
            initrd: None,
            disk: None,
            machine: Machine::Q35,
            memory_mib: 256,
            vcpus: 1,
            cpu: "host".to_owned(),
            // Every character on the console is an exit, and so is every look for a PCI
            // bus: Linux on q35 looks for 256, in 16,384 exits.
            cmdline: "quiet pci=lastbus=0".to_owned(),
            devices: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            seed: "exitlab".to_owned(),
            ssh: true,
        },
        guest_symbols: None,
        sampling: sampling(),
        inspect: Vec::new(),
        phases: Vec::new(),
        kvm: Vec::new(),
        deadlines: deadlines(),
    }
}

fn deadlines() -> Deadlines {
    Deadlines {
        host_boot_s: 300.0,
        silence_s: 60.0,
        guest_ssh_s: 120.0,
        exchange_s: 30.0,
        phase_s: 600.0,
    }
}

/// Counts are those of the cheapest census, and nothing else is asked for.
fn sampling() -> SamplingPlan {
    let schedule = [Moment::Boot, Moment::After(5.0), Moment::After(5.0)];
    SamplingPlan::of_counts(schedule, &[Channel::Cpuid, Channel::Stats])
}
