//! In which order cells run, and how many at the same time.

use exitlab_config::Cell;

/// What an emulator and the conductor take beside a host's memory, MiB.
const OWN_MIB: u64 = 256;

/// Cells in the order in which they run. Where nothing disturbs a run, the plan's. Elsewhere
/// round by round, every second one backwards (A B, B A, …), so that what drifts with time
/// meets all combinations alike.
pub fn interleaved(cells: Vec<&Cell>) -> Vec<&Cell> {
    if cells.iter().all(|cell| cell.plan.platform.repeats()) {
        return cells;
    }
    let last = cells.iter().map(|cell| cell.repeat).max().unwrap_or(0);
    let round = |repeat| {
        let mut round: Vec<&Cell> = cells
            .iter()
            .filter(|cell| cell.repeat == repeat)
            .copied()
            .collect();
        if repeat % 2 == 0 {
            round.reverse();
        }
        round
    };
    (1..=last).flat_map(round).collect()
}

/// How many cells run at the same time: one for each core that has memory for it. Where time
/// is real, one: neighbours would disturb it.
pub fn jobs(cells: &[&Cell], cores: usize, memory_mib: u64) -> usize {
    if !cells.iter().all(|cell| cell.plan.platform.repeats()) {
        return 1;
    }
    let largest = cells.iter().map(|cell| cell.plan.host.memory_mib).max();
    let each = u64::from(largest.unwrap_or(0)) + OWN_MIB;
    let fit = usize::try_from(memory_mib / each).unwrap_or(usize::MAX);
    cores.min(fit).clamp(1, cells.len().max(1))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use exitlab_config::{Matrix, load_matrix};

    fn matrix(platform: &str) -> Matrix {
        let sets = [
            format!("platform={platform}"),
            "host.memory=['1024M', '2048M']".to_owned(),
            "repeat=3".to_owned(),
        ];
        load_matrix(None, &sets, Path::new("/"), &[]).unwrap()
    }

    fn order(matrix: &Matrix) -> Vec<String> {
        let cells = interleaved(matrix.cells.iter().collect());
        cells.iter().map(|cell| cell.id.to_string()).collect()
    }

    #[test]
    fn where_time_is_real_every_second_round_runs_backwards() {
        let ids = order(&matrix("nested"));
        let short: Vec<String> = ids
            .iter()
            .map(|id| id.replace("host.memory=", ""))
            .collect();
        assert_eq!(
            short,
            [
                "1024M,r1", "2048M,r1", "2048M,r2", "1024M,r2", "1024M,r3", "2048M,r3"
            ]
        );
        let ids = order(&matrix("tcg-svm"));
        assert_eq!(ids[1], "host.memory=1024M,r2");
    }

    #[test]
    fn as_many_run_as_there_are_cores_and_memory_for() {
        let (emulated, real) = (matrix("tcg-svm"), matrix("nested"));
        let cells: Vec<&Cell> = emulated.cells.iter().collect();
        assert_eq!(jobs(&cells, 4, 100_000), 4);
        assert_eq!(jobs(&cells, 4, 5000), 2);
        assert_eq!(jobs(&cells, 4, 100), 1);
        assert_eq!(jobs(&cells, 64, 1 << 30), 6);
        assert_eq!(jobs(&real.cells.iter().collect::<Vec<_>>(), 4, 100_000), 1);
    }
}
