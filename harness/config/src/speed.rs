//! How many instructions an emulated host executes in one second of its own time. The
//! emulators that take such a number do not take the same ones.

use std::ops::RangeInclusive;

use super::value::within;
use exitlab_base::toml::Wrong;
use exitlab_model::platform::{LARGEST_SHIFT, NANOSECONDS, PlatformKind, icount_shift};

/// What Bochs accepts as `ips`.
const BOCHS: RangeInclusive<i64> = 1_000_000..=4_294_967_295;

/// The most instructions per second that `tcg-svm` can be given.
pub(super) const FASTEST_TCG: u64 = NANOSECONDS;

/// The speed of a platform for which none is given.
pub(super) const fn of(platform: PlatformKind) -> u64 {
    match platform {
        PlatformKind::BochsVmx => 200_000_000,
        // The nearest to Bochs' that there is. Twice as many cost a second more at boot:
        // the kernel calibrates its timer by waiting a tenth of a second.
        PlatformKind::TcgSvm => 250_000_000,
        // Their clock is the real one.
        PlatformKind::Nested | PlatformKind::Local | PlatformKind::Ssh => 0,
    }
}

/// The speed that a platform can run at; 0 stands for its own.
pub(super) fn parse(given: i64, platform: PlatformKind) -> Result<u64, Wrong> {
    if given == 0 {
        return Ok(of(platform));
    }
    match platform {
        PlatformKind::BochsVmx => Ok(within(given, BOCHS)? as u64),
        PlatformKind::TcgSvm => u64::try_from(given)
            .ok()
            .filter(|speed| icount_shift(*speed).is_some())
            .ok_or_else(not_a_shift),
        PlatformKind::Nested | PlatformKind::Local | PlatformKind::Ssh => Err(Wrong::new(
            format!("{platform} runs on the real clock, at the speed of its machine"),
            "leave it out, or give 0",
        )),
    }
}

fn not_a_shift() -> Wrong {
    let speeds: Vec<String> = (0..=LARGEST_SHIFT)
        .map(|shift| (NANOSECONDS >> shift).to_string())
        .collect();
    Wrong::new(
        "not a speed of tcg-svm, where an instruction takes 1, 2, 4, … or 512 nanoseconds",
        format!("give one of {}, or 0", speeds.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_of_a_billion_have_a_shift() {
        assert_eq!(icount_shift(1_000_000_000), Some(0));
        assert_eq!(icount_shift(of(PlatformKind::TcgSvm)), Some(2));
        assert_eq!(icount_shift(1_953_125), Some(9));
        for none in [0, 976_562, 200_000_000, 500_000_001, u64::MAX] {
            assert_eq!(icount_shift(none), None, "{none}");
        }
    }

    #[test]
    fn every_platform_can_run_at_its_own_speed() {
        for platform in PlatformKind::ALL {
            let own = of(platform);
            assert_eq!(parse(0, platform).ok(), Some(own));
            assert_eq!(parse(own.cast_signed(), platform).ok(), Some(own));
        }
    }
}
