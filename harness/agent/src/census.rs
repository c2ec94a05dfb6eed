//! What the KVM of this host counts, as far as the host can say before a guest runs.

use std::path::Path;

use exitlab_model::event::Stage;
use exitlab_model::failure::FailureKind;
use exitlab_model::hardware;
use exitlab_model::reasons::{Isa, ReasonTable};

use super::failure::Failure;
use super::watchdog::Watchdog;

/// KVM's parameter that says whether cycles are counted.
const CYCLES: &str = "/sys/module/kvm/parameters/exit_census_cycles";

/// KVM's parameter that says whether VMX runs real mode itself.
const UNRESTRICTED: &str = "/sys/module/kvm_intel/parameters/unrestricted_guest";

/// What is counted on this host.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The exit reasons.
    pub reasons: &'static ReasonTable,
    /// Whether cycles are counted.
    pub cycles: bool,
}

impl Counted {
    /// Asks the processor and KVM. Fails if `cycles` are wanted and KVM counts none.
    pub fn here(cycles: bool) -> Result<Counted, Failure> {
        let failure = |kind, why: String| Failure::new(Stage::Host, kind, why);
        let isa = isa().ok_or_else(|| {
            let why = "the host's processor offers neither VMX nor SVM (flags in /proc/cpuinfo)";
            failure(FailureKind::Host, why.to_owned())
        })?;
        let setting = std::fs::read_to_string(CYCLES);
        let counted = Counted {
            reasons: ReasonTable::of(isa),
            cycles: setting.as_ref().is_ok_and(|value| value.trim() == "Y"),
        };
        if cycles && !counted.cycles {
            let found = setting.unwrap_or_else(|e| e.to_string());
            let why = format!(
                "sampling.cycles is set, but KVM counts no cycles ({CYCLES}: {}; on a machine of \
                 your own, as root: echo 1 > {CYCLES})",
                found.trim()
            );
            return Err(failure(FailureKind::NoCensus, why));
        }
        Ok(counted)
    }
}

/// Whether KVM here carries the census, by the parameter that comes with it.
pub fn is_here() -> bool {
    Path::new(CYCLES).exists()
}

/// The failure of a KVM whose statistics lack it.
pub fn missing(watchdog: &Watchdog) -> Failure {
    let message = "KVM on this host carries no exit census: no statistic 'exits_by_reason'";
    let mut failure = watchdog.failure(FailureKind::NoCensus, message);
    failure.tail.clear();
    failure
}

/// The processor's virtualization extension.
pub fn isa() -> Option<Isa> {
    hardware::isa(Path::new("/"))
}

/// Whether KVM emulates a guest whose state VMX refuses. It then takes rounds that are no
/// VM exits, and counts them as `exits` all the same (`vmx_vcpu_run`, the early return for
/// `emulation_required`).
pub fn emulates() -> bool {
    let unrestricted = std::fs::read_to_string(UNRESTRICTED);
    isa() == Some(Isa::Vmx) && unrestricted.is_ok_and(|value| value.trim() == "N")
}
