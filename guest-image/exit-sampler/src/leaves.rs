//! The CPUID leaves of the exit census (`docs/kernel-abi.md`).

use std::arch::x86_64::{__cpuid_count, CpuidResult};

use exitlab_abi::{
    CYCLES_ON, DISCOVERY, ISA_SVM, ISA_VMX, LEAF_MAPS, LeafMap, MAP_SHIFT, SIGNATURE, STATUS,
    UNDEFINED, VERSION,
};

/// A number that no instruction set defines: a basic exit reason of VMX has 16 bits, and
/// SVM's codes leave out everything between 0x404 and the negative numbers.
const PROBE: u32 = 0x7fff_ffff;

/// Whose exit reasons are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Intel VMX.
    Vmx,
    /// AMD SVM.
    Svm,
}

/// A census that was found, and which leaf answers what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Version of the interface.
    pub version: u32,
    /// Whose exit reasons are counted.
    pub isa: Isa,
    /// Which leaf answers what.
    pub map: LeafMap,
    /// Whether cycles are counted.
    pub cycles: bool,
    /// Number of defined reasons.
    pub reasons: u32,
}

/// All reasons together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Exits; bits 31:0 of them in leaf map 1.
    pub count: u64,
    /// Cycles; `None` if they are not counted.
    pub cycles: Option<u64>,
    /// How many leaves were read up to the one that answered `count`.
    pub nth: u64,
}

impl Census {
    /// Fails unless KVM carries the census and lets guests read it.
    pub fn find() -> Result<Census, String> {
        let CpuidResult { eax, ebx, ecx, edx } = __cpuid_count(DISCOVERY, 0);
        // An unpatched KVM may answer unknown leaves with the data of another leaf.
        if eax != SIGNATURE {
            return Err(format!(
                "the KVM under this guest carries no exit census, or its parameter \
                 exit_census_leaves is off: leaf {DISCOVERY:#x} answers \
                 {eax:#x} {ebx:#x} {ecx:#x} {edx:#x}"
            ));
        }
        let (version, number) = (ebx & 0xffff, ebx >> MAP_SHIFT & 0xff);
        let isa = match ecx {
            ISA_VMX => Isa::Vmx,
            ISA_SVM => Isa::Svm,
            _ => {
                return Err(format!(
                    "the census is of instruction set {ecx}; known are {ISA_VMX} and {ISA_SVM}"
                ));
            }
        };
        let map = LeafMap::of(number).filter(|_| version == VERSION);
        let map = map.ok_or_else(|| {
            let last = LEAF_MAPS.len();
            format!(
                "the census speaks version {version} with leaf map {number}; \
                 known are version {VERSION} with leaf maps 1 to {last}"
            )
        })?;
        let census = Census {
            version,
            isa,
            map,
            cycles: ebx & CYCLES_ON != 0,
            reasons: edx,
        };
        census.probe().map(|()| census)
    }

    /// The leaf map must be the one that answers.
    fn probe(&self) -> Result<(), String> {
        let leaf = self.map.count;
        let CpuidResult { eax, ebx, ecx, edx } = __cpuid_count(leaf, PROBE);
        if (eax, ebx, ecx, edx) == (0, 0, 0, UNDEFINED) {
            return Ok(());
        }
        Err(format!(
            "the census contradicts itself: leaf {leaf:#x} answers \
             {eax:#x} {ebx:#x} {ecx:#x} {edx:#x} for the undefined reason {PROBE:#x}"
        ))
    }

    /// How many exits of `reason` this VM has had; `None` if the reason is undefined.
    pub fn count(&self, reason: u32) -> Option<u64> {
        let answer = __cpuid_count(self.map.count, reason);
        (answer.edx != UNDEFINED).then(|| wide(answer.ebx, answer.eax))
    }

    /// Cycles from exits of `reason` to the next entries; `None` if it is undefined.
    pub fn cycles(&self, reason: u32) -> Option<u64> {
        let answer = __cpuid_count(self.map.cycles, reason);
        (answer.edx != UNDEFINED).then(|| wide(answer.ebx, answer.ecx))
    }

    /// All reasons together. `count_last` says whether the count is read after the
    /// cycles, where they have leaves of their own. `read` counts the leaves.
    pub fn total(&self, count_last: bool, read: &mut u64) -> Total {
        if self.map.shares_totals() {
            *read += 1;
            let answer = __cpuid_count(self.map.total_count, 0);
            let cycles = self.cycles.then(|| wide(answer.ebx, answer.ecx));
            return Total {
                count: answer.eax.into(),
                cycles,
                nth: *read,
            };
        }
        let cycles = |read: &mut u64| {
            self.cycles.then(|| {
                *read += 1;
                let answer = __cpuid_count(self.map.total_cycles, 0);
                wide(answer.ebx, answer.ecx)
            })
        };
        let before = if count_last { cycles(read) } else { None };
        *read += 1;
        let nth = *read;
        let answer = __cpuid_count(self.map.total_count, 0);
        let after = if count_last { None } else { cycles(read) };
        Total {
            count: wide(answer.ebx, answer.eax),
            cycles: before.or(after),
            nth,
        }
    }
}

fn wide(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// What the status leaf answers: [`exitlab_abi::STATUS_ENABLED`] or another of its kind.
pub fn status(reason: u32) -> u32 {
    __cpuid_count(STATUS, reason).eax
}

/// The time-stamp counter, cycles.
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC, and Linux leaves it open to user space.
    #[expect(unsafe_code, reason = "reading the TSC has no safe wrapper in std")]
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
}
