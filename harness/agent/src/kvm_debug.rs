//! KVM's statistics of a VM in debugfs: `kvm/<pid>-<fd>/` (`kvm_create_vm_debugfs`), which are
//! read without disturbing it. The number is that of the thread that made the VM.

use std::path::Path;

use crate::trace::{kernel_fs::KernelFs, threads};

/// Where debugfs belongs.
const DEBUGFS: &str = "/sys/kernel/debug";

/// KVM's own count of exits of a process's VMs, as `exits` in debugfs has it, summed over their
/// vCPUs; none where it cannot be read.
pub fn exits(process: u32) -> Option<u64> {
    let debugfs = KernelFs::open("debugfs", Path::new(DEBUGFS), "kvm").ok()?;
    exits_in(&debugfs.path().join("kvm"), &threads(process).ok()?)
}

fn exits_in(kvm: &Path, threads: &std::collections::BTreeSet<u64>) -> Option<u64> {
    let mut sum = None;
    for entry in std::fs::read_dir(kvm).ok()?.flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.split_once('-'));
        let maker = maker.and_then(|(thread, _)| thread.parse::<u64>().ok());
        if maker.is_some_and(|thread| threads.contains(&thread)) {
            let text = std::fs::read_to_string(entry.path().join("exits")).ok()?;
            let exits: u64 = text.trim().parse().ok()?;
            sum = Some(sum.unwrap_or(0u64).saturating_add(exits));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_vms_of_the_process_are_summed_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        for (name, exits) in [("12-3", "5"), ("13-9", "7"), ("112-3", "100"), ("x", "1")] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("exits"), exits).unwrap();
        }
        let of = |threads: &[u64]| exits_in(dir.path(), &threads.iter().copied().collect());
        assert_eq!(of(&[12, 13]), Some(12));
        assert_eq!(of(&[12]), Some(5));
        assert_eq!(of(&[14]), None);
    }
}
