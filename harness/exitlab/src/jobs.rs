//! How many hosts this machine emulates at the same time.

use exitlab_model::plan::Plan;

use crate::doctor;

/// What an emulator and the conductor take beside a host's memory, MiB.
const OWN_MIB: u64 = 256;

/// How many of these plans run at the same time here.
pub fn that_fit(plans: &[&Plan]) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    on(plans, cores, doctor::memory_mib())
}

/// One for each core that has memory for it. Where time is real, one: neighbours would disturb
/// it.
pub fn on(plans: &[&Plan], cores: usize, memory_mib: u64) -> usize {
    if !plans.iter().all(|plan| plan.platform.repeats()) {
        return 1;
    }
    let largest = plans.iter().map(|plan| plan.host.memory_mib).max();
    let each = u64::from(largest.unwrap_or(0)) + OWN_MIB;
    let fit = usize::try_from(memory_mib / each).unwrap_or(usize::MAX);
    cores.min(fit).clamp(1, plans.len().max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;
    use exitlab_config::load_matrix;

    #[test]
    fn as_many_run_as_there_are_cores_and_memory_for() {
        let matrix = |platform: &str| {
            let sets = [
                format!("platform={platform}"),
                "host.memory=['1024M', '2048M']".to_owned(),
                "repeat=3".to_owned(),
            ];
            load_matrix(None, &sets, Path::new("/"), &[]).unwrap()
        };
        let (emulated, real) = (matrix("tcg-svm"), matrix("nested"));
        let plans: Vec<&Plan> = emulated.cells.iter().map(|cell| &cell.plan).collect();
        assert_eq!(on(&plans, 4, 100_000), 4);
        assert_eq!(on(&plans, 4, 5000), 2);
        assert_eq!(on(&plans, 4, 100), 1);
        assert_eq!(on(&plans, 64, 1 << 30), 6);
        let plans: Vec<&Plan> = real.cells.iter().map(|cell| &cell.plan).collect();
        assert_eq!(on(&plans, 4, 100_000), 1);
    }
}
