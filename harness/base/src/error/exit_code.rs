//! Documented exit codes (`docs/exit-codes.md`).

/// All went well.
pub const SUCCESS: u8 = 0;
/// A gate found a regression, or an exit census breaks rules.
pub const REGRESSION: u8 = 1;
/// Usage or configuration.
pub const CONFIG: u8 = 2;
/// A prerequisite is missing.
pub const PREREQUISITE: u8 = 3;
/// A build failed.
pub const BUILD: u8 = 4;
/// The experiment failed: host or guest died, deadline, results not writable.
pub const EXPERIMENT: u8 = 5;
/// A gate can say neither yes nor no, or a bisection does not reach one commit.
pub const UNDECIDED: u8 = 6;
/// A run is whole, but what it counted breaks promises that every run makes.
pub const CHECKS: u8 = 7;
/// A mistake of exitlab's own: it panicked.
pub const INTERNAL: u8 = 70;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;
