//! A virtual machine of the trial: real KVM, no QEMU, one small program per vCPU.

use kvm_bindings::{
    CpuId, KVM_CAP_X86_DISABLE_EXITS, KVM_MAX_CPUID_ENTRIES, KVM_X86_DISABLE_EXITS_HLT, Msrs,
    kvm_enable_cap, kvm_msr_entry, kvm_regs, kvm_segment, kvm_sregs,
};
use kvm_ioctls::{Kvm, VmFd};

use super::drive::{End, Vcpu, drive};
use super::guest::{self, Answer, STEP_BYTES, Step};
use super::memory::{Holding, Memory};
use super::stats::{Statistics, vcpu_statistics};
use super::trouble::{Result, Trouble};

/// Where the steps of vCPU 0 lie; those of each further one come [`AREA`] later.
const STEPS: u64 = 0x10_0000;
const AREA: u64 = 0x20_0000;
/// Steps that fit into one run.
pub const MOST_STEPS: usize = AREA as usize / STEP_BYTES - 1;
/// vCPUs whose steps and stacks fit.
const MOST_VCPUS: u32 = 5;
/// Stacks, a page each, growing down.
const STACKS: u64 = 0x8000;

/// CPUID leaf 1, ecx: x2APIC and the TSC-deadline timer.
const X2APIC_AND_DEADLINE: u32 = 1 << 21 | 1 << 24;
/// `IA32_APIC_BASE`: enabled, in x2APIC mode; bit 8 marks the bootstrap processor.
const APIC_BASE: u64 = 0xfee0_0000 | 1 << 11 | 1 << 10;
const BOOTSTRAP: u64 = 1 << 8;
const MSR_APIC_BASE: u32 = 0x1b;

/// A virtual machine.
pub struct Vm {
    fd: Holding<VmFd>,
    vcpus: Vec<Vcpu>,
    /// CPUID instructions that its vCPUs have executed since it was made.
    pub cpuids: u64,
}

/// Makes virtual machines.
#[derive(Clone)]
pub struct Maker {
    kvm: std::sync::Arc<Kvm>,
    cpuid: CpuId,
}

impl Maker {
    /// Opens `/dev/kvm`.
    pub fn open() -> Result<Maker> {
        let kvm = Kvm::new().map_err(|e| format!("failed to open /dev/kvm: {e}"))?;
        let mut cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(|e| format!("failed to ask KVM for its CPUID: {e}"))?;
        for entry in cpuid.as_mut_slice() {
            if entry.function == 1 {
                entry.ecx |= X2APIC_AND_DEADLINE;
            }
        }
        Ok(Maker {
            kvm: kvm.into(),
            cpuid,
        })
    }

    /// A machine with so many vCPUs, each with its local APIC set up.
    pub fn vm(&self, vcpus: u32) -> Result<Vm> {
        self.make(vcpus, false)
    }

    /// A machine whose HLT does not exit (`KVM_CAP_X86_DISABLE_EXITS`).
    pub fn vm_that_halts_alone(&self) -> Result<Vm> {
        self.make(1, true)
    }

    fn make(&self, vcpus: u32, halts_alone: bool) -> Result<Vm> {
        assert!(vcpus <= MOST_VCPUS, "no room for {vcpus} vCPUs");
        let failed = |what: &'static str| move |e| format!("KVM failed to {what}: {e}");
        let fd = self.kvm.create_vm().map_err(failed("create a VM"))?;
        fd.set_tss_address(0xfffb_d000)
            .map_err(failed("place its task state"))?;
        fd.create_irq_chip()
            .map_err(failed("create the interrupt controllers"))?;
        if halts_alone {
            let mut cap = kvm_enable_cap {
                cap: KVM_CAP_X86_DISABLE_EXITS,
                ..Default::default()
            };
            cap.args[0] = u64::from(KVM_X86_DISABLE_EXITS_HLT);
            fd.enable_cap(&cap)
                .map_err(failed("switch off exits of HLT"))?;
        }
        let fd = Holding::new(fd, Memory::map(guest::MEMORY)?)?;
        for (at, bytes) in guest::image() {
            fd.memory().write(at, &bytes)?;
        }
        let vcpus = (0..vcpus)
            .map(|id| self.vcpu(&fd, id))
            .collect::<Result<_>>()?;
        let mut vm = Vm {
            fd,
            vcpus,
            cpuids: 0,
        };
        for id in 0..vm.vcpus.len() {
            vm.run_on(id, &Step::set_up_apic())?;
        }
        Ok(vm)
    }

