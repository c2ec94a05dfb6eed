//! Which platform `platform = "auto"` stands for: a pure function of what the
//! configuration asks for and what this machine has.
//!
//! Repeatable comes first, so that an experiment gives the same counts here and in CI.
//! Only an experiment that asks for time (cycles) goes to the real processor where it can, on
//! a kernel that counts if that is running: the time of an emulated one says nothing about
//! hardware. Another machine is never chosen.

use exitlab_model::platform::PlatformKind;
use exitlab_model::platform::icount_shift;

/// What a configuration says that a platform can be chosen by.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// `host.cmdline`, and parameters of KVM as they will be added to it.
    pub cmdline: String,
    /// `host.instructions_per_second`; 0 leaves it to the platform.
    pub speed: i64,
    /// `sampling.cycles`
    pub cycles: bool,
}

/// The platform, and why it.
pub(super) fn choose(asked: &Asked, usable: &[PlatformKind]) -> (PlatformKind, String) {
    use PlatformKind::{BochsVmx, Local, Nested, TcgSvm};
    let sets = |module: &str| {
        let mut words = asked.cmdline.split_whitespace();
        words.any(|word| word.starts_with(module))
    };
    let has = |platform| usable.contains(&platform);
    let shift = u64::try_from(asked.speed).ok().and_then(icount_shift);
    let (platform, why) = match () {
        () if sets("kvm_amd.") => (TcgSvm, "a parameter of kvm_amd is set"),
        () if sets("kvm_intel.") => (BochsVmx, "a parameter of kvm_intel is set"),
        () if asked.cycles && asked.speed == 0 && has(Local) => (
            Local,
            "sampling.cycles asks for time, and this machine's KVM has the census",
        ),
        () if asked.cycles && asked.speed == 0 && has(Nested) => (
            Nested,
            "sampling.cycles asks for time, and this machine has nested KVM",
        ),
        () if has(BochsVmx) => (BochsVmx, "its counts repeat bit for bit"),
        () if has(TcgSvm) && (asked.speed == 0 || shift.is_some()) => (
            TcgSvm,
            "its counts repeat bit for bit, and bochs-vmx is not usable here",
        ),
        () => (BochsVmx, "no platform is usable here yet"),
    };
    (platform, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use PlatformKind::{BochsVmx, Local, Nested, TcgSvm};

    /// Every platform but this machine as it is.
    const BOOTED: [PlatformKind; 3] = [BochsVmx, TcgSvm, Nested];

    fn chosen(asked: &Asked, usable: &[PlatformKind]) -> PlatformKind {
        choose(asked, usable).0
    }

    #[test]
    fn what_repeats_comes_first() {
        let asked = Asked::default();
        assert_eq!(chosen(&asked, &PlatformKind::ALL), BochsVmx);
        assert_eq!(chosen(&asked, &[Nested, TcgSvm]), TcgSvm);
        assert_eq!(chosen(&asked, &[]), BochsVmx);
    }

    #[test]
    fn a_parameter_of_one_vendor_asks_for_its_processor() {
        let asked = |cmdline: &str| Asked {
            cmdline: cmdline.to_owned(),
            cycles: true,
            ..Asked::default()
        };
        let of = |cmdline| chosen(&asked(cmdline), &BOOTED);
        assert_eq!(of("quiet kvm_amd.npt=0"), TcgSvm);
        assert_eq!(of("kvm_intel.ept=0"), BochsVmx);
        assert_eq!(of("quiet"), Nested);
    }

    #[test]
    fn cycles_go_to_the_real_processor_unless_a_speed_is_given() {
        let asked = |speed| Asked {
            speed,
            cycles: true,
            ..Asked::default()
        };
        assert_eq!(chosen(&asked(0), &PlatformKind::ALL), Local);
        assert_eq!(chosen(&asked(0), &BOOTED), Nested);
        assert_eq!(chosen(&asked(0), &[BochsVmx, TcgSvm]), BochsVmx);
        assert_eq!(chosen(&asked(250_000_000), &PlatformKind::ALL), BochsVmx);
        assert_eq!(chosen(&asked(250_000_000), &[TcgSvm, Nested]), TcgSvm);
        // Not a speed of tcg-svm.
        assert_eq!(chosen(&asked(200_000_000), &[TcgSvm]), BochsVmx);
    }
}
