//! Guest memory, and who keeps it mapped.
//!
//! KVM takes guest memory by address and does not hold it: as long as a vCPU may run, somebody
//! else has to. A vCPU that never ends its steps is left to its thread, and outlives everything
//! that made it. Therefore whatever can make a vCPU run, owns a share of the memory itself.

use std::sync::Arc;

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{VcpuFd, VmFd};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use super::trouble::{Result, Trouble};

/// Guest memory from guest-physical address 0 on, mapped until its last share is dropped.
#[derive(Clone)]
pub struct Memory(Arc<GuestMemoryMmap>);

impl Memory {
    /// Maps that many bytes.
    pub fn map(bytes: usize) -> Result<Memory> {
        let mapped = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), bytes)]);
        let mapped = mapped.map_err(|e| format!("failed to map guest memory: {e}"))?;
        Ok(Memory(mapped.into()))
    }

    /// Writes `bytes` to guest-physical address `at`.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.0
            .write_slice(bytes, GuestAddress(at))
            .map_err(|e| Trouble::Failed(format!("failed to write guest memory: {e}")))
    }

    /// Reads that many bytes at guest-physical address `at`.
    pub fn read(&self, at: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut buffer = vec![0; bytes];
        self.0
            .read_slice(&mut buffer, GuestAddress(at))
            .map_err(|e| format!("failed to read guest memory: {e}"))?;
        Ok(buffer)
    }
}

/// A file descriptor of KVM with a share of the memory that it makes KVM reach.
pub struct Holding<F, M = Memory> {
    // In this order: fields are dropped as they are declared, the file descriptor first.
    file: F,
    memory: M,
}

impl<F, M: Clone> Holding<F, M> {
    /// Another file descriptor by which the same memory is reached.
    fn share<G>(&self, file: G) -> Holding<G, M> {
        Holding {
            file,
            memory: self.memory.clone(),
        }
    }
}

impl Holding<VmFd> {
    /// Gives `memory` to a machine that has none, and so no vCPU yet.
    pub fn new(vm: VmFd, memory: Memory) -> Result<Holding<VmFd>> {
        let all = GuestAddress(0);
        let host = memory.0.get_host_address(all);
        let host = host.map_err(|e| format!("failed to find guest memory: {e}"))?;
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: all.0,
            memory_size: memory.0.iter().map(|region| region.len()).sum(),
            userspace_addr: host as u64,
        };
        // SAFETY: `region` is one whole mapping of ours. KVM reaches it only for a vCPU that
        // runs, and that takes the file descriptor of the vCPU. `vm` goes into a `Holding`,
        // which makes vCPUs in `Holding::vcpu` only and gives each a share of the mapping, so
        // that it stays until the last of them is closed, on whichever thread.
        #[expect(unsafe_code, reason = "KVM takes guest memory by address")]
        unsafe { vm.set_user_memory_region(region) }
            .map_err(|e| format!("KVM failed to take guest memory: {e}"))?;
        Ok(Holding { file: vm, memory })
    }

    /// A new vCPU.
    pub fn vcpu(&self, id: u32) -> Result<Holding<VcpuFd>> {
        let vcpu = self.file.create_vcpu(id.into());
        let vcpu = vcpu.map_err(|e| format!("KVM failed to create a vCPU: {e}"))?;
        Ok(self.share(vcpu))
    }

    /// The machine's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl std::ops::Deref for Holding<VcpuFd> {
    type Target = VcpuFd;

    fn deref(&self) -> &VcpuFd {
        &self.file
    }
}

impl std::ops::DerefMut for Holding<VcpuFd> {
    fn deref_mut(&mut self) -> &mut VcpuFd {
        &mut self.file
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells when it is dropped.
    struct Flag(&'static str, mpsc::Sender<&'static str>);

    impl Drop for Flag {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    fn memory_stays_until_a_vcpu_that_its_machine_gave_up_is_closed() {
        let (dropped, order) = mpsc::channel();
        let flag = |name| Flag(name, dropped.clone());
        let vm = Holding {
            file: flag("vm"),
            memory: Arc::new(flag("memory")),
        };
        let vcpu = vm.share(flag("vcpu"));
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            // As KVM_RUN of a vCPU that does not end its steps.
            let _ = stopped.recv();
            drop(vcpu);
        });
        drop(vm);
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["vm"]);
        drop(stop);
        thread.join().unwrap();
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["vcpu", "memory"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let memory = Memory::map(0x2000).unwrap();
        memory.write(0x1ffe, &[1, 2]).unwrap();
        assert_eq!(memory.read(0x1ffd, 3).unwrap(), [0, 1, 2]);
        assert!(memory.write(0x1fff, &[1, 2]).is_err());
    }
}