    fn vcpu(&self, vm: &Holding<VmFd>, id: u32) -> Result<Vcpu> {
        let failed = |what: &'static str| move |e| format!("KVM failed to {what}: {e}");
        let fd = vm.vcpu(id)?;
        let mut cpuid = self.cpuid.clone();
        for entry in cpuid.as_mut_slice() {
            match entry.function {
                // The x2APIC ID: KVM refuses one that is not the vCPU's own.
                1 => entry.ebx = entry.ebx & 0x00ff_ffff | id << 24,
                0xb | 0x1f => entry.edx = id,
                _ => {}
            }
        }
        fd.set_cpuid2(&cpuid)
            .map_err(failed("set a vCPU's CPUID"))?;
        let base = APIC_BASE | if id == 0 { BOOTSTRAP } else { 0 };
        let msrs = Msrs::from_entries(&[kvm_msr_entry {
            index: MSR_APIC_BASE,
            data: base,
            ..Default::default()
        }])
        .map_err(|e| format!("failed to list MSRs: {e:?}"))?;
        fd.set_msrs(&msrs).map_err(failed("set a vCPU's MSRs"))?;
        // Every vCPU starts by itself, not by another's start-up IPI.
        fd.set_mp_state(kvm_bindings::kvm_mp_state {
            mp_state: kvm_bindings::KVM_MP_STATE_RUNNABLE,
        })
        .map_err(failed("start a vCPU"))?;
        let sregs = fd.get_sregs().map_err(failed("read a vCPU"))?;
        fd.set_sregs(&flat(sregs)).map_err(failed("set a vCPU"))?;
        Ok(Vcpu { id, fd })
    }
}

impl Vm {
    /// Lets vCPU 0 do `steps`, and returns what each left in its registers.
    pub fn run(&mut self, steps: &[Step]) -> Result<Vec<Answer>> {
        self.run_on(0, steps)
    }

    fn run_on(&mut self, id: usize, steps: &[Step]) -> Result<Vec<Answer>> {
        self.load(id, steps)?;
        let vcpu = self.vcpus.swap_remove(id);
        let (vcpu, end) = drive(vec![vcpu])?.remove(0);
        self.vcpus.push(vcpu);
        self.vcpus.sort_by_key(|vcpu| vcpu.id);
        match end {
            End::Done => self.answers(id, steps.len()),
            End::EntryFailed => Err(refused()),
        }
    }

    /// Lets each vCPU do `steps`, one after the other.
    pub fn run_each(&mut self, steps: &[Step]) -> Result<()> {
        for id in 0..self.vcpus.len() {
            self.run_on(id, steps)?;
        }
        Ok(())
    }

    /// Lets all vCPUs do `steps` of their number at the same time, and returns what each
    /// left in its registers.
    pub fn run_all(&mut self, steps: &dyn Fn(usize) -> Vec<Step>) -> Result<Vec<Vec<Answer>>> {
        let mut lens = Vec::new();
        for id in 0..self.vcpus.len() {
            let steps = steps(id);
            self.load(id, &steps)?;
            lens.push(steps.len());
        }
        let ends = drive(std::mem::take(&mut self.vcpus))?;
        let any_refused = ends.iter().any(|(_, end)| *end == End::EntryFailed);
        self.vcpus = ends.into_iter().map(|(vcpu, _)| vcpu).collect();
        self.vcpus.sort_by_key(|vcpu| vcpu.id);
        if any_refused {
            return Err(refused());
        }
        let answers = lens.into_iter().enumerate();
        answers.map(|(id, steps)| self.answers(id, steps)).collect()
    }

