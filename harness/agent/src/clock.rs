//! The host's clocks and its processor's name.

use rustix::time::{ClockId, clock_gettime};

/// Seconds since the host booted.
pub fn host_seconds() -> f64 {
    let now = clock_gettime(ClockId::Boottime);
    // Whole nanoseconds do not fit an f64's 53 bits for long; microseconds do, and print
    // the same everywhere.
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    micros as f64 / 1e6
}

/// The host's time-stamp counter, cycles.
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC, and Linux leaves it open to user space.
    #[expect(unsafe_code, reason = "reading the TSC has no safe wrapper in std")]
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
}

/// Model name of the first processor, from `/proc/cpuinfo`.
pub fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
        .unwrap_or_else(|| "unknown".to_owned())
}