    /// Gives vCPU 0 a state that no processor enters, tries to, and puts it right again.
    /// True if the entry failed as it should.
    ///
    /// In long mode a code segment cannot be 64-bit and 32-bit at once (SDM volume 3,
    /// "Checks on Guest Segment Registers"; APM volume 2, "Canonicalization and
    /// Consistency Checks").
    pub fn fail_an_entry(&mut self) -> Result<bool> {
        let failed = |what: &'static str| move |e| format!("KVM failed to {what}: {e}");
        self.load(0, &[])?;
        let good = self.vcpus[0]
            .fd
            .get_sregs()
            .map_err(failed("read a vCPU"))?;
        let mut bad = good;
        bad.efer |= 1 << 8 | 1 << 10;
        bad.cr4 |= 1 << 5;
        bad.cr3 = guest::EMPTY_PAGE;
        bad.cr0 |= 1 << 31;
        bad.cs.l = 1;
        bad.cs.db = 1;
        self.vcpus[0]
            .fd
            .set_sregs(&bad)
            .map_err(failed("take a bad state"))?;
        let vcpu = self.vcpus.swap_remove(0);
        let (vcpu, end) = drive(vec![vcpu])?.remove(0);
        self.vcpus.push(vcpu);
        self.vcpus.sort_by_key(|vcpu| vcpu.id);
        self.vcpus[0]
            .fd
            .set_sregs(&good)
            .map_err(failed("set a vCPU"))?;
        Ok(end == End::EntryFailed)
    }

    /// KVM's statistics, summed over vCPUs (`KVM_GET_STATS_FD`).
    pub fn statistics(&self) -> Result<Statistics> {
        let mut sum = Statistics::default();
        for vcpu in &self.vcpus {
            sum.add(vcpu_statistics(&vcpu.fd)?);
        }
        Ok(sum)
    }

    fn load(&mut self, id: usize, steps: &[Step]) -> Result<()> {
        assert!(steps.len() <= MOST_STEPS, "too many steps for one run");
        let mut bytes = Vec::with_capacity((steps.len() + 1) * STEP_BYTES);
        for step in steps.iter().chain([&Step::done()]) {
            bytes.extend(step.to_bytes());
        }
        self.cpuids += steps.iter().map(Step::cpuids).sum::<u64>();
        let at = STEPS + id as u64 * AREA;
        self.fd.memory().write(at, &bytes)?;
        let regs = kvm_regs {
            rip: guest::CODE,
            rsp: STACKS + (id as u64 + 1) * 0x1000,
            rsi: at,
            rflags: 2,
            ..Default::default()
        };
        self.vcpus[id]
            .fd
            .set_regs(&regs)
            .map_err(|e| Trouble::Failed(format!("KVM failed to set a vCPU's registers: {e}")))
    }

    fn answers(&self, id: usize, steps: usize) -> Result<Vec<Answer>> {
        let at = STEPS + id as u64 * AREA;
        let bytes = self.fd.memory().read(at, steps * STEP_BYTES)?;
        let (steps, _) = bytes.as_chunks::<STEP_BYTES>();
        Ok(steps.iter().map(Answer::of_bytes).collect())
    }
}

fn refused() -> Trouble {
    Trouble::Failed("the processor refused to enter the guest".to_owned())
}

/// 32-bit protected mode, flat segments, no paging.
fn flat(mut sregs: kvm_sregs) -> kvm_sregs {
    let segment = |selector, type_| kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector,
        type_,
        present: 1,
        dpl: 0,
        db: 1,
        s: 1,
        l: 0,
        g: 1,
        ..Default::default()
    };
    sregs.cs = segment(guest::CODE_SELECTOR, 0xb);
    let data = segment(guest::DATA_SELECTOR, 3);
    (sregs.ds, sregs.es, sregs.ss) = (data, data, data);
    (sregs.fs, sregs.gs) = (data, data);
    sregs.gdt.base = guest::GDT;
    sregs.gdt.limit = 3 * 8 - 1;
    sregs.idt.base = guest::IDT;
    sregs.idt.limit = 256 * 8 - 1;
    // Protection, extension type, numeric errors: caching on.
    sregs.cr0 = 0x31;
    sregs
}
